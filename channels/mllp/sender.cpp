#include "channels/mllp/sender.h"

#include <array>
#include <unordered_set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/mllp/expected_answer.h"
#include "channels/mllp/framing/commit_block.h"
#include "channels/mllp/framing/deframer.h"
#include "channels/mllp/links.h"
#include "channels/mllp/numbered.h"
#include "channels/mllp/outgoing_sequence.h"
#include "channels/transport/remembering_sender.h"
#include "parsers/hl7v2/batch.h"

namespace cannula::mllp {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

struct SenderSettings {
  LinkSettings links;
  bool listens = false;
  bool commits = false;  // MLLP release 2
  bool wait_for_application = false;
  milliseconds timeout{};
  milliseconds application_timeout{};
  std::vector<std::string> retry_on;
  std::optional<OutgoingSequence::Start>
      sequence;  // what the links begin with; nothing: no numbers
};

Answer retry(Error reason) {
  Answer answer;
  answer.kind = Answer::Kind::retry;
  answer.reason = std::move(reason);
  return answer;
}

Answer refused(Error reason) {
  Answer answer = retry(std::move(reason));
  answer.kind = Answer::Kind::refused;
  return answer;
}

Remembered ended(Answer answer) {
  Remembered ended;
  ended.answer = std::move(answer);
  return ended;
}

// Why the payload would not come out of a frame as the one that it is. What begins with an envelope
// says openly that it holds several messages.
std::optional<Error> not_framed(std::string_view payload) {
  if (payload.find(kEndBlock) != std::string_view::npos) {
    return Error{"M204", "the payload holds the byte 0x1C, which ends an MLLP frame",
                 "remove it, or write it as the escape sequence \\X1C\\"};
  }
  const bool envelope = payload.starts_with("BHS") || payload.starts_with("FHS");
  const auto second = hl7v2::second_header(payload);
  if (!second) return std::nullopt;
  if (!envelope) {
    return Error{"M204",
                 "line " + std::to_string(second->line) +
                     " of the payload begins another message or envelope, and the receiver would "
                     "see more than one",
                 "send each on its own, or make a batch of them with hl7.batch", second->name};
  }
  if (payload.find(kStartBlock) == std::string_view::npos) return std::nullopt;
  return Error{"M204", "the batch holds the byte 0x0B, which begins an MLLP frame",
               "remove it, or write it as the escape sequence \\X0B\\"};
}

class MllpSender final : public RememberingSender {
 public:
  MllpSender(SenderSettings settings, Ports ports)
      : settings_(std::move(settings)),
        ports_(std::move(ports)),
        links_(settings_.listens ? listening_links(settings_.links, ports_)
                                 : connecting_links(settings_.links, ports_)),
        last_one_done_(ports_.executor, steady_clock::time_point::max()) {
    if (settings_.sequence) sequence_.emplace(*settings_.sequence);
  }

  void start(std::function<void()> reachable) override { links_->start(std::move(reachable)); }

  asio::awaitable<Answer> deliver(const Parcel& parcel) override {
    ++under_way_;
    Remembered ended = co_await attempt(parcel, nullptr);
    if (--under_way_ == 0 && stopping_) last_one_done_.cancel();
    co_return std::move(ended.answer);
  }

  bool remembers() const override { return sequence_.has_value(); }
  asio::awaitable<Remembered> deliver_remembering(const Parcel& parcel, Memory& memory) override {
    ++under_way_;
    Remembered ended = co_await attempt(parcel, &memory);
    if (--under_way_ == 0 && stopping_) last_one_done_.cancel();
    co_return ended;
  }

  std::size_t concurrency() const override { return settings_.links.connections; }

  asio::awaitable<void> stop() override {
    stopping_ = true;
    links_->stop();
    for (Link* link : busy_) link->stream->close();
    if (under_way_ == 0) co_return;
    co_await last_one_done_.async_wait(asio::as_tuple(asio::use_awaitable));
  }

 private:
  asio::awaitable<Remembered> attempt(const Parcel& parcel, Memory* memory);
  asio::awaitable<Answer> exchange(Link& link, std::string_view payload);
  asio::awaitable<Remembered> exchange_numbered(Link& link, const Parcel& parcel, Memory& memory);
  asio::awaitable<std::optional<Remembered>> open_sequence(Link& link, const Parcel& parcel);
  Remembered stuck(Answer answer, Error reason);
  asio::awaitable<Result<void>> write(Link& link, std::string_view payload);
  asio::awaitable<Answer> read_answer(Link& link, ExpectedAnswer& expected);
  Answer without_answer(Link& link, const ExpectedAnswer& expected, const Error& end,
                        const std::string& waited);
  asio::awaitable<Result<void>> read_some(Link& link, steady_clock::time_point deadline,
                                          std::vector<Frame>& frames);

  SenderSettings settings_;
  Ports ports_;
  std::unique_ptr<Links> links_;
  std::unordered_set<Link*> busy_;
  std::size_t under_way_ = 0;
  bool stopping_ = false;
  asio::steady_timer last_one_done_;
  std::optional<OutgoingSequence> sequence_;  // of the one link, where messages are numbered
};

asio::awaitable<Remembered> MllpSender::attempt(const Parcel& parcel, Memory* memory) {
  if (stopping_) co_return ended(retry(stopped_error()));
  const std::string_view payload = *parcel.payload;
  if (const auto reason = not_framed(payload)) co_return ended(refused(*reason));
  if (memory != nullptr) {
    if (const auto can_be = can_be_numbered(payload); !can_be) {
      co_return ended(refused(can_be.error()));
    }
  }

  auto taken = co_await links_->take();
  if (!taken) co_return ended(retry(taken.error()));
  std::unique_ptr<Link> link = *std::move(taken);
  busy_.insert(link.get());
  Remembered done;
  if (memory != nullptr) {
    done = co_await exchange_numbered(*link, parcel, *memory);
  } else {
    done.answer = co_await exchange(*link, payload);
  }
  busy_.erase(link.get());

  Answer& answer = done.answer;
  if (stopping_ && !answer.response && answer.kind == Answer::Kind::retry) {
    answer.reason = stopped_error();
  }
  // Without an answer it is unknown what the other side will still say on this connection.
  if (answer.response || answer.kind == Answer::Kind::delivered) {
    links_->give_back(std::move(link));
  } else {
    links_->drop(std::move(link));
  }
  co_return done;
}

asio::awaitable<Answer> MllpSender::exchange(Link& link, std::string_view payload) {
  ExpectedAnswer expected(payload, settings_.retry_on, settings_.wait_for_application);
  link.raw.clear();
  link.deframer.take_garbage();
  if (auto written = co_await write(link, payload); !written) co_return retry(written.error());
  Answer answer;
  if (expected.comes() || settings_.commits) {
    answer = co_await read_answer(link, expected);
    if (expected.skipped() > 0) {
      ports_.report.count("acknowledgements_unmatched_total",
                          static_cast<std::int64_t>(expected.skipped()));
    }
    co_return answer;
  }
  answer.kind = Answer::Kind::delivered;
  co_return answer;
}

Remembered MllpSender::stuck(Answer answer, Error reason) {
  ports_.report.count("sequence_disagreements_total");
  ports_.report.log(Report::Level::error, "the link is frozen: " + reason.text());
  answer.kind = Answer::Kind::retry;
  answer.reason = std::move(reason);
  Remembered frozen = ended(std::move(answer));
  frozen.stuck = true;
  return frozen;
}

// Begins the link, or asks where it stands, if that is needed first. How the delivery ended, where
// that is known then.
asio::awaitable<std::optional<Remembered>> MllpSender::open_sequence(Link& link,
                                                                     const Parcel& parcel) {
  const auto number = sequence_->opening(parcel.key);
  if (!number) co_return std::nullopt;
  const std::int64_t now = std::chrono::duration_cast<std::chrono::microseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  const std::string control_id = "S" + parcel.message.text();
  const auto header = hl7v2::Header::peek(*parcel.payload);
  const std::string opening = opening_message(*header, *number, control_id, now);
  Answer answer = co_await exchange(link, opening);
  if (!answer.response) {
    answer.reason.message = "the link could not be begun: " + answer.reason.message;
    co_return ended(std::move(answer));
  }
  ports_.report.count("sequence_starts_total");
  const auto acknowledgement = hl7v2::Acknowledgement::parse(*answer.response);
  if (!acknowledgement) {  // a batch, which says no number
    Answer unclear = retry(acknowledgement.error());
    unclear.received = answer.response;
    co_return ended(std::move(unclear));
  }
  const auto next = sequence_->opened(parcel.key, *acknowledgement);
  if (!next) co_return stuck(std::move(answer), next.error());
  if (*next != OutgoingSequence::Next::delivered) co_return std::nullopt;
  answer.kind = Answer::Kind::delivered;
  Remembered known = ended(std::move(answer));
  known.remember = sequence_->memory();
  co_return known;
}

// HL7 v2 2.9.1: the number is on record before the message leaves, so that it has no other one
// after a crash.
asio::awaitable<Remembered> MllpSender::exchange_numbered(Link& link, const Parcel& parcel,
                                                          Memory& memory) {
  if (!sequence_->recalled()) {
    const auto recalled = co_await memory.recall();
    if (!recalled) co_return ended(retry({"P328", recalled.error().text(), "", std::nullopt}));
    sequence_->recall(*recalled);
  }
  if (auto known = co_await open_sequence(link, parcel)) co_return *std::move(known);

  const OutgoingSequence::Number number = sequence_->number(parcel.key);
  const auto payload = numbered(parcel.payload, number.value);
  if (!payload) co_return ended(refused(payload.error()));
  if (!number.repeated) {
    const auto remembered = co_await memory.remember(sequence_->memory_of(parcel.key));
    if (!remembered) co_return ended(retry(remembered.error()));
    sequence_->give(parcel.key);
  }
  Answer answer = co_await exchange(link, *payload);
  if (!answer.response) co_return ended(std::move(answer));
  const auto acknowledgement = hl7v2::Acknowledgement::parse(*answer.response);
  if (!acknowledgement) co_return ended(std::move(answer));
  const auto next = sequence_->answered(number.repeated, *acknowledgement);
  if (!next) co_return stuck(std::move(answer), next.error());
  if (*next == OutgoingSequence::Next::delivered) answer.kind = Answer::Kind::delivered;
  if (*next == OutgoingSequence::Next::again) {
    answer.kind = Answer::Kind::retry;
    answer.reason = {"M214",
                     "sequence number " + std::to_string(number.value) +
                         " was taken by an earlier delivery after all",
                     "it is sent again with the next number", std::nullopt};
  }
  Remembered done = ended(std::move(answer));
  done.remember = sequence_->memory();
  co_return done;
}

asio::awaitable<Result<void>> MllpSender::write(Link& link, std::string_view payload) {
  const std::array<asio::const_buffer, 3> pieces{asio::buffer(&kStartBlock, 1),
                                                 asio::buffer(payload), asio::buffer(kTrailer)};
  auto written = co_await link.stream->write(pieces, settings_.timeout);
  if (written)
    ports_.report.count("bytes_sent_total", static_cast<std::int64_t>(payload.size() + 3));
  co_return written;
}

// With release 2 of MLLP the commit acknowledgement comes first, and each acknowledgement of HL7 is
// answered with one. A receiver that leaves its own out and acknowledges the message all the same
// has taken it.
asio::awaitable<Answer> MllpSender::read_answer(Link& link, ExpectedAnswer& expected) {
  auto deadline = steady_clock::now() + settings_.timeout;
  std::string waited = duration_text(settings_.timeout);
  std::optional<Answer> answer;
  std::vector<Frame> frames;
  while (true) {
    bool longer = false;
    for (Frame& frame : frames) {
      if (answer || frame.size == 0) continue;
      if (const auto commit = committed(frame.content)) {
        if (!settings_.commits) continue;
        if (!*commit) {
          answer = retry({"M207", "the receiver could not store the message (NAK)",
                          "it is sent again", std::nullopt});
          answer->received = link.raw.take();
        } else if (!expected.comes()) {
          answer.emplace().kind = Answer::Kind::delivered;
        }
        continue;
      }
      if (!expected.matches(frame.content)) continue;
      longer = expected.awaits_application();
      if (!longer) answer = expected.judge(make_bytes(std::move(frame.content)));
      if (!settings_.commits) continue;
      const std::array<asio::const_buffer, 1> commit{asio::buffer(kCommitted)};
      co_await link.stream->write(commit, settings_.timeout);
    }
    if (answer) break;
    if (longer) {
      deadline = steady_clock::now() + settings_.application_timeout;
      waited = duration_text(settings_.application_timeout);
    }
    frames.clear();
    if (auto read = co_await read_some(link, deadline, frames); !read) {
      co_return without_answer(link, expected, read.error(), waited);
    }
  }
  co_return *std::move(answer);
}

// What came all the same is kept with the attempt: it says more than any code.
Answer MllpSender::without_answer(Link& link, const ExpectedAnswer& expected, const Error& end,
                                  const std::string& waited) {
  NoAnswer how;
  if (end.code == "T104") how.waited = waited;
  if (link.deframer.within_frame()) how.unfinished = link.deframer.frame_size();
  how.outside = link.deframer.take_garbage();
  Answer answer = retry(expected.missing(how).value_or(end));
  answer.quoted = expected.quoted();
  answer.received = link.raw.take();
  if (answer.received) ports_.report.count("bad_answers_total");
  return answer;
}

asio::awaitable<Result<void>> MllpSender::read_some(Link& link, steady_clock::time_point deadline,
                                                    std::vector<Frame>& frames) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  if (left.count() <= 0) co_return Error{"T104", "", "", std::nullopt};
  const auto count = co_await link.stream->read_some(asio::buffer(link.buffer), left);
  if (!count) co_return count.error();
  if (*count == 0) {
    co_return Error{
        "T105", settings_.links.endpoint.text() + " closed the connection without an answer",
        "the message will be sent again; one that closes each time may want TLS (a table "
        "tls), or may not let this address in",
        std::nullopt};
  }
  link.raw.add({link.buffer.data(), *count});
  link.deframer.feed({link.buffer.data(), *count}, frames);
  if (link.deframer.awaits_trailer()) link.deframer.settle(frames);
  co_return Result<void>();
}

}  // namespace

std::span<const Option> sender_options() {
  static const Option kOptions[] = {
      {.name = "address",
       .type = OptionType::endpoint,
       .description = "The host and port of the receiver; this or `listen`."},
      {.name = "listen",
       .type = OptionType::endpoint,
       .description =
           "An address and port to listen on, for a receiver that connects to its sender: "
           "messages go to whoever is connected. Needs `from` or `listen_tls` with "
           "`client_ca` where other machines can reach it."},
      {.name = "from",
       .type = OptionType::texts,
       .description =
           "With `listen`: the addresses and blocks a receiver may connect from, such as "
           "`10.1.0.0/16`."},
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
      {.name = "mllp_release",
       .type = OptionType::integer,
       .description = "2 for a receiver that answers with a commit acknowledgement block of MLLP "
                      "release 2 before its HL7 acknowledgement: NAK means try again.",
       .default_value = "1",
       .minimum = 1,
       .maximum = 2},
      {.name = "wait_for",
       .type = OptionType::text,
       .description = "With \"application\", a message that asks for both acknowledgements (MSH-15 "
                      "and MSH-16) is delivered only when the application acknowledgement has come "
                      "on the same connection; with \"first\" the first one decides.",
       .default_value = "first",
       .choices = {"first", "application"}},
      {.name = "application_timeout",
       .type = OptionType::duration,
       .description = "How long that one may take, after the first.",
       .default_value = "5m"},
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
           "message is sent again. By default every negative answer is final. `retry.on` says the "
           "same of codes of MSA-1 and has the last word; codes of ERR-3 are named only here."},
      {.name = "sequence",
       .type = OptionType::text,
       .description =
           "Numbers what is sent (MSH-13) for a receiver that follows the sequence number protocol "
           "of HL7 v2 (2.9.1) and reads the number that it expects (MSA-4): a message that it has "
           "is never worked twice, and one that it lacks is noticed. Deliveries then go one after "
           "another, whatever their order keys. \"restart\" begins with a message numbered 0, "
           "whose answer must fit what was sent before; \"resync\" begins with -1, after which "
           "the receiver takes any number. When the two do not agree, the delivery is held and "
           "everything behind it waits.",
       .default_value = "off",
       .choices = {"off", "restart", "resync"}},
      tls_client_option(),
      {.name = "listen_tls",
       .type = OptionType::table,
       .description = "With `listen`: with TLS only; without this table connections are plain.",
       .members = tls_server_options()},
  };
  return kOptions;
}

Result<void> check_destination(const Values& values) {
  const auto wrong = [](std::string message, std::string hint) {
    return Error{"M209", std::move(message), std::move(hint), std::nullopt};
  };
  const bool listens = values.has("listen");
  if (listens == values.has("address")) {
    return wrong(listens
                     ? "`address` and `listen` are both given, and a destination has one of them"
                     : "the destination has no address",
                 "write `address = \"host:port\"`, or `listen = \"127.0.0.1:2576\"` where the "
                 "receiver connects to its sender");
  }
  for (const std::string_view other : {"tls", "listen_tls"}) {
    if (values.table(other) != nullptr && listens == (other == "tls")) {
      return wrong("`" + std::string(other) + "` does not belong to this destination",
                   "`tls` is for `address`, `listen_tls` for `listen`");
    }
  }
  if (!listens) return {};
  const Values* tls = values.table("listen_tls");
  const bool known = values.has("from") || (tls != nullptr && tls->has("client_ca"));
  if (!known && !is_loopback(values.endpoint("listen").host)) {
    return wrong(
        "anyone who reaches " + values.endpoint("listen").text() + " would be sent these messages",
        "name the receiver's address in `from`, or ask for its certificate with "
        "`listen_tls` and `client_ca`");
  }
  if (!values.has("from")) return {};
  for (const std::string& text : values.texts("from")) {
    if (AddressBlock::parse(text)) continue;
    return wrong("'" + text + "' in `from` is neither an address nor a block",
                 "such as \"10.1.2.3\" or \"10.1.0.0/16\"; names are not looked up");
  }
  return {};
}

Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports) {
  TRY(check_destination(values));
  SenderSettings settings;
  settings.listens = values.has("listen");
  LinkSettings& links = settings.links;
  links.endpoint = values.endpoint(settings.listens ? "listen" : "address");
  links.connections = static_cast<std::size_t>(values.integer("connections"));
  settings.timeout = std::max(values.duration("timeout"), milliseconds(1));
  links.timeout = settings.timeout;
  links.connect_timeout = std::max(values.duration("connect_timeout"), milliseconds(1));
  links.max_response = static_cast<std::size_t>(values.integer("max_response"));
  if (values.has("from")) {
    for (const std::string& text : values.texts("from")) {
      links.from.push_back(*AddressBlock::parse(text));
    }
  }
  links.tls = settings.listens ? TRY(make_server_tls(values.table("listen_tls"), ports))
                               : TRY(make_client_tls(values.table("tls"), ports));
  settings.commits = values.integer("mllp_release") == 2;
  settings.wait_for_application = values.text("wait_for") == "application";
  settings.application_timeout = std::max(values.duration("application_timeout"), milliseconds(1));
  if (values.has("retry_on")) settings.retry_on = values.texts("retry_on");
  if (const std::string& sequence = values.text("sequence"); sequence != "off") {
    settings.sequence =
        sequence == "restart" ? OutgoingSequence::Start::restart : OutgoingSequence::Start::resync;
    links.connections = 1;
  }
  return std::make_unique<MllpSender>(std::move(settings), std::move(ports));
}

}  // namespace cannula::mllp
