#include "channels/http/server.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/http/connection.h"

namespace cannula::http {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Level = Report::Level;

namespace {

constexpr auto kRememberLeft = std::chrono::seconds(30);
constexpr auto kBetweenComplaints = std::chrono::seconds(1);
constexpr milliseconds kLook{2};

Error too_many(const Places::Verdict& verdict) {
  const bool of_one = verdict.of_one_address;
  return {of_one ? "T316" : "T309",
          "there are " + std::to_string(verdict.taken) + " connections" +
              (of_one ? " from there" : "") + " already, and " +
              (verdict.room == Places::Room::made
                   ? "those that wait without a request, or whose body does not come, are closed"
                   : "all are at work, so it is refused"),
          std::string("raise ") + (of_one ? "max_connections_per_address" : "max_connections") +
              ", or lower idle_timeout",
          std::nullopt};
}

std::string what_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "unknown";
  }
}

// Nothing throws on purpose; what does, as when there is no memory, costs one connection.
auto ending_of(const std::shared_ptr<Server>& server) {
  return [server](const std::exception_ptr& failure) {
    if (failure) {
      server->report().log(Level::error, "a connection failed: " + what_of(failure) + " [T315]");
    }
  };
}

}  // namespace

void Server::FirstReport::log(Level level, std::string_view text) {
  if (const auto mount = server_.first()) mount->report().log(level, text);
}

void Server::FirstReport::count(std::string_view counter, std::int64_t by) {
  if (const auto mount = server_.first()) mount->report().count(counter, by);
}

void Server::FirstReport::turned_away(std::string_view counter, const std::string& address,
                                      const Error& why) {
  if (const auto mount = server_.first()) mount->report().turned_away(counter, address, why);
}

Server::Server(asio::any_io_executor executor, ServerTls tls)
    : executor_(std::move(executor)), tls_(std::move(tls)), report_(*this) {}

Result<std::shared_ptr<Server>> Server::open(const asio::any_io_executor& executor,
                                             const Endpoint& endpoint, ServerTls tls,
                                             std::shared_ptr<Mount> first) {
  std::shared_ptr<Server> server(new Server(executor, std::move(tls)));
  server->limits_ = first->settings().limits;
  server->mounts_.push_back(std::move(first));
  server->listener_ = TRY(Listener::open(executor, endpoint, server->report_));
  server->address_ = server->listener_->address();
  server->accepting_ = true;
  asio::co_spawn(executor, accept_all(server), ending_of(server));
  return server;
}

std::shared_ptr<Mount> Server::first() const {
  std::scoped_lock lock(mutex_);
  return mounts_.empty() ? nullptr : mounts_.front();
}

ListenerLimits Server::limits() const {
  std::scoped_lock lock(mutex_);
  return limits_;
}

Result<void> Server::add(std::shared_ptr<Mount> mount, const ServerTls& tls) {
  if (tls.written != tls_.written) {
    return Error{"T312", "the channels that listen on " + address_ + " do not agree about TLS",
                 "write the same `tls` table in each of them, or let them listen on different "
                 "ports"};
  }
  std::scoped_lock lock(mutex_);
  const PathPattern& path = mount->settings().path;
  for (const auto& there : mounts_) {
    if (there->settings().path != path) continue;
    return Error{"T313",
                 "another channel that listens on " + address_ + " has the path " + path.text(),
                 "give each channel a path of its own; the longest one that matches is taken"};
  }
  std::erase_if(left_, [&path](const Left& left) { return left.path == path; });
  limits_ = limits_.widened_by(mount->settings().limits);
  mounts_.push_back(std::move(mount));
  return {};
}

bool Server::remove(const std::shared_ptr<Mount>& mount) {
  std::scoped_lock lock(mutex_);
  std::erase(mounts_, mount);
  if (mounts_.empty()) return true;
  const auto now = steady_clock::now();
  std::erase_if(left_, [now](const Left& left) { return now - left.when > kRememberLeft; });
  left_.push_back({mount->settings().path, now});
  limits_ = mounts_.front()->settings().limits;
  for (const auto& there : mounts_) limits_ = limits_.widened_by(there->settings().limits);
  return false;
}

Server::Found Server::find(std::string_view path) const {
  // Of two that match, one is the beginning of the other; of the same path, the exact one counts.
  const auto better = [](const PathPattern& a, const PathPattern& b) {
    return a.path.size() != b.path.size() ? a.path.size() > b.path.size() : !a.below && b.below;
  };
  std::scoped_lock lock(mutex_);
  Found found;
  const PathPattern* best = nullptr;
  for (const auto& mount : mounts_) {
    const PathPattern& pattern = mount->settings().path;
    if (!pattern.matches(path) || (best != nullptr && !better(pattern, *best))) continue;
    best = &pattern;
    found.mount = mount;
  }
  const auto now = steady_clock::now();
  for (const Left& left : left_) {
    if (now - left.when > kRememberLeft || !left.path.matches(path)) continue;
    if (best != nullptr && !better(left.path, *best)) continue;
    best = &left.path;
    found = {nullptr, true};
  }
  return found;
}

void Server::complain(const std::string& text) {
  const auto now = steady_clock::now();
  if (now - complained_ < kBetweenComplaints) {
    ++complaints_kept_back_;
    return;
  }
  complained_ = now;
  const std::size_t more = std::exchange(complaints_kept_back_, 0);
  report_.log(Level::warning,
              text + (more > 0 ? " (and " + std::to_string(more) + " more like it)" : ""));
}

// Keeps the server, and so the listener, alive while an accept is under way.
asio::awaitable<void> Server::accept_all(std::shared_ptr<Server> server) {
  while (auto socket = co_await server->listener_->accept()) {
    if (server->ending_) break;
    std::string address = address_of(*socket);
    if (!server->admits_address(address) || !server->make_room(address)) continue;
    server->serve(*std::move(socket), std::move(address));
  }
  server->accepting_ = false;
}

// Whom no channel would admit costs no handshake and takes no place.
bool Server::admits_address(const std::string& address) const {
  std::scoped_lock lock(mutex_);
  for (const auto& mount : mounts_) {
    if (mount->admits_address(address)) return true;
  }
  if (!mounts_.empty()) Mount::note_refused_address(mounts_.front(), address);
  return mounts_.empty();
}

void Server::serve(asio::ip::tcp::socket socket, std::string address) {
  asio::co_spawn(
      executor_,
      Connection::serve(shared_from_this(), tls_.context, std::move(socket), std::move(address)),
      ending_of(shared_from_this()));
}

bool Server::make_room(const std::string& address) {
  const Places::Verdict verdict = places.make_room(address, limits().places);
  const bool was_full = std::exchange(full_, verdict.room != Places::Room::free);
  if (!full_) return true;
  const bool made = verdict.room == Places::Room::made;
  const Error why = too_many(verdict);
  report_.turned_away(made ? "connections_evicted_total" : "connections_refused_total", address,
                      why);
  if (!was_full) {
    report_.log(Level::warning, "a connection came from " + address + ": " + why.text());
  }
  return made;
}

void Server::free_memory() {
  const std::size_t most = limits().max_memory;
  while (memory > most) {
    Connection* first = nullptr;
    for (Connection* connection : connections) {
      const auto since = connection->large_body_since();
      if (since && (first == nullptr || *since < *first->large_body_since())) first = connection;
    }
    if (first == nullptr) return;
    first->give_up();
  }
}

asio::awaitable<void> Server::begin_end() {
  ending_ = true;
  listener_->close();
  for (Connection* connection : connections) connection->stop(false);
  asio::steady_timer pause(executor_);
  while (accepting_) {
    pause.expires_after(kLook);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<void> Server::end() {
  close();
  asio::steady_timer pause(executor_);
  while (!connections.empty()) {
    pause.expires_after(kLook);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Server::close() {
  ending_ = true;
  listener_->close();
  for (Connection* connection : connections) connection->stop(true);
}

Result<std::shared_ptr<Server>> Servers::join(const asio::any_io_executor& executor,
                                              const Endpoint& endpoint, const ServerTls& tls,
                                              const std::shared_ptr<Mount>& mount) {
  std::scoped_lock lock(mutex_);
  auto& known = servers_[endpoint.text()];
  if (const auto server = known.lock()) {
    TRY(server->add(mount, tls));
    return server;
  }
  auto server = TRY(Server::open(executor, endpoint, tls, mount));
  known = server;
  return server;
}

bool Servers::leave(const std::shared_ptr<Server>& server, const std::shared_ptr<Mount>& mount) {
  std::scoped_lock lock(mutex_);
  if (!server->remove(mount)) return false;
  std::erase_if(servers_, [&server](const auto& entry) {
    const auto known = entry.second.lock();
    return !known || known == server;
  });
  return true;
}

}  // namespace cannula::http
