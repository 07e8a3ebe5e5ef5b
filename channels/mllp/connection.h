// One connection of an MLLP source, from its acceptance to its end.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "channels/mllp/exchange.h"
#include "channels/mllp/framing/deframer.h"
#include "channels/transport/complaints.h"
#include "channels/transport/places.h"
#include "channels/transport/stream.h"
#include "channels/transport/tls.h"
#include "channels/transport/transport.h"

namespace cannula::mllp {

struct ReceiverSettings {
  // Where to listen; or, in client mode, where to connect to. One of both.
  std::optional<Endpoint> listen;
  std::optional<Endpoint> connect;
  std::size_t max_size = 0;
  std::size_t max_memory = 0;  // of all frames that are being received or offered; see Service
  Places::Limits places;
  AnswerRules answers;
  std::chrono::milliseconds frame_timeout{};  // without a byte, within a frame; see Connection
  std::chrono::milliseconds idle_timeout{};   // without a byte, between frames; zero: none
  std::chrono::milliseconds write_timeout{};  // for the acknowledgements of one read
  std::chrono::milliseconds handshake_timeout{};
  std::chrono::milliseconds connect_timeout{};
  std::chrono::milliseconds reconnect_max{};  // the longest pause between two tries to connect
  std::shared_ptr<TlsContext> tls;            // null: plain
};

class Connection;

// What all connections of a receiver share. On one executor.
struct Service {
  ReceiverSettings settings;
  Ports ports;
  Intake& intake;
  boost::asio::steady_timer last_one_gone;  // cancelled when `connections` becomes empty
  boost::asio::steady_timer reconnect;      // cancelled when the service stops
  std::unordered_set<Connection*> connections{};
  Places places{};
  bool stopping = false;
  // stop() has returned: whoever still waits for something must end without touching the ports.
  bool gone = false;
  std::uint64_t answers_without_id = 0;
  Complaints complaints{};  // of connections that come to nothing
  std::size_t memory = 0;   // bytes of frames in the connections

  // Ends unfinished frames until all hold no more than max_memory, the one that was begun first
  // first. Those of less than 64 KB are left alone, so that ordinary messages always come through.
  void free_memory();

  // For acknowledgements of messages that were not stored.
  MessageId fresh_id();
};

// A frame must not pause for frame_timeout, and in each such time that it lasts at least 128 bytes
// a second must come: else a byte now and then would hold its memory for days.
class Connection final : private Places::Holder {
 public:
  using Clock = std::chrono::steady_clock;

  // Lasts as long as the connection; ends early when the service stops. Everything it needs is kept
  // alive by it.
  static boost::asio::awaitable<void> serve(std::shared_ptr<Service> service,
                                            boost::asio::ip::tcp::socket socket,
                                            std::string address);
  // The same for one that this side has opened. Whether a frame came by it.
  static boost::asio::awaitable<bool> serve_opened(std::shared_ptr<Service> service,
                                                   std::unique_ptr<Stream> stream);

  Connection(Service& service, std::string address, std::unique_ptr<Stream> stream);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Ends the wait for more. Messages that are being offered are still answered, unless `at_once`.
  void stop(bool at_once);

  // Since when the frame under way is being received; nothing while there is none or it is small.
  std::optional<Clock::time_point> large_frame_since() const;
  // Given up for `reason`: what came of it is kept as cut off, and the connection ends.
  void give_up(Error reason);

 private:
  enum class Next { go_on, close };

  // Without a frame, or with one that comes too slowly.
  std::optional<Clock::time_point> waiting_since() const override;
  void evict() override;

  boost::asio::awaitable<bool> open();
  bool admitted();
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> take_rest(std::optional<Error> failure);
  boost::asio::awaitable<Next> offer(std::vector<Frame> frames);
  void count_defects(const std::vector<Arrival>& arrivals);
  std::optional<Error> follow_frame(bool another);
  void charge(std::size_t bytes);
  void add_to(Exchange& exchange, std::vector<Frame> frames);
  Next report_garbage(bool framed);
  void size_buffer(std::size_t last_read);
  void complain(const std::string& text);
  void log(Report::Level level, const std::string& text);

  Service& service_;
  std::unique_ptr<Stream> stream_;
  Deframer deframer_;
  std::vector<char> buffer_;
  std::size_t garbage_ = 0;  // since the last frame
  bool garbage_logged_ = false;
  bool offering_ = false;
  bool any_frame_ = false;
  Clock::time_point idle_since_ = Clock::now();
  std::optional<Error> given_up_;
  std::size_t charged_ = 0;                       // to Service::memory
  std::optional<Clock::time_point> frame_begun_;  // while one is under way
  Clock::time_point window_begun_{};              // of the time in which enough of it must come
  std::size_t window_size_ = 0;                   // bytes of the frame at its beginning
  Places::Place place_;
};

}  // namespace cannula::mllp
