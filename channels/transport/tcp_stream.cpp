#include "channels/transport/tcp_stream.h"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/tcp.h>
#include <poll.h>

#include "channels/transport/deadline.h"
#include "channels/transport/network.h"
#include "channels/transport/socket_parts.h"

namespace cannula {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

class TcpStream final : public Stream {
 public:
  explicit TcpStream(tcp::socket socket)
      : socket_(std::move(socket)), deadlines_(socket_.get_executor(), [this] { close(); }) {
    peer_.address = address_of(socket_);
  }

  asio::awaitable<Result<void>> handshake(std::chrono::milliseconds /*timeout*/) override {
    co_return Result<void>();
  }

  asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer into,
                                                 std::chrono::milliseconds timeout) override {
    deadlines_.arm(Deadlines::reading, timeout);
    const auto [failure, count] =
        co_await socket_.async_read_some(asio::mutable_buffer(into), kTuple);
    deadlines_.disarm(Deadlines::reading);
    if (!failure) co_return count;
    if (failure == asio::error::eof) co_return std::size_t{0};
    co_return stream_error(failure, deadlines_.expired(), "reading from", peer_.address);
  }

  asio::awaitable<Result<void>> write(std::span<const asio::const_buffer> pieces,
                                      std::chrono::milliseconds timeout) override {
    // Nearly always the socket takes everything at once: one system call and no turn of the event
    // loop.
    error_code failure;
    std::size_t written = pieces.size() == 1 ? socket_.write_some(pieces.front(), failure)
                                             : socket_.write_some(pieces, failure);
    if (!failure && written == asio::buffer_size(pieces)) co_return Result<void>();

    std::vector<asio::const_buffer> rest(pieces.begin(), pieces.end());
    deadlines_.arm(Deadlines::writing, timeout);
    while (!failure || failure == asio::error::would_block) {
      drop_front(rest, written);
      if (rest.empty()) break;
      std::tie(failure) = co_await socket_.async_wait(tcp::socket::wait_write, kTuple);
      if (failure) break;
      written = socket_.write_some(rest, failure);
    }
    deadlines_.disarm(Deadlines::writing);
    if (rest.empty()) co_return Result<void>();
    co_return stream_error(failure, deadlines_.expired(), "writing to", peer_.address);
  }

  // Closing while unread bytes wait makes the system send a reset, which can overtake and destroy
  // the last answer; so the other side is first told that nothing more comes, and given time to
  // close.
  asio::awaitable<void> shutdown(std::chrono::milliseconds timeout) override {
    error_code failure;
    socket_.shutdown(tcp::socket::shutdown_send, failure);
    deadlines_.arm(Deadlines::reading, std::max(timeout, std::chrono::milliseconds(1)));
    std::array<char, 4096> discarded;
    while (!failure) {
      std::tie(failure, std::ignore) =
          co_await socket_.async_read_some(asio::buffer(discarded), kTuple);
    }
    deadlines_.disarm(Deadlines::reading);
    close();
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

  void stop_reading() override {
    error_code ignored;
    socket_.cancel(ignored);
  }

  bool alive() const override {
    // native_handle() is not const in Asio, though asking changes nothing.
    return socket_.is_open() &&
           other_side_is_there(const_cast<tcp::socket&>(socket_).native_handle());
  }

  asio::awaitable<bool> wait_readable(std::chrono::milliseconds timeout) override {
    return cannula::wait_readable(socket_, timeout);
  }

  const Peer& peer() const override { return peer_; }

 private:
  static void drop_front(std::vector<asio::const_buffer>& pieces, std::size_t count) {
    std::size_t whole = 0;
    while (whole < pieces.size() && count >= pieces[whole].size()) count -= pieces[whole++].size();
    pieces.erase(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(whole));
    if (!pieces.empty()) pieces.front() += count;
  }

  tcp::socket socket_;
  Deadlines deadlines_;
  Peer peer_;
};

}  // namespace

std::unique_ptr<Stream> make_tcp_stream(tcp::socket socket) {
  return std::make_unique<TcpStream>(std::move(socket));
}

void tune(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(tcp::socket::keep_alive(true), ignored);
  using Idle = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using Interval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  using Probes = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;
  socket.set_option(Idle(60), ignored);
  socket.set_option(Interval(15), ignored);
  socket.set_option(Probes(4), ignored);
  socket.non_blocking(true, ignored);
}

asio::awaitable<bool> wait_readable(tcp::socket& socket, std::chrono::milliseconds timeout) {
  asio::steady_timer timer(socket.get_executor(), timeout);
  timer.async_wait([&socket](const error_code& stopped) {
    error_code ignored;
    if (!stopped) socket.cancel(ignored);
  });
  const auto [failure] = co_await socket.async_wait(tcp::socket::wait_read, kTuple);
  // A handler already on its way would touch the socket after this returns, so it is waited for.
  if (timer.cancel() == 0) co_await asio::post(socket.get_executor(), kTuple);
  co_return !failure;
}

bool other_side_is_there(int descriptor) {
  pollfd watched{descriptor, POLLRDHUP, 0};
  return ::poll(&watched, 1, 0) == 0;
}

Error stream_error(const error_code& failure, bool expired, std::string_view doing,
                   const std::string& address) {
  const std::string what = std::string(doing) + " " + address;
  if (expired) return {"T104", what + " took longer than allowed", "", std::nullopt};
  if (failure == asio::error::operation_aborted || failure == asio::error::bad_descriptor) {
    return {"T108", "the connection was closed on this side while " + what, "", std::nullopt};
  }
  return {"T105", "the connection was lost while " + what + ": " + failure.message(), "",
          std::nullopt};
}

}  // namespace cannula
