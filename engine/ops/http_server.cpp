#include "engine/ops/http_server.h"

#include <algorithm>
#include <list>
#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::ops {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Socket = asio::generic::stream_protocol::socket;
using Connection = beast::basic_stream<asio::generic::stream_protocol>;

namespace {

constexpr auto kPerRequest = std::chrono::seconds(30);
constexpr std::size_t kMostConnections = 64;
constexpr std::uint64_t kMostAsked = 1u << 20;          // bytes of a request
constexpr std::uint64_t kMostAskedByUser = 256u << 20;  // on a socket file: an edited message
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Error io_error(std::string_view doing, const std::string& where,
               const boost::system::error_code& error) {
  return Error{"U203", std::string(doing) + " " + where + " failed: " + error.message(),
               "see that the folder exists, is yours, and that no other program uses the address",
               std::nullopt};
}

// A socket address holds 107 bytes of path; a link through the folder's descriptor is always short.
class ShortPath {
 public:
  explicit ShortPath(const std::filesystem::path& socket) {
    folder_ = ::open(socket.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    text_ = "/proc/self/fd/" + std::to_string(folder_) + "/" + socket.filename().string();
  }
  ~ShortPath() {
    if (folder_ >= 0) ::close(folder_);
  }
  ShortPath(const ShortPath&) = delete;
  ShortPath& operator=(const ShortPath&) = delete;
  const std::string& text() const { return text_; }

 private:
  int folder_ = -1;
  std::string text_;
};

// No braces in the coroutine: g++ 12 copies what they initialize there byte by byte (PR 102489).
HttpRequest request_of(const http::request<http::string_body>& request, Socket& socket) {
  HttpRequest asked{std::string(request.method_string()), std::string(request.target()),
                    request.body()};
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
      peer.uid != static_cast<uid_t>(-1)) {
    asked.uid = peer.uid;
  }
  return asked;
}

HttpReply answer(const HttpHandler& handler, const HttpRequest& request) {
  try {
    return handler(request);
  } catch (const std::exception& failure) {
    return {500, "text/plain", std::string("the request failed: ") + failure.what() + "\n"};
  }
}

// The connections of a listener, the one that has been quiet for longest first. When there is no
// room for another one, that one goes: whoever holds idle connections does not keep a probe out.
class OpenConnections {
 public:
  // As long as it lives, the connection is among them.
  class Membership {
   public:
    Membership(std::shared_ptr<OpenConnections> all, Connection& connection)
        : all_(std::move(all)), connection_(connection) {
      all_->add(connection_);
    }
    ~Membership() { all_->open_.remove(&connection_); }
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

   private:
    const std::shared_ptr<OpenConnections> all_;
    Connection& connection_;
  };

  void asked(Connection& connection) {
    const auto place = std::find(open_.begin(), open_.end(), &connection);
    if (place != open_.end()) open_.splice(open_.end(), open_, place);
  }

 private:
  void add(Connection& connection) {
    if (open_.size() >= kMostConnections) {
      beast::error_code ignored;
      open_.front()->socket().close(ignored);
      open_.pop_front();
    }
    open_.push_back(&connection);
  }

  std::list<Connection*> open_;
};

asio::awaitable<void> serve(Socket socket, const HttpHandler& handler,
                            std::shared_ptr<OpenConnections> open, std::uint64_t most) {
  Connection connection(std::move(socket));
  const OpenConnections::Membership member(open, connection);
  beast::flat_buffer buffer;
  while (true) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(8 * 1024);
    parser.body_limit(most);
    connection.expires_after(kPerRequest);
    auto [failed, read] = co_await http::async_read(connection, buffer, parser, kAwait);
    if (failed) break;
    open->asked(connection);
    const auto& request = parser.get();
    const HttpRequest asked = request_of(request, connection.socket());
    HttpReply reply = answer(handler, asked);
    connection.expires_after(kPerRequest);
    http::response<http::string_body> response{static_cast<http::status>(reply.status),
                                               request.version()};
    response.set(http::field::content_type, reply.content_type);
    response.keep_alive(request.keep_alive());
    response.content_length(reply.body.size());
    // The answer to HEAD has the length of the body, not the body (RFC 9110, 9.3.2).
    if (request.method() != http::verb::head) response.body() = std::move(reply.body);
    auto [unsent, written] = co_await http::async_write(connection, response, kAwait);
    if (unsent || !response.keep_alive()) break;
  }
  beast::error_code ignored;
  connection.socket().shutdown(Socket::shutdown_both, ignored);
}

template <class Acceptor>
asio::awaitable<void> accept_all(Acceptor& acceptor, HttpHandler handler, std::uint64_t most) {
  const auto open = std::make_shared<OpenConnections>();
  while (true) {
    Socket socket(acceptor.get_executor());
    auto [failed] = co_await acceptor.async_accept(socket, kAwait);
    if (failed == asio::error::operation_aborted || !acceptor.is_open()) co_return;
    if (failed) {  // out of descriptors: do not try in a circle
      asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(kAwait);
      continue;
    }
    // The handler lives in this coroutine's frame, which the connections do not outlive: both end
    // with the io_context.
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), handler, open, most),
                   asio::detached);
  }
}

}  // namespace

struct HttpServer::State {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::vector<std::unique_ptr<asio::local::stream_protocol::acceptor>> local;
  std::vector<std::unique_ptr<asio::ip::tcp::acceptor>> tcp;
  std::vector<std::filesystem::path> files;
  std::thread thread{[this] {
    ::pthread_setname_np(::pthread_self(), "admin");
    context.run();
  }};
};

HttpServer::HttpServer() : state_(std::make_unique<State>()) {}

HttpServer::~HttpServer() {
  state_->context.stop();
  state_->thread.join();
  for (const auto& file : state_->files) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
}

Result<void> HttpServer::listen(const std::filesystem::path& socket, HttpHandler handler) {
  std::error_code ignored;
  std::filesystem::remove(
      socket, ignored);  // of an engine that was killed; the store's lock says that none runs
  const ShortPath path(socket);
  auto acceptor = std::make_unique<asio::local::stream_protocol::acceptor>(state_->context);
  boost::system::error_code failed;
  acceptor->open({}, failed);
  if (!failed) acceptor->bind(asio::local::stream_protocol::endpoint(path.text()), failed);
  if (!failed && ::chmod(socket.c_str(), 0600) != 0)
    failed.assign(errno, boost::system::system_category());
  if (!failed) acceptor->listen(asio::socket_base::max_listen_connections, failed);
  if (failed) return io_error("opening the control socket", socket.string(), failed);
  state_->files.push_back(socket);
  asio::co_spawn(state_->context, accept_all(*acceptor, std::move(handler), kMostAskedByUser),
                 asio::detached);
  state_->local.push_back(std::move(acceptor));
  return {};
}

Result<std::string> HttpServer::listen(const Endpoint& endpoint, HttpHandler handler) {
  boost::system::error_code failed;
  asio::ip::tcp::resolver resolver(state_->context);
  const auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port), failed);
  auto acceptor = std::make_unique<asio::ip::tcp::acceptor>(state_->context);
  if (!failed) {
    const asio::ip::tcp::endpoint address = found.begin()->endpoint();
    acceptor->open(address.protocol(), failed);
    if (!failed) acceptor->set_option(asio::socket_base::reuse_address(true), failed);
    if (!failed) acceptor->bind(address, failed);
    if (!failed) acceptor->listen(asio::socket_base::max_listen_connections, failed);
  }
  if (failed) return io_error("listening on", endpoint.text(), failed);
  const auto bound = acceptor->local_endpoint();
  asio::co_spawn(state_->context, accept_all(*acceptor, std::move(handler), kMostAsked),
                 asio::detached);
  state_->tcp.push_back(std::move(acceptor));
  return Endpoint{bound.address().to_string(), bound.port()}.text();
}

Result<HttpReply> ask(const std::filesystem::path& socket, const HttpRequest& request) {
  asio::io_context context;
  asio::local::stream_protocol::socket connection(context);
  const ShortPath path(socket);
  boost::system::error_code failed;
  connection.connect(asio::local::stream_protocol::endpoint(path.text()), failed);
  if (failed) {
    return Error{"U202", "no engine answers on " + socket.string() + ": " + failed.message(),
                 "start one with `cannula run`", std::nullopt};
  }
  http::request<http::string_body> wire{http::string_to_verb(request.method), request.target, 11};
  wire.set(http::field::host, "cannula");
  wire.body() = request.body;
  wire.prepare_payload();
  wire.keep_alive(false);
  http::write(connection, wire, failed);
  if (failed) return io_error("asking", socket.string(), failed);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> answer;
  answer.body_limit(boost::none);  // a message may be as large as its channel allows
  http::read(connection, buffer, answer, failed);
  if (failed) return io_error("asking", socket.string(), failed);
  auto response = answer.release();
  return HttpReply{response.result_int(), std::string(response[http::field::content_type]),
                   std::move(response.body())};
}

}  // namespace cannula::ops
