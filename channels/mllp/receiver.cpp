#include "channels/mllp/receiver.h"

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

// Keeps the listener alive while an accept is under way.
asio::awaitable<void> accept_all(std::shared_ptr<Service> service,
                                 std::shared_ptr<Listener> listener) {
  bool full = false;
  while (auto socket = co_await listener->accept()) {
    if (service->stopping) break;
    if (service->connections.size() >= service->settings.max_connections) {
      service->ports.report.count("connections_refused_total");
      if (!std::exchange(full, true)) {
        service->ports.report.log(
            Level::warning, "a connection from " + address_of(*socket) +
                                " was refused: there are " +
                                std::to_string(service->connections.size()) +
                                " already (raise max_connections, or set idle_timeout) [M106]");
      }
      continue;
    }
    full = false;
    asio::co_spawn(service->ports.executor, Connection::serve(service, *std::move(socket)),
                   ending_of(service));
  }
}

class MllpReceiver final : public Receiver {
 public:
  MllpReceiver(ReceiverSettings settings, Ports ports, Intake& intake)
      : service_(std::make_shared<Service>(std::move(settings), ports, intake,
                                           asio::steady_timer(ports.executor))) {}

  ~MllpReceiver() override { end(); }

  Result<void> start() override {
    listener_ = TRY(Listener::open(service_->ports.executor, service_->settings.listen,
                                   service_->ports.report));
    asio::co_spawn(service_->ports.executor, accept_all(service_, listener_), ending_of(service_));
    return {};
  }

  asio::awaitable<void> stop(milliseconds grace) override {
    service_->stopping = true;
    if (listener_) listener_->close();
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
       .description = "The address and port to listen on.",
       .required = true},
      {.name = "max_size",
       .type = OptionType::size,
       .description =
           "The largest message that is taken; a larger one is answered with an error and "
           "its beginning kept as rejected.",
       .default_value = "64MB"},
      {.name = "max_connections",
       .type = OptionType::integer,
       .description = "How many connections may be open at once; more are closed as they come.",
       .default_value = "4096",
       .minimum = 1,
       .maximum = 1'000'000},
      {.name = "frame_timeout",
       .type = OptionType::duration,
       .description =
           "How long a sender may pause within a message before the connection is closed.",
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
      tls_server_option(),
  };
  return kOptions;
}

Result<std::unique_ptr<Receiver>> make_receiver(const Values& values, Ports ports, Intake& intake) {
  ReceiverSettings settings;
  settings.listen = values.endpoint("listen");
  settings.max_size = static_cast<std::size_t>(values.integer("max_size"));
  settings.max_connections = static_cast<std::size_t>(values.integer("max_connections"));
  settings.frame_timeout = values.duration("frame_timeout");
  settings.idle_timeout = values.duration("idle_timeout");
  settings.write_timeout = values.duration("write_timeout");
  settings.handshake_timeout = values.duration("handshake_timeout");
  settings.tls = TRY(make_server_tls(values.table("tls"), ports));
  return std::make_unique<MllpReceiver>(std::move(settings), std::move(ports), intake);
}

}  // namespace cannula::mllp
