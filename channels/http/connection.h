// One connection of an HTTP listener, from its acceptance to its end.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "channels/http/exchange.h"
#include "channels/http/mount.h"
#include "channels/http/request.h"
#include "channels/http/server.h"
#include "channels/transport/places.h"
#include "channels/transport/stream.h"

namespace cannula::http {

// Requests are answered one after the other, in the order they came: while one is being offered,
// nothing more is read, which is the back-pressure. On the server's executor.
class Connection final : private Places::Holder {
 public:
  using Clock = std::chrono::steady_clock;

  // Lasts as long as the connection; ends early when the server ends.
  static boost::asio::awaitable<void> serve(std::shared_ptr<Server> server,
                                            std::shared_ptr<TlsContext> tls,
                                            boost::asio::ip::tcp::socket socket,
                                            std::string address);

  Connection(std::shared_ptr<Server> server, std::string address, std::unique_ptr<Stream> stream);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Ends the wait for more. A request that is being offered is still answered, unless `at_once`.
  void stop(bool at_once);
  // Since when the body under way is being received; nothing while there is none or it is small.
  std::optional<Clock::time_point> large_body_since() const;
  // Given up to free its memory, and answered 503.
  void give_up();

 private:
  enum class Next { go_on, close };
  enum class Input { bytes, end, timeout };
  struct Request;

  // Without a whole head of a request, or with a body that comes too slowly.
  std::optional<Clock::time_point> waiting_since() const override;
  void evict() override;

  boost::asio::awaitable<bool> open(TlsContext* tls);
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<Next> serve_one();
  boost::asio::awaitable<bool> read_head(Request& request);
  boost::asio::awaitable<void> read_body(Request& request);
  boost::asio::awaitable<Input> read_more(Clock::time_point deadline,
                                          std::chrono::milliseconds timeout);
  boost::asio::awaitable<Next> settle(Request& request);
  boost::asio::awaitable<bool> admitted(const std::shared_ptr<Mount>& mount, Problem& refusal);
  boost::asio::awaitable<std::optional<Receipt>> offer(const std::shared_ptr<Mount>& mount,
                                                       Arrival arrival);
  boost::asio::awaitable<bool> wait_for(std::shared_ptr<Mount::Question> question);
  boost::asio::awaitable<Next> answer(const Request& request, Response response);
  std::optional<Response> answer_at_once(Request& request);
  void note_given_up(Request& request);
  void charge(std::size_t bytes);
  void size_buffer(std::size_t last_read);

  std::shared_ptr<Server> server_;
  std::unique_ptr<Stream> stream_;
  std::string input_;         // read and not yet used
  std::vector<char> buffer_;  // what the next read goes to
  std::vector<std::shared_ptr<Mount>> admitted_;
  std::shared_ptr<Mount::Question> question_;
  std::optional<Clock::time_point> waiting_since_;
  std::optional<Clock::time_point> body_begun_;  // while one is being read
  std::size_t charged_ = 0;                      // to Server::memory
  bool fresh_ = true;                            // nothing has come yet
  bool resting_ = false;                         // waits for the first byte of another request
  bool working_ = false;                         // a request is being offered or answered
  bool given_up_ = false;                        // the body that is being read
  Places::Place place_;
};

}  // namespace cannula::http
