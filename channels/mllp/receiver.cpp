#include "channels/mllp/receiver.h"

#include <random>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/mllp/connection.h"
#include "channels/transport/network.h"
#include "channels/transport/tls.h"

namespace cannula::mllp {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Level = Report::Level;

namespace {

// Nothing throws on purpose; what does, as when there is no memory, costs one connection.
auto ending_of(const std::shared_ptr<Service>& service) {
  return [service](const std::exception_ptr& failure) {
    if (!failure || service->gone) return;
    std::string what = "unknown";
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
      what = exception.what();
    } catch (...) {
    }
    service->ports.report.log(Level::error, "a connection failed: " + what + " [M107]");
  };
}

// Why a place had to be made, or could not be.
Error too_many(const Places::Verdict& verdict) {
  const bool of_one = verdict.of_one_address;
  return {of_one ? "M108" : "M106",
          "there are " + std::to_string(verdict.taken) + (of_one ? " from there" : "") +
              " already, and " +
              (verdict.room == Places::Room::made ? "those that have been idle longest are closed"
                                                  : "all are at work, so it is refused"),
          std::string("raise ") + (of_one ? "max_connections_per_address" : "max_connections") +
              ", or set idle_timeout",
          std::nullopt};
}

// Keeps the listener alive while an accept is under way.
asio::awaitable<void> accept_all(std::shared_ptr<Service> service,
                                 std::shared_ptr<Listener> listener) {
  const auto admits = service->intake.address_filter();
  bool full = false;
  while (auto socket = co_await listener->accept()) {
    if (service->stopping) break;
    const std::string address = address_of(*socket);
    if (admits && !admits(address)) {
      static_cast<void>(service->intake.admit(Peer{address, {}, false}));  // which counts it
      continue;
    }
    const Places::Verdict verdict = service->places.make_room(address, service->settings.places);
    const bool was_full = std::exchange(full, verdict.room != Places::Room::free);
    if (full && !was_full) {
      service->ports.report.log(
          Level::warning, "a connection came from " + address + ": " + too_many(verdict).text());
    }
    if (verdict.room == Places::Room::made) {
      service->ports.report.turned_away("connections_evicted_total", address, too_many(verdict));
    } else if (verdict.room == Places::Room::none) {
      service->ports.report.turned_away("connections_refused_total", address, too_many(verdict));
      continue;
    }
    asio::co_spawn(service->ports.executor, Connection::serve(service, *std::move(socket), address),
                   ending_of(service));
  }
}

// Between two tries to connect: doubled up to the longest, and a random part less, so that many
// engines do not come back at once.
class Pause {
 public:
  explicit Pause(milliseconds longest) : longest_(longest) {}
  milliseconds next() {
    const milliseconds whole = std::min(next_, longest_);
    next_ = whole * 2;
    return whole - whole * static_cast<int>(random_() % 256) / 1024;
  }
  void reset() { next_ = kFirst; }

 private:
  static constexpr milliseconds kFirst{500};
  milliseconds longest_;
  milliseconds next_ = kFirst;
  std::minstd_rand random_{std::random_device{}()};
};

// Client mode: the messages come by a connection that this side opens, and opens again.
asio::awaitable<void> keep_connected(std::shared_ptr<Service> service) {
  const Endpoint target = *service->settings.connect;
  Pause pause(service->settings.reconnect_max);
  bool reported = false;
  while (!service->stopping) {
    auto stream = co_await connect(service->ports.executor, target, service->settings.tls,
                                   service->settings.connect_timeout);
    if (service->stopping) break;
    if (stream) {
      service->ports.report.reached();
      service->ports.report.log(Level::info, "connected to " + target.text());
      reported = false;
      if (co_await Connection::serve_opened(service, *std::move(stream))) pause.reset();
    } else {
      service->ports.report.not_reached(stream.error());
      service->ports.report.count("connections_failed_total");
      const auto level = std::exchange(reported, true) ? Level::debug : Level::warning;
      service->ports.report.log(level, stream.error().text() + "; tried again until it works");
    }
    if (service->stopping) break;
    service->reconnect.expires_after(pause.next());
    co_await service->reconnect.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

class MllpReceiver final : public Receiver {
 public:
  MllpReceiver(ReceiverSettings settings, Ports ports, Intake& intake)
      : service_(std::make_shared<Service>(Service{std::move(settings), ports, intake,
                                                   asio::steady_timer(ports.executor),
                                                   asio::steady_timer(ports.executor)})) {}

  ~MllpReceiver() override { end(); }

  Result<void> start() override {
    if (service_->settings.connect) {
      asio::co_spawn(service_->ports.executor, keep_connected(service_), ending_of(service_));
      return {};
    }
    listener_ = TRY(Listener::open(service_->ports.executor, *service_->settings.listen,
                                   service_->ports.report));
    asio::co_spawn(service_->ports.executor, accept_all(service_, listener_), ending_of(service_));
    return {};
  }

  asio::awaitable<void> stop(milliseconds grace) override {
    service_->stopping = true;
    if (listener_) listener_->close();
    service_->reconnect.cancel();
    for (Connection* connection : service_->connections) connection->stop(false);
    if (!service_->connections.empty()) {
      service_->last_one_gone.expires_after(grace);
      co_await service_->last_one_gone.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    end();
  }

  std::string address() const override { return listener_ ? listener_->address() : std::string(); }

 private:
  void end() {
    service_->stopping = true;
    service_->gone = true;
    if (listener_) listener_->close();
    service_->reconnect.cancel();
    for (Connection* connection : service_->connections) connection->stop(true);
  }

  std::shared_ptr<Service> service_;
  std::shared_ptr<Listener> listener_;
};

}  // namespace

std::span<const Option> receiver_options() {
  static const Option kOptions[] = {
      {.name = "listen",
       .type = OptionType::endpoint,
       .description = "The address and port to listen on; this or `connect`."},
      {.name = "connect",
       .type = OptionType::endpoint,
       .description =
           "Client mode: the host and port to connect to, for a sender that waits for its "
           "receiver to come. A connection that ends is opened again, after pauses that "
           "grow up to `reconnect_max`."},
      {.name = "max_size",
       .type = OptionType::size,
       .description =
           "The largest message that is taken; a larger one is answered with an error and "
           "its beginning kept as rejected.",
       .default_value = "64MB"},
      {.name = "max_memory",
       .type = OptionType::size,
       .description =
           "How much all messages that are being received may hold together; beyond it the one "
           "that "
           "was begun first and has not ended is cut off, unless it has come to less than 64 KB.",
       .default_value = "512MB"},
      {.name = "max_connections",
       .type = OptionType::integer,
       .description = "How many connections may be open at once; when more come, those that have "
                      "been idle longest are closed, and where all are at work the new ones.",
       .default_value = "4096",
       .minimum = 1,
       .maximum = 1'000'000},
      {.name = "max_connections_per_address",
       .type = OptionType::integer,
       .description = "How many of them may come from one address, with the same consequence; 0 "
                      "sets no limit of its own.",
       .default_value = "1024",
       .maximum = 1'000'000},
      {.name = "mllp_release",
       .type = OptionType::integer,
       .description = "2 answers each frame with a commit acknowledgement block (ACK, or NAK when "
                      "it could not be stored) before the HL7 acknowledgement, as release 2 of "
                      "MLLP wants it.",
       .default_value = "1",
       .minimum = 1,
       .maximum = 2},
      {.name = "batch_ack",
       .type = OptionType::text,
       .description =
           "How a batch (FHS, BHS) is answered, whose messages are each taken on their "
           "own: \"all\" with a batch that acknowledges each message, \"errors\" with one "
           "of those alone that were not accepted, \"each\" with a frame for each message, "
           "for senders that read no batches, \"none\" not at all.",
       .default_value = "all",
       .choices = {"all", "errors", "each", "none"}},
      {.name = "duplicates",
       .type = OptionType::duration,
       .description =
           "How long a message is remembered: the same one again, byte for byte, is "
           "acknowledged as the first was and not worked twice, also after a restart. 0s "
           "works each that comes; with it, a sender's people can have results sent again "
           "on purpose.",
       .default_value = "0s"},
      {.name = "sequence",
       .type = OptionType::boolean,
       .description =
           "Follows the sequence number protocol of HL7 v2 (2.9.1): a sender (MSH-3, MSH-4) that "
           "counts its messages in MSH-13 is told in MSA-4 which number is expected, what comes "
           "twice is not worked again, and what is out of order is answered AE or CE and kept as "
           "rejected. The number reached is on disk with its message. Messages without MSH-13 are "
           "taken as ever; without this key MSH-13 means nothing.",
       .default_value = "false"},
      {.name = "application_ack",
       .type = OptionType::text,
       .description = "The destination of this channel by which application acknowledgements are "
                      "sent to senders that ask for them in MSH-16, once their message has been "
                      "processed. Without it there is one acknowledgement, on the connection the "
                      "message came by."},
      {.name = "frame_timeout",
       .type = OptionType::duration,
       .description =
           "How long a sender may pause within a message before the connection is closed; in each "
           "such time that a message lasts at least 128 bytes a second must come too.",
       .default_value = "30s"},
      {.name = "idle_timeout",
       .type = OptionType::duration,
       .description =
           "How long a connection may be silent between messages before it is closed; 0s "
           "means for ever, as dead connections are found by TCP keep-alive.",
       .default_value = "0s"},
      {.name = "write_timeout",
       .type = OptionType::duration,
       .description =
           "How long a sender may leave its acknowledgements unread before the connection "
           "is closed.",
       .default_value = "30s"},
      {.name = "handshake_timeout",
       .type = OptionType::duration,
       .description = "How long a TLS handshake may take.",
       .default_value = "10s"},
      {.name = "connect_timeout",
       .type = OptionType::duration,
       .description = "Client mode: how long connecting may take, with the TLS handshake.",
       .default_value = "10s"},
      {.name = "reconnect_max",
       .type = OptionType::duration,
       .description = "Client mode: the longest pause between two tries to connect.",
       .default_value = "30s"},
      tls_server_option(),
      {.name = "connect_tls",
       .type = OptionType::table,
       .description = "Client mode: connect with TLS, verifying the other side's certificate and "
                      "name; an empty table will do.",
       .members = tls_client_options()},
  };
  return kOptions;
}

Result<void> check_source(const Values& values) {
  if (values.has("listen") == values.has("connect")) {
    return Error{"M109",
                 values.has("listen")
                     ? "`listen` and `connect` are both given, and a source does one of them"
                     : "the source neither listens nor connects",
                 "write `listen = \"127.0.0.1:2575\"`, or `connect = \"host:port\"` where the "
                 "sender waits for its receiver to come",
                 std::nullopt};
  }
  const std::string_view other = values.has("listen") ? "connect_tls" : "tls";
  if (values.table(other) == nullptr) return {};
  return Error{"M109", "`" + std::string(other) + "` does not belong to this source",
               "`tls` is for `listen`, `connect_tls` for `connect`", std::nullopt};
}

Result<std::unique_ptr<Receiver>> make_receiver(const Values& values, Ports ports, Intake& intake) {
  TRY(check_source(values));
  ReceiverSettings settings;
  if (values.has("listen")) settings.listen = values.endpoint("listen");
  if (values.has("connect")) settings.connect = values.endpoint("connect");
  settings.max_size = static_cast<std::size_t>(values.integer("max_size"));
  settings.max_memory =
      std::max(static_cast<std::size_t>(values.integer("max_memory")), settings.max_size);
  settings.places.all = static_cast<std::size_t>(values.integer("max_connections"));
  settings.places.of_one_address =
      static_cast<std::size_t>(values.integer("max_connections_per_address"));
  settings.answers.commits = values.integer("mllp_release") == 2;
  const std::string& batch_ack = values.text("batch_ack");
  settings.answers.batch = batch_ack == "all"      ? AnswerRules::BatchAnswer::all
                           : batch_ack == "errors" ? AnswerRules::BatchAnswer::errors
                           : batch_ack == "each"   ? AnswerRules::BatchAnswer::each
                                                   : AnswerRules::BatchAnswer::none;
  settings.answers.application_ack_later = values.has("application_ack");
  settings.frame_timeout = values.duration("frame_timeout");
  settings.idle_timeout = values.duration("idle_timeout");
  settings.write_timeout = values.duration("write_timeout");
  settings.handshake_timeout = values.duration("handshake_timeout");
  settings.connect_timeout = std::max(values.duration("connect_timeout"), milliseconds(1));
  settings.reconnect_max = std::max(values.duration("reconnect_max"), milliseconds(1));
  settings.tls = settings.connect ? TRY(make_client_tls(values.table("connect_tls"), ports))
                                  : TRY(make_server_tls(values.table("tls"), ports));
  return std::make_unique<MllpReceiver>(std::move(settings), std::move(ports), intake);
}

}  // namespace cannula::mllp
