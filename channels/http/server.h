// A listening address and the channels behind it, told apart by path.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "channels/http/mount.h"
#include "channels/transport/network.h"
#include "channels/transport/places.h"
#include "channels/transport/tls.h"

namespace cannula::http {

class Connection;

// TLS of a listener, and how it was written, to see that channels which share one agree.
struct ServerTls {
  std::shared_ptr<TlsContext> context;  // null: plain
  std::string written;
};

// Its listener and its connections live on the executor of the channel that came first, and stay
// there when that channel goes: executors outlive all receivers.
class Server : public std::enable_shared_from_this<Server> {
 public:
  // Listens and begins to accept. On `executor`.
  static Result<std::shared_ptr<Server>> open(const boost::asio::any_io_executor& executor,
                                              const Endpoint& endpoint, ServerTls tls,
                                              std::shared_ptr<Mount> first);

  // Any thread.
  Result<void> add(std::shared_ptr<Mount> mount, const ServerTls& tls);
  // Whether it was the last one. Its path is remembered for a while: a channel that is reloaded is
  // away for a moment, and a sender that is told "not found" would not try again.
  bool remove(const std::shared_ptr<Mount>& mount);
  struct Found {
    std::shared_ptr<Mount> mount;  // null: none, or
    bool left = false;             // it has been there a moment ago
  };
  // The mount with the longest path that matches.
  Found find(std::string_view path) const;
  ListenerLimits limits() const;
  const std::string& address() const { return address_; }
  const boost::asio::any_io_executor& executor() const { return executor_; }
  // To the first channel that is there.
  Report& report() { return report_; }

  // What follows is for the executor.

  // Takes no more connections, closes idle ones, and lets those that are answering answer.
  boost::asio::awaitable<void> begin_end();
  // Closes what is still there, and waits until it has gone.
  boost::asio::awaitable<void> end();
  bool ending() const { return ending_; }
  // At once, without waiting.
  void close();

  // Of the connections.
  std::unordered_set<Connection*> connections;
  Places places;
  std::size_t memory = 0;  // bytes of bodies in the connections
  // Has bodies that are being received given up until all hold no more than max_memory, the one
  // that was begun first first. Those of less than 64 KB are left alone, so that ordinary requests
  // always come through.
  void free_memory();
  // A warning about a connection; of many within a second only the first.
  void complain(const std::string& text);

 private:
  class FirstReport final : public Report {
   public:
    explicit FirstReport(Server& server) : server_(server) {}
    void log(Level level, std::string_view text) override;
    void count(std::string_view counter, std::int64_t by) override;
    void turned_away(std::string_view counter, const std::string& address,
                     const Error& why) override;

   private:
    Server& server_;
  };
  struct Left {
    PathPattern path;
    std::chrono::steady_clock::time_point when;
  };

  Server(boost::asio::any_io_executor executor, ServerTls tls);
  static boost::asio::awaitable<void> accept_all(std::shared_ptr<Server> server);
  bool admits_address(const std::string& address) const;
  bool make_room(const std::string& address);
  void serve(boost::asio::ip::tcp::socket socket, std::string address);
  std::shared_ptr<Mount> first() const;

  const boost::asio::any_io_executor executor_;
  const ServerTls tls_;
  FirstReport report_;
  std::string address_;
  std::unique_ptr<Listener> listener_;
  bool accepting_ = false;
  bool ending_ = false;
  bool full_ = false;
  std::chrono::steady_clock::time_point complained_{};
  std::size_t complaints_kept_back_ = 0;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Mount>> mounts_;
  std::vector<Left> left_;
  ListenerLimits limits_;
};

// The listeners of a process, by the address as it is written in the configuration. Any thread.
class Servers {
 public:
  // Joins the listener of this address, or opens it. On `executor`.
  Result<std::shared_ptr<Server>> join(const boost::asio::any_io_executor& executor,
                                       const Endpoint& endpoint, const ServerTls& tls,
                                       const std::shared_ptr<Mount>& mount);
  // Whether nobody is left: then the caller ends the server.
  bool leave(const std::shared_ptr<Server>& server, const std::shared_ptr<Mount>& mount);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Server>> servers_;
};

}  // namespace cannula::http
