#include "channels/mllp/sender.h"

#include <array>
#include <unordered_set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/mllp/expected_answer.h"
#include "channels/mllp/framing/deframer.h"
#include "channels/transport/network.h"
#include "channels/transport/tls.h"

namespace cannula::mllp {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kReadSize = 4 * 1024;

struct SenderSettings {
  Endpoint address;
  std::size_t connections = 0;
  milliseconds timeout{};
  milliseconds connect_timeout{};
  std::size_t max_response = 0;
  std::vector<std::string> retry_on;
  std::shared_ptr<TlsContext> tls;  // null: plain
};

// A connection to the receiver, with what was read of its answers so far.
struct Link {
  std::unique_ptr<Stream> stream;
  Deframer deframer;
  std::array<char, kReadSize> buffer{};
};

// A connection being opened. It outlives a sender that is stopped meanwhile.
struct Opening {
  asio::steady_timer done;
  Result<std::unique_ptr<Stream>> stream;
};

asio::awaitable<void> open(std::shared_ptr<Opening> opening, SenderSettings settings) {
  opening->stream = co_await connect(opening->done.get_executor(), settings.address, settings.tls,
                                     settings.connect_timeout);
  opening->done.cancel();
}

Error stopped_error() {
  return {"M206", "the destination was stopped during the delivery", "", std::nullopt};
}

Answer retry(Error reason) {
  Answer answer;
  answer.kind = Answer::Kind::retry;
  answer.reason = std::move(reason);
  return answer;
}

class MllpSender final : public Sender {
 public:
  MllpSender(SenderSettings settings, Ports ports)
      : settings_(std::move(settings)),
        ports_(std::move(ports)),
        last_one_done_(ports_.executor, steady_clock::time_point::max()) {}

  asio::awaitable<Answer> deliver(const Parcel& parcel) override {
    ++under_way_;
    Answer answer = co_await attempt(parcel);
    if (--under_way_ == 0 && stopping_) last_one_done_.cancel();
    co_return answer;
  }

  std::size_t concurrency() const override { return settings_.connections; }

  asio::awaitable<void> stop() override {
    stopping_ = true;
    idle_.clear();
    for (Link* link : busy_) link->stream->close();
    for (Opening* opening : openings_) opening->done.cancel();
    if (under_way_ == 0) co_return;
    co_await last_one_done_.async_wait(asio::as_tuple(asio::use_awaitable));
  }

 private:
  asio::awaitable<Answer> attempt(const Parcel& parcel);
  asio::awaitable<Result<std::unique_ptr<Link>>> take_link();
  asio::awaitable<Result<void>> write(Link& link, std::string_view payload);
  asio::awaitable<Answer> read_answer(Link& link, ExpectedAnswer& expected);

  SenderSettings settings_;
  Ports ports_;
  std::vector<std::unique_ptr<Link>> idle_;  // the one used last at the end
  std::unordered_set<Link*> busy_;
  std::unordered_set<Opening*> openings_;
  std::size_t under_way_ = 0;
  bool stopping_ = false;
  asio::steady_timer last_one_done_;
};

asio::awaitable<Answer> MllpSender::attempt(const Parcel& parcel) {
  if (stopping_) co_return retry(stopped_error());
  const std::string_view payload = *parcel.payload;
  if (payload.find(kEndBlock) != std::string_view::npos) {
    Answer answer = retry({"M204", "the payload holds the byte 0x1C, which ends an MLLP frame",
                           "remove it, or write it as the escape sequence \\X1C\\", std::nullopt});
    answer.kind = Answer::Kind::refused;
    co_return answer;
  }

  auto taken = co_await take_link();
  if (!taken) co_return retry(taken.error());
  std::unique_ptr<Link> link = *std::move(taken);
  busy_.insert(link.get());
  ExpectedAnswer expected(payload, settings_.retry_on);
  Answer answer;
  if (auto written = co_await write(*link, payload); !written) {
    answer = retry(written.error());
  } else if (expected.comes()) {
    answer = co_await read_answer(*link, expected);
  } else {
    answer.kind = Answer::Kind::delivered;
  }
  busy_.erase(link.get());

  if (stopping_ && !answer.response && answer.kind == Answer::Kind::retry) {
    answer.reason = stopped_error();
  }
  // Without an answer it is unknown what the other side will still say on this connection.
  const bool reusable = answer.response || answer.kind == Answer::Kind::delivered;
  if (reusable && !stopping_) idle_.push_back(std::move(link));
  co_return answer;
}

asio::awaitable<Result<std::unique_ptr<Link>>> MllpSender::take_link() {
  while (!idle_.empty()) {
    std::unique_ptr<Link> link = std::move(idle_.back());
    idle_.pop_back();
    if (link->stream->alive()) co_return std::move(link);
    ports_.report.count("connections_stale_total");
  }
  // Waited for here, and not called directly, so that stop() need not wait for a machine that does
  // not answer.
  auto opening = std::make_shared<Opening>(
      asio::steady_timer(ports_.executor, steady_clock::time_point::max()),
      Result<std::unique_ptr<Stream>>(stopped_error()));
  asio::co_spawn(ports_.executor, open(opening, settings_), asio::detached);
  openings_.insert(opening.get());
  co_await opening->done.async_wait(asio::as_tuple(asio::use_awaitable));
  openings_.erase(opening.get());
  if (stopping_) co_return stopped_error();
  if (!opening->stream) {
    ports_.report.count("connections_failed_total");
    co_return opening->stream.error();
  }
  ports_.report.count("connections_total");
  Link link{*std::move(opening->stream), Deframer(settings_.max_response), {}};
  co_return std::make_unique<Link>(std::move(link));
}

asio::awaitable<Result<void>> MllpSender::write(Link& link, std::string_view payload) {
  const std::array<asio::const_buffer, 3> pieces{asio::buffer(&kStartBlock, 1),
                                                 asio::buffer(payload), asio::buffer(kTrailer)};
  auto written = co_await link.stream->write(pieces, settings_.timeout);
  if (written)
    ports_.report.count("bytes_sent_total", static_cast<std::int64_t>(payload.size() + 3));
  co_return written;
}

asio::awaitable<Answer> MllpSender::read_answer(Link& link, ExpectedAnswer& expected) {
  const auto deadline = steady_clock::now() + settings_.timeout;
  std::vector<Frame> frames;
  std::optional<Answer> answer;
  while (true) {
    // All frames of a read are looked at: one behind the answer would else be taken for the next
    // answer.
    for (Frame& frame : frames) {
      if (!answer && expected.matches(frame.content)) {
        answer = expected.judge(make_bytes(std::move(frame.content)));
      }
    }
    if (answer) break;
    frames.clear();

    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) co_return retry(expected.missing(duration_text(settings_.timeout)));
    const auto count = co_await link.stream->read_some(asio::buffer(link.buffer), left);
    if (!count && count.error().code == "T104") {
      co_return retry(expected.missing(duration_text(settings_.timeout)));
    }
    if (!count) co_return retry(count.error());
    if (*count == 0) {
      co_return retry({"T105",
                       settings_.address.text() + " closed the connection without an answer",
                       "the message will be sent again", std::nullopt});
    }
    link.deframer.feed({link.buffer.data(), *count}, frames);
    if (link.deframer.awaits_trailer()) link.deframer.settle(frames);
  }
  if (expected.skipped() > 0) {
    ports_.report.count("acknowledgements_unmatched_total",
                        static_cast<std::int64_t>(expected.skipped()));
  }
  co_return *std::move(answer);
}

}  // namespace

std::span<const Option> sender_options() {
  static const Option kOptions[] = {
      {.name = "address",
       .type = OptionType::endpoint,
       .description = "The host and port of the receiver.",
       .required = true},
      {.name = "connections",
       .type = OptionType::integer,
       .description =
           "How many connections are open at most, and so how many messages are under way "
           "at once; never two of one order key.",
       .default_value = "8",
       .minimum = 1,
       .maximum = 1024},
      {.name = "timeout",
       .type = OptionType::duration,
       .description = "How long the acknowledgement of a message may take before it is sent again.",
       .default_value = "30s"},
      {.name = "connect_timeout",
       .type = OptionType::duration,
       .description =
           "How long connecting may take, with looking up the host and the TLS handshake.",
       .default_value = "10s"},
      {.name = "max_response",
       .type = OptionType::size,
       .description = "The largest acknowledgement that is kept whole; of a larger one only the "
                      "beginning is read.",
       .default_value = "1MB"},
      {.name = "retry_on",
       .type = OptionType::texts,
       .description =
           "Negative answers of this receiver that mean a passing trouble, by the code of "
           "MSA-1 (\"AE\", \"AR\", \"CE\", \"CR\") or of ERR-3 (\"206\", \"207\"): the "
           "message is sent again. By default every negative answer is final."},
      tls_client_option(),
  };
  return kOptions;
}

Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports) {
  SenderSettings settings;
  settings.address = values.endpoint("address");
  settings.connections = static_cast<std::size_t>(values.integer("connections"));
  settings.timeout = std::max(values.duration("timeout"), milliseconds(1));
  settings.connect_timeout = std::max(values.duration("connect_timeout"), milliseconds(1));
  settings.max_response = static_cast<std::size_t>(values.integer("max_response"));
  if (values.has("retry_on")) settings.retry_on = values.texts("retry_on");
  settings.tls = TRY(make_client_tls(values.table("tls"), ports));
  return std::make_unique<MllpSender>(std::move(settings), std::move(ports));
}

}  // namespace cannula::mllp
