// Connections in and out: the only way transports reach the network over TCP. All of it is used on
// one executor that is served by one thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "channels/transport/options.h"
#include "channels/transport/stream.h"
#include "channels/transport/tls.h"
#include "channels/transport/transport.h"
#include "parsers/text/result.h"

namespace cannula {

// A listening socket. Closing it ends an accept() under way.
class Listener {
 public:
  // Binds and listens. A host name is resolved now, and its first address that can be bound is
  // taken.
  static Result<std::unique_ptr<Listener>> open(boost::asio::any_io_executor executor,
                                                const Endpoint& endpoint, Report& report);

  // The next connection, or nothing when the listener is closed. When the process is out of
  // descriptors or memory it says so once and waits, instead of trying in a circle. The listener
  // must live until it has returned.
  boost::asio::awaitable<std::optional<boost::asio::ip::tcp::socket>> accept();
  void close();

  // With the port really bound.
  const std::string& address() const { return address_; }

 private:
  Listener(boost::asio::ip::tcp::acceptor acceptor, std::string address, Report& report);

  boost::asio::ip::tcp::acceptor acceptor_;
  std::string address_;
  Report& report_;
  bool short_of_resources_ = false;
};

// The address of the other side as Peer writes it; empty when the connection is already gone.
std::string address_of(const boost::asio::ip::tcp::socket& socket);

// Makes a stream of an accepted connection (null: plain). Its handshake() is still to come, and can
// be ended by closing it.
std::unique_ptr<Stream> make_stream(boost::asio::ip::tcp::socket socket,
                                    std::shared_ptr<TlsContext> tls);
// The same with the handshake, which only `timeout` ends.
boost::asio::awaitable<Result<std::unique_ptr<Stream>>> accept_stream(
    boost::asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls,
    std::chrono::milliseconds timeout);

// Resolves, connects to the first address that answers, and shakes hands when `tls` is not null;
// all within `timeout`, which is not zero. The certificate must be valid for the server name of the
// TLS settings, or else for the endpoint's host. Give `endpoint` a name at the call: g++ 12
// destroys a braced temporary in a co_await expression twice.
boost::asio::awaitable<Result<std::unique_ptr<Stream>>> connect(
    boost::asio::any_io_executor executor, Endpoint endpoint, std::shared_ptr<TlsContext> tls,
    std::chrono::milliseconds timeout);

}  // namespace cannula
