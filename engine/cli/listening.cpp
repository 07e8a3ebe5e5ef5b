#include "engine/cli/listening.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <list>
#include <unordered_set>

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
#include "parsers/hl7v2/message.h"

namespace cannula::cli {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargestMessage = 256u << 20;  // bytes
constexpr std::chrono::milliseconds kWriteTimeout{30'000};

class Listening {
 public:
  Listening(const ListenOrder& order, JsonLines& log)
      : order_(order),
        log_(log),
        ports_(tool_ports(io_)),
        signals_(io_, SIGINT, SIGTERM),
        grace_(io_) {}

  Result<ListenResult> run() {
    tls_ = TRY(make_server_tls(order_.use_tls ? &order_.tls : nullptr, ports_));
    listener_ = TRY(Listener::open(io_.get_executor(), order_.address, ports_.report));
    result_.address = listener_->address();
    if (order_.announce) {
      fmt::print(order_.announce, "listening on {}\n", result_.address);
      std::fflush(order_.announce);
    }
    signals_.async_wait([this](const boost::system::error_code& failure, int) {
      if (!failure) stop();
    });
    asio::co_spawn(io_, accept_all(), asio::detached);
    io_.run();
    result_.seconds = std::chrono::duration<double>(last_ - first_).count();
    log_.flush();
    return result_;
  }

 private:
  using Streams = std::list<std::unique_ptr<Stream>>;

  asio::awaitable<void> accept_all() {
    while (auto socket = co_await listener_->accept()) {
      asio::co_spawn(io_, serve(*std::move(socket), ++result_.connections), asio::detached);
    }
  }

  asio::awaitable<void> serve(asio::ip::tcp::socket socket, std::int64_t connection) {
    ++serving_;
    co_await serve_stream(std::move(socket), connection);
    if (--serving_ == 0) grace_.cancel();
  }

  asio::awaitable<void> serve_stream(asio::ip::tcp::socket socket, std::int64_t connection) {
    auto accepted = co_await accept_stream(std::move(socket), tls_, std::chrono::seconds(30));
    if (!accepted) {
      ports_.report.log(Report::Level::warning, accepted.error().text());
      co_return;
    }
    if (stopping_) co_return;
    const auto place = streams_.insert(streams_.end(), *std::move(accepted));
    co_await talk(**place, connection);
    streams_.erase(place);
  }

  asio::awaitable<void> talk(Stream& stream, std::int64_t connection) {
    mllp::Deframer deframer(kLargestMessage);
    std::vector<mllp::Frame> frames;
    std::vector<char> buffer(64 * 1024);
    std::string out;
    while (!stopping_) {
      const auto count =
          co_await stream.read_some(asio::buffer(buffer), std::chrono::milliseconds(0));
      if (!count || *count == 0) break;
      deframer.feed({buffer.data(), *count}, frames);
      // A sender that leaves out the last CR waits for an answer all the same.
      if (deframer.awaits_trailer()) deframer.settle(frames);
      bool close = false;
      for (mllp::Frame& frame : frames) {
        close = !take(frame, connection, out);
        if (close) break;
      }
      frames.clear();
      log_.flush();
      if (order_.delay.count() > 0 && !out.empty()) {
        asio::steady_timer pause(io_, order_.delay);
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
      }
      if (!out.empty()) {
        const std::array<asio::const_buffer, 1> pieces{asio::buffer(out)};
        if (!co_await stream.write(pieces, kWriteTimeout)) break;
        out.clear();
      }
      if (order_.count > 0 && result_.messages >= order_.count) stop_soon();
      if (close) break;
    }
    if (auto last = deframer.finish()) {
      if (last->kind != mllp::Frame::Kind::whole) ++result_.unreadable;
    }
    if (!stopping_) co_await stream.shutdown(std::chrono::seconds(1));
    stream.close();
  }

  // Appends the answer to `out`; false when the connection is to be closed instead.
  bool take(mllp::Frame& frame, std::int64_t connection, std::string& out) {
    if (mllp::committed(frame.content)) return true;  // of an answer of ours: no message
    last_ = Clock::now();
    if (result_.messages++ == 0) first_ = last_;
    result_.bytes += static_cast<std::int64_t>(frame.content.size());
    const auto header = hl7v2::Header::peek(frame.content);
    if (!header || frame.kind != mllp::Frame::Kind::whole) ++result_.unreadable;
    const std::string_view control_id = header ? header->control_id : std::string_view();
    const bool first = seen_.insert(std::hash<std::string_view>{}(control_id)).second;
    if (!first) ++result_.repeated;
    if (order_.print) print_message(order_.print, frame.content);
    const bool failing = order_.fail_every > 0 && result_.messages % order_.fail_every == 0;
    const bool closing = order_.close_every > 0 && result_.messages % order_.close_every == 0;
    const bool dropping = order_.drop_every > 0 && result_.messages % order_.drop_every == 0;
    if (!order_.save.empty()) save(frame.content);
    if (!closing && order_.commits) out += mllp::kCommitted;
    if (!closing && !dropping && order_.answer != "none") answer(header, failing, out);
    if (log_) write_log(frame.content, control_id, connection, first);
    return !closing;
  }

  void answer(const Result<hl7v2::Header>& header, bool failing, std::string& out) {
    char control_id[24];
    const auto end = fmt::format_to_n(control_id, sizeof control_id, "{}", result_.messages);
    hl7v2::AckDetails details;
    details.time = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
    details.control_id = {control_id, end.size};
    auto outcome = hl7v2::AckOutcome::accepted;
    if (order_.answer == "AR") outcome = hl7v2::AckOutcome::rejected;
    if (order_.answer == "AE" || failing) outcome = hl7v2::AckOutcome::error;
    details.text = order_.text;
    const auto exact =
        order_.answer.starts_with('C') ? hl7v2::ack_code(order_.answer) : std::nullopt;
    const bool positive = outcome == hl7v2::AckOutcome::accepted && (!exact || is_positive(*exact));
    if (!positive && details.text.empty()) details.text = "as cannula listen was told to answer";
    const auto text = !header ? std::optional(hl7v2::acknowledge_unreadable(details))
                      : exact && !failing
                          ? std::optional(hl7v2::build_acknowledgement(*header, *exact, details))
                          : hl7v2::acknowledge(*header, outcome, details);
    if (!text) return;
    out += mllp::kStartBlock;
    out += *text;
    out += mllp::kTrailer;
  }

  // NUMBER.hl7, counted as they come.
  void save(const std::string& content) {
    const auto path =
        std::filesystem::path(order_.save) / fmt::format("{:06}.hl7", result_.messages);
    std::ofstream file(path, std::ios::binary);
    file << content;
    file.close();
    if (file || std::exchange(save_failed_, true)) return;
    ports_.report.log(Report::Level::error, "cannot write " + path.string());
  }

  void write_log(std::string& content, std::string_view control_id, std::int64_t connection,
                 bool first) {
    std::string& line = log_.line();
    fmt::format_to(std::back_inserter(line), "{{\"connection\":{},\"control_id\":", connection);
    append_json_text(line, control_id);
    line += first ? ",\"first\":true" : ",\"first\":false";
    line += ",\"keys\":{";
    const Bytes bytes = make_bytes(std::move(content));
    if (!order_.keys.empty()) append_keys(line, bytes);
    line += "},\"message\":";
    append_json_text(line, *bytes);
    line += "}\n";
  }

  void append_keys(std::string& line, const Bytes& bytes) {
    const auto message = hl7v2::Message::parse(bytes);
    bool comma = false;
    for (const hl7v2::Path& path : order_.keys) {
      if (std::exchange(comma, true)) line += ',';
      append_json_text(line, path.text());
      line += ':';
      append_json_text(line, message ? message->get(path).value_or("") : "");
    }
  }

  void stop() {
    stopping_ = true;
    listener_->close();
    for (auto& stream : streams_) stream->close();
    signals_.cancel();
    if (serving_ == 0) return;
    // A handshake or a delayed answer may still be under way; neither is worth waiting for.
    grace_.expires_after(std::chrono::seconds(1));
    grace_.async_wait([this](const boost::system::error_code& failure) {
      if (!failure) io_.stop();
    });
  }

  // After this turn of the loop, so that the last answers are on their way.
  void stop_soon() {
    asio::post(io_, [this] {
      if (!stopping_) stop();
    });
  }

  const ListenOrder& order_;
  JsonLines& log_;
  asio::io_context io_{1};
  Ports ports_;
  asio::signal_set signals_;
  asio::steady_timer grace_;
  std::shared_ptr<TlsContext> tls_;
  std::unique_ptr<Listener> listener_;
  Streams streams_;
  std::unordered_set<std::size_t> seen_;  // hashes of control ids
  ListenResult result_;
  std::size_t serving_ = 0;
  bool stopping_ = false;
  bool save_failed_ = false;
  Clock::time_point first_, last_;
};

}  // namespace

Result<ListenResult> listen_for_messages(const ListenOrder& order, JsonLines& log) {
  return Listening(order, log).run();
}

}  // namespace cannula::cli
