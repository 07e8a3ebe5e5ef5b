#include "engine/cli/sending.h"

#include <csignal>
#include <deque>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "channels/mllp/framing/commit_block.h"
#include "channels/mllp/framing/deframer.h"
#include "channels/transport/network.h"
#include "engine/cli/tool_ports.h"
#include "parsers/hl7v2/acknowledgement.h"

namespace cannula::cli {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRemarks = 5;
constexpr std::size_t kLargestAnswer = 1 << 20;  // bytes
constexpr std::chrono::milliseconds kPauseBeforeRetry{50};

struct Attempt {
  std::int64_t n = 0;
  std::string control_id;
  Clock::time_point since;  // when it was sent or, by the rate, should have been
};

// One connection's part of the work. What it has claimed stays with it, so that a connection keeps
// its order.
struct Lane {
  std::deque<Attempt> under_way;
  std::deque<std::int64_t> again;  // lost with a connection, to be sent first
  std::int64_t next = 0;           // claimed, and waited for until it is due; 0: none
  Clock::time_point give_up = Clock::time_point::max();
  std::unique_ptr<Stream> stream;
};

class Sending {
 public:
  Sending(const SendOrder& order, const MessageSource& messages, JsonLines& log)
      : order_(order),
        messages_(messages),
        log_(log),
        signals_(io_, SIGINT, SIGTERM),
        ticker_(io_),
        grace_(io_) {}

  Result<SendResult> run() {
    tls_ = TRY(make_client_tls(order_.use_tls ? &order_.tls : nullptr, tool_ports(io_)));
    lanes_.resize(static_cast<std::size_t>(std::min(order_.connections, order_.count)));
    begun_ = Clock::now();
    for (Lane& lane : lanes_) {
      ++working_;
      asio::co_spawn(io_, work(lane), [this](const std::exception_ptr& failure) {
        if (--working_ == 0) finish();
        if (failure) std::rethrow_exception(failure);
      });
    }
    signals_.async_wait([this](const boost::system::error_code& failure, int) {
      if (!failure) stop();
    });
    if (order_.progress) asio::co_spawn(io_, show_progress(), asio::detached);
    io_.run();
    if (ended_ < begun_) ended_ = Clock::now();
    result_.seconds = std::chrono::duration<double>(ended_ - begun_).count();
    result_.unanswered = order_.count - result_.as_expected - result_.unexpected;
    log_.flush();
    return std::move(result_);
  }

 private:
  bool work_left(const Lane& lane) const {
    return !stopping_ && (!lane.again.empty() || lane.next != 0 || claimed_ < order_.count);
  }

  // When a message is to go, by the rate: the first one when there is a connection. The past when
  // there is no rate.
  Clock::time_point due(std::int64_t n) const {
    if (order_.rate == 0) return Clock::time_point::min();
    const std::int64_t before = n - 1;
    return connected_ + std::chrono::seconds(before / order_.rate) +
           std::chrono::nanoseconds(before % order_.rate * 1'000'000'000 / order_.rate);
  }

  asio::awaitable<void> work(Lane& lane) {
    while (work_left(lane)) {
      auto connected =
          co_await connect(io_.get_executor(), order_.address, tls_, std::chrono::seconds(10));
      if (connected) {
        lane.stream = *std::move(connected);
        if (connected_ == Clock::time_point()) connected_ = Clock::now();
        const Result<void> exchanged = co_await exchange(lane);
        if (exchanged) {
          co_await lane.stream->shutdown(std::chrono::seconds(1));
          lane.stream.reset();
          continue;
        }
        lose(lane, exchanged.error());
      } else {
        remark(connected.error().text());
      }
      if (!co_await may_retry(lane)) break;
    }
    lane.stream.reset();
  }

  asio::awaitable<bool> may_retry(Lane& lane) {
    const Clock::time_point now = Clock::now();
    if (lane.give_up == Clock::time_point::max()) lane.give_up = now + order_.retry;
    if (stopping_ || now >= lane.give_up) co_return false;
    asio::steady_timer pause(io_, kPauseBeforeRetry);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return true;
  }

  void lose(Lane& lane, const Error& error) {
    lane.stream->close();
    if (stopping_) return;
    ++result_.connections_lost;
    remark(error.text());
    for (auto attempt = lane.under_way.rbegin(); attempt != lane.under_way.rend(); ++attempt) {
      if (order_.retry.count() > 0) lane.again.push_front(attempt->n);
    }
    for (const Attempt& attempt : lane.under_way) write_log(attempt.control_id, "");
    log_.flush();
    lane.under_way.clear();
  }

  // Until there is nothing left to send and everything is answered; an error when the connection is
  // lost before.
  asio::awaitable<Result<void>> exchange(Lane& lane) {
    mllp::Deframer deframer(kLargestAnswer);
    std::vector<mllp::Frame> frames;
    std::vector<char> buffer(16 * 1024);
    std::string out;
    while (true) {
      fill(lane, out);
      if (!out.empty()) {
        const std::array<asio::const_buffer, 1> pieces{asio::buffer(out)};
        const Result<void> written = co_await lane.stream->write(pieces, order_.timeout);
        if (!written) co_return written.error();
        out.clear();
      }
      if (lane.under_way.empty()) {
        if (!work_left(lane)) co_return Result<void>();
        // Each lane waits for a message of its own: else all would wake for the same one.
        if (lane.next == 0) lane.next = ++claimed_;
        asio::steady_timer pause(io_, due(lane.next));
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
        continue;
      }
      const auto count = co_await lane.stream->read_some(asio::buffer(buffer), order_.timeout);
      if (!count) co_return count.error();
      if (*count == 0) co_return closed_early();
      deframer.feed({buffer.data(), *count}, frames);
      const Clock::time_point now = Clock::now();
      for (const mllp::Frame& frame : frames) take_answer(lane, frame.content, now);
      frames.clear();
      log_.flush();
    }
  }

  static Error closed_early() {
    return {"", "the other side closed the connection before it had answered", "", {}};
  }

  // The next message of a lane; 0: none may go now.
  std::int64_t take_next(Lane& lane, Clock::time_point now) {
    if (!work_left(lane)) return 0;
    if (!lane.again.empty()) {
      const std::int64_t n = lane.again.front();
      lane.again.pop_front();
      return n;
    }
    if (lane.next != 0) return due(lane.next) <= now ? std::exchange(lane.next, 0) : 0;
    return due(claimed_ + 1) <= now ? ++claimed_ : 0;
  }

  // Takes messages up to the window, as far as the rate allows.
  void fill(Lane& lane, std::string& out) {
    const auto window = static_cast<std::size_t>(order_.window);
    if (lane.under_way.size() >= window || !work_left(lane)) return;
    const Clock::time_point now = Clock::now();
    const std::int64_t time = std::chrono::duration_cast<std::chrono::microseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count();
    for (std::size_t room = window - lane.under_way.size(); room > 0; --room) {
      const bool again = !lane.again.empty();
      const std::int64_t n = take_next(lane, now);
      if (n == 0) return;
      messages_.append_frame(out, n, time);
      ++result_.sent;
      if (messages_.wants_answer(n)) {
        // What waited for a free connection is late already: that is part of what it took. With a
        // larger window a lane reads while a message becomes due, and that is its own lateness.
        const bool from_due = order_.rate != 0 && order_.window == 1 && !again;
        const Clock::time_point since = from_due ? due(n) : now;
        lane.under_way.push_back({n, messages_.control_id(n, time), since});
      } else {
        ++result_.as_expected;
        ++result_.unasked;
      }
    }
  }

  void take_answer(Lane& lane, const std::string& bytes, Clock::time_point now) {
    if (mllp::committed(bytes)) return;  // of MLLP release 2; the answer follows
    if (order_.print) print_message(order_.print, bytes);
    const auto answer = hl7v2::Acknowledgement::parse(bytes);
    const std::string id = answer ? answer->control_id : std::string();
    auto attempt = lane.under_way.begin();
    // Answers nearly always come in order. One that names nothing can only mean the oldest.
    if (!id.empty()) {
      attempt = std::find_if(lane.under_way.begin(), lane.under_way.end(),
                             [&](const Attempt& one) { return one.control_id == id; });
    }
    if (attempt == lane.under_way.end()) {
      ++result_.strays;
      remark(fmt::format("an answer to `{}`, which was not under way", id));
      return;
    }
    result_.latencies.add(now - attempt->since);
    lane.give_up = Clock::time_point::max();
    const std::string code(answer ? hl7v2::name_of(answer->code) : "unreadable");
    ++result_.by_code[code];
    const bool expected =
        order_.expect.empty() ? code == "AA" || code == "CA" : code == order_.expect;
    ++(expected ? result_.as_expected : result_.unexpected);
    const std::string text = answer ? answer->text : answer.error().text();
    if (!expected && order_.count > 1)  // of a single one it is the summary
      remark(fmt::format("message {} ({}): {} {}", attempt->n, attempt->control_id, code, text));
    if (order_.count == 1) result_.last_answer = text.empty() ? code : code + " " + text;
    write_log(attempt->control_id, code);
    lane.under_way.erase(attempt);
  }

  void write_log(std::string_view control_id, std::string_view code) {
    if (!log_) return;
    std::string& line = log_.line();
    line += "{\"control_id\":";
    append_json_text(line, control_id);
    line += ",\"code\":";
    append_json_text(line, code);
    line += "}\n";
  }

  void remark(std::string text) {
    if (result_.remarks.size() < kRemarks) result_.remarks.push_back(std::move(text));
  }

  asio::awaitable<void> show_progress() {
    std::int64_t before = 0;
    while (working_ > 0) {
      ticker_.expires_after(std::chrono::seconds(1));
      const auto [failure] = co_await ticker_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (failure) break;
      const std::int64_t done = result_.as_expected + result_.unexpected;
      fmt::print(order_.progress, "\r{} of {} answered, {}/s   ", done, order_.count,
                 done - before);
      std::fflush(order_.progress);
      before = done;
    }
    fmt::print(order_.progress, "\r{:40}\r", "");
  }

  void stop() {
    stopping_ = true;
    for (Lane& lane : lanes_) {
      if (lane.stream) lane.stream->close();
    }
    // A connection that is being made is not waited for.
    grace_.expires_after(std::chrono::seconds(1));
    grace_.async_wait([this](const boost::system::error_code& failure) {
      if (!failure) io_.stop();
    });
  }

  void finish() {
    ended_ = Clock::now();
    signals_.cancel();
    ticker_.cancel();
    grace_.cancel();
  }

  const SendOrder& order_;
  const MessageSource& messages_;
  JsonLines& log_;
  asio::io_context io_{1};
  asio::signal_set signals_;
  asio::steady_timer ticker_;
  asio::steady_timer grace_;
  std::shared_ptr<TlsContext> tls_;
  std::vector<Lane> lanes_;
  SendResult result_;
  std::int64_t claimed_ = 0;
  std::size_t working_ = 0;
  bool stopping_ = false;
  Clock::time_point begun_, connected_, ended_;
};

}  // namespace

Result<SendResult> send_messages(const SendOrder& order, const MessageSource& messages,
                                 JsonLines& log) {
  return Sending(order, messages, log).run();
}

}  // namespace cannula::cli
