#include "channels/mllp/links.h"

#include <unordered_set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/transport/network.h"

namespace cannula::mllp {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Level = Report::Level;

namespace {

constexpr milliseconds kListenAgain{1000};

// The last one used that is still alive; those that died meanwhile are thrown away.
std::unique_ptr<Link> take_idle(std::vector<std::unique_ptr<Link>>& idle, const Ports& ports) {
  while (!idle.empty()) {
    std::unique_ptr<Link> link = std::move(idle.back());
    idle.pop_back();
    if (link->stream->alive()) return link;
    ports.report.count("connections_stale_total");
  }
  return nullptr;
}

// A connection being opened. It outlives links that are stopped meanwhile.
struct Opening {
  asio::steady_timer done;
  Result<std::unique_ptr<Stream>> stream;
};

asio::awaitable<void> open(std::shared_ptr<Opening> opening, LinkSettings settings) {
  opening->stream = co_await connect(opening->done.get_executor(), settings.endpoint, settings.tls,
                                     settings.connect_timeout);
  opening->done.cancel();
}

class ConnectingLinks final : public Links {
 public:
  ConnectingLinks(LinkSettings settings, Ports ports)
      : settings_(std::move(settings)), ports_(std::move(ports)) {}

  void start(std::function<void()>) override {}

  asio::awaitable<Result<std::unique_ptr<Link>>> take() override {
    if (auto link = take_idle(idle_, ports_)) co_return std::move(link);
    // Waited for here, and not called directly, so that stop() need not wait for a machine that
    // does not answer.
    auto opening = std::make_shared<Opening>(
        Opening{asio::steady_timer(ports_.executor, steady_clock::time_point::max()),
                Result<std::unique_ptr<Stream>>(stopped_error())});
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
    co_return std::make_unique<Link>(*std::move(opening->stream), settings_.max_response);
  }

  void give_back(std::unique_ptr<Link> link) override {
    if (!stopping_) idle_.push_back(std::move(link));
  }
  void drop(std::unique_ptr<Link> link) override { link.reset(); }

  void stop() override {
    stopping_ = true;
    idle_.clear();
    for (Opening* opening : openings_) opening->done.cancel();
  }

 private:
  LinkSettings settings_;
  Ports ports_;
  std::vector<std::unique_ptr<Link>> idle_;  // the one used last at the end
  std::unordered_set<Opening*> openings_;
  bool stopping_ = false;
};

// What the coroutines that accept share with the links, and keep alive.
struct Waiting {
  Waiting(LinkSettings given, Ports to)
      : settings(std::move(given)), ports(std::move(to)), again(ports.executor) {}

  LinkSettings settings;
  Ports ports;
  std::vector<std::unique_ptr<Link>> idle;
  std::size_t open = 0;  // links idle, in use, and shaking hands
  std::shared_ptr<Listener> listener;
  asio::steady_timer again;                          // to listen, where that failed
  std::unordered_set<asio::steady_timer*> takers{};  // cancelled when someone has connected
  std::function<void()> reachable;
  bool stopping = false;
  bool refused = false;  // has been said

  bool allowed(const std::string& address) const {
    const auto bytes = parse_address(address);
    return settings.from.empty() ||
           (bytes &&
            std::any_of(settings.from.begin(), settings.from.end(),
                        [&](const AddressBlock& block) { return block.contains(*bytes); }));
  }

  void forget_the_dead() {
    const auto dead = std::remove_if(idle.begin(), idle.end(),
                                     [](const auto& link) { return !link->stream->alive(); });
    open -= static_cast<std::size_t>(idle.end() - dead);
    idle.erase(dead, idle.end());
  }

  void refuse(const std::string& address, const std::string& reason) {
    ports.report.count("connections_refused_total");
    if (std::exchange(refused, true)) return;
    ports.report.log(Level::warning,
                     "a connection from " + address + " was refused: " + reason + " [M210]");
  }
};

asio::awaitable<void> welcome(std::shared_ptr<Waiting> waiting, asio::ip::tcp::socket socket) {
  auto stream = co_await accept_stream(std::move(socket), waiting->settings.tls,
                                       waiting->settings.connect_timeout);
  if (waiting->stopping) co_return;
  if (!stream) {
    --waiting->open;
    waiting->ports.report.count("connections_failed_total");
    waiting->ports.report.log(Level::warning, stream.error().text());
    co_return;
  }
  waiting->ports.report.count("connections_total");
  waiting->idle.push_back(
      std::make_unique<Link>(*std::move(stream), waiting->settings.max_response));
  for (asio::steady_timer* taker : waiting->takers) taker->cancel();
  if (waiting->reachable) waiting->reachable();
}

asio::awaitable<void> accept_all(std::shared_ptr<Waiting> waiting) {
  bool reported = false;
  while (!waiting->stopping && !waiting->listener) {
    auto listener =
        Listener::open(waiting->ports.executor, waiting->settings.endpoint, waiting->ports.report);
    if (listener) {
      waiting->listener = *std::move(listener);
      waiting->ports.report.log(
          Level::info, "waits for its receiver to connect to " + waiting->listener->address());
      break;
    }
    if (!std::exchange(reported, true)) {
      waiting->ports.report.log(Level::error, listener.error().text());
    }
    waiting->again.expires_after(kListenAgain);
    co_await waiting->again.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  const std::shared_ptr<Listener> listener = waiting->listener;
  if (!listener) co_return;
  while (auto socket = co_await listener->accept()) {
    if (waiting->stopping) break;
    const std::string address = address_of(*socket);
    waiting->forget_the_dead();
    if (!waiting->allowed(address)) {
      waiting->refuse(address, "`from` of this destination does not name it");
    } else if (waiting->open >= waiting->settings.connections) {
      waiting->refuse(address, "there are " + std::to_string(waiting->open) +
                                   " connections already (raise `connections`)");
    } else {
      ++waiting->open;
      asio::co_spawn(waiting->ports.executor, welcome(waiting, *std::move(socket)), asio::detached);
    }
  }
}

class ListeningLinks final : public Links {
 public:
  ListeningLinks(LinkSettings settings, Ports ports)
      : waiting_(std::make_shared<Waiting>(std::move(settings), std::move(ports))) {}
  ~ListeningLinks() override { ListeningLinks::stop(); }

  void start(std::function<void()> reachable) override {
    waiting_->reachable = std::move(reachable);
    asio::co_spawn(waiting_->ports.executor, accept_all(waiting_), asio::detached);
  }

  asio::awaitable<Result<std::unique_ptr<Link>>> take() override {
    const auto deadline = steady_clock::now() + waiting_->settings.timeout;
    while (true) {
      waiting_->forget_the_dead();
      if (auto link = take_idle(waiting_->idle, waiting_->ports)) co_return std::move(link);
      if (steady_clock::now() >= deadline) {
        co_return Error{"M208", "no receiver is connected to " + waiting_->settings.endpoint.text(),
                        "this destination waits for its receiver to connect; see whether it is "
                        "running and may reach this address",
                        std::nullopt};
      }
      asio::steady_timer timer(waiting_->ports.executor, deadline);
      waiting_->takers.insert(&timer);
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
      waiting_->takers.erase(&timer);
      if (waiting_->stopping) co_return stopped_error();
    }
  }

  void give_back(std::unique_ptr<Link> link) override {
    if (waiting_->stopping) return;
    waiting_->idle.push_back(std::move(link));
    for (asio::steady_timer* taker : waiting_->takers) taker->cancel();
  }
  void drop(std::unique_ptr<Link> link) override {
    link.reset();
    if (waiting_->open > 0) --waiting_->open;
  }

  void stop() override {
    waiting_->stopping = true;
    waiting_->reachable = nullptr;
    waiting_->idle.clear();
    waiting_->again.cancel();
    if (waiting_->listener) waiting_->listener->close();
    for (asio::steady_timer* taker : waiting_->takers) taker->cancel();
  }

 private:
  std::shared_ptr<Waiting> waiting_;
};

}  // namespace

Error stopped_error() {
  return {"M206", "the destination was stopped during the delivery", "", std::nullopt};
}

std::unique_ptr<Links> connecting_links(LinkSettings settings, Ports ports) {
  return std::make_unique<ConnectingLinks>(std::move(settings), std::move(ports));
}

std::unique_ptr<Links> listening_links(LinkSettings settings, Ports ports) {
  return std::make_unique<ListeningLinks>(std::move(settings), std::move(ports));
}

}  // namespace cannula::mllp
