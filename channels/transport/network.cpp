#include "channels/transport/network.h"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/transport/deadline.h"
#include "channels/transport/port_holder.h"
#include "channels/transport/socket_parts.h"
#include "channels/transport/tcp_stream.h"

namespace cannula {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr auto kShortagePause = std::chrono::milliseconds(200);

// An IPv4 client of an IPv6 socket is written as the IPv4 address that allow-lists name.
std::string text_of(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

// The error of the first thing that does not work, in the order of the calls.
error_code listen_on(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  error_code failure;
  acceptor.open(endpoint.protocol(), failure);
  if (!failure) acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor.bind(endpoint, failure);
  if (!failure) acceptor.listen(asio::socket_base::max_listen_connections, failure);
  return failure;
}

bool is_shortage(const error_code& failure) {
  return failure == asio::error::no_descriptors || failure == asio::error::no_buffer_space ||
         failure == asio::error::no_memory ||
         failure == boost::system::errc::too_many_files_open_in_system;
}

using Addresses = std::vector<tcp::endpoint>;

// getaddrinfo runs on a thread of Asio's and cannot be interrupted: whoever waits stops waiting at
// `deadline`, and the answer is dropped when it comes.
asio::awaitable<Result<Addresses>> resolve(const asio::any_io_executor& executor,
                                           const Endpoint& endpoint,
                                           Deadlines::Clock::time_point deadline) {
  error_code failure;
  if (const auto literal = asio::ip::make_address(endpoint.host, failure); !failure) {
    co_return Addresses{{literal, endpoint.port}};
  }
  struct Lookup {
    explicit Lookup(const asio::any_io_executor& where) : resolver(where), answered(where) {}
    tcp::resolver resolver;
    asio::steady_timer answered;
    std::optional<error_code> failure;
    Addresses addresses;
  };
  auto lookup = std::make_shared<Lookup>(executor);
  lookup->answered.expires_at(deadline);
  lookup->resolver.async_resolve(
      endpoint.host, std::to_string(endpoint.port),
      [lookup](const error_code& result, const tcp::resolver::results_type& found) {
        lookup->failure = result;
        for (const auto& entry : found) lookup->addresses.push_back(entry.endpoint());
        lookup->answered.cancel();
      });
  co_await lookup->answered.async_wait(kTuple);
  if (!lookup->failure) {
    co_return Error{"T104", "looking up the host '" + endpoint.host + "' took longer than allowed",
                    "check the name servers of this machine", std::nullopt};
  }
  if (*lookup->failure || lookup->addresses.empty()) {
    co_return Error{
        "T102", "the host '" + endpoint.host + "' cannot be found: " + lookup->failure->message(),
        "check the name, or write the address itself", std::nullopt};
  }
  co_return std::move(lookup->addresses);
}

}  // namespace

std::string address_of(const tcp::socket& socket) {
  error_code failure;
  const tcp::endpoint endpoint = socket.remote_endpoint(failure);
  return failure ? std::string() : text_of(endpoint.address());
}

namespace {

std::string who_listens(std::uint16_t port) {
  const std::string holder = holder_of_port(port);
  if (holder.empty())
    return "another program or channel already listens there; `ss -ltnp`, as root, says which";
  if (holder == "this process") return "another channel of this engine already listens there";
  return holder + " already listens there";
}

}  // namespace

Listener::Listener(tcp::acceptor acceptor, std::string address, Report& report)
    : acceptor_(std::move(acceptor)), address_(std::move(address)), report_(report) {}

Result<std::unique_ptr<Listener>> Listener::open(asio::any_io_executor executor,
                                                 const Endpoint& endpoint, Report& report) {
  error_code failure;
  tcp::resolver resolver(executor);
  const auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port),
                                      tcp::resolver::passive, failure);
  tcp::acceptor acceptor(executor);
  for (const auto& entry : found) {
    acceptor = tcp::acceptor(executor);
    failure = listen_on(acceptor, entry.endpoint());
    if (!failure) break;
  }
  if (failure) {
    return Error{"T101", "cannot listen on " + endpoint.text() + ": " + failure.message(),
                 failure == asio::error::address_in_use
                     ? who_listens(endpoint.port)
                     : "listen must name an address of this machine and a port that is free",
                 std::nullopt};
  }
  acceptor.non_blocking(true, failure);
  const Endpoint bound{endpoint.host, acceptor.local_endpoint(failure).port()};
  return std::unique_ptr<Listener>(new Listener(std::move(acceptor), bound.text(), report));
}

asio::awaitable<std::optional<tcp::socket>> Listener::accept() {
  asio::steady_timer pause(acceptor_.get_executor());
  while (acceptor_.is_open()) {
    auto [failure, socket] = co_await acceptor_.async_accept(kTuple);
    if (!failure) {
      short_of_resources_ = false;
      tune(socket);
      co_return std::move(socket);
    }
    // Anything else concerns one connection only, such as a client that has already gone.
    if (!is_shortage(failure)) continue;
    if (!std::exchange(short_of_resources_, true)) {
      report_.log(Report::Level::error,
                  "connections to " + address_ + " wait, because none can be accepted: " +
                      failure.message() + " (raise the limit of open files, ulimit -n) [T109]");
    }
    report_.count("accept_shortages_total");
    pause.expires_after(kShortagePause);
    co_await pause.async_wait(kTuple);
  }
  co_return std::nullopt;
}

void Listener::close() {
  error_code ignored;
  acceptor_.close(ignored);
}

std::unique_ptr<Stream> make_stream(tcp::socket socket, std::shared_ptr<TlsContext> tls) {
  return tls ? make_tls_stream(std::move(socket), std::move(tls))
             : make_tcp_stream(std::move(socket));
}

asio::awaitable<Result<std::unique_ptr<Stream>>> accept_stream(tcp::socket socket,
                                                               std::shared_ptr<TlsContext> tls,
                                                               std::chrono::milliseconds timeout) {
  auto stream = make_stream(std::move(socket), std::move(tls));
  auto shaken = co_await stream->handshake(timeout);
  if (!shaken) co_return std::move(shaken).error();
  co_return std::move(stream);
}

asio::awaitable<Result<std::unique_ptr<Stream>>> connect(asio::any_io_executor executor,
                                                         Endpoint endpoint,
                                                         std::shared_ptr<TlsContext> tls,
                                                         std::chrono::milliseconds timeout) {
  const auto deadline = Deadlines::Clock::now() + timeout;
  auto addresses = co_await resolve(executor, endpoint, deadline);
  if (!addresses) co_return std::move(addresses).error();

  tcp::socket socket(executor);
  Deadlines deadlines(executor, [&socket] {
    error_code ignored;
    socket.close(ignored);
  });
  error_code failure = asio::error::host_not_found;
  const auto left = [deadline] {
    return std::max(std::chrono::milliseconds(1), std::chrono::ceil<std::chrono::milliseconds>(
                                                      deadline - Deadlines::Clock::now()));
  };
  deadlines.arm(Deadlines::writing, left());
  for (const tcp::endpoint& address : *addresses) {
    if (deadlines.expired()) break;
    socket = tcp::socket(executor);
    std::tie(failure) = co_await socket.async_connect(address, kTuple);
    if (!failure) break;
  }
  if (deadlines.expired()) {
    co_return Error{"T104", "connecting to " + endpoint.text() + " took longer than allowed",
                    "a firewall may drop the packets, or the address is wrong", std::nullopt};
  }
  if (failure) {
    co_return Error{"T103", "cannot connect to " + endpoint.text() + ": " + failure.message(),
                    "check that the receiver is running and listens on this address", std::nullopt};
  }
  deadlines.disarm(Deadlines::writing);
  tune(socket);
  if (!tls) co_return make_tcp_stream(std::move(socket));
  co_return co_await connect_tls(std::move(socket), std::move(tls), endpoint.host, left());
}

}  // namespace cannula
