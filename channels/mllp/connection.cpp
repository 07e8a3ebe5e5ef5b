#include "channels/mllp/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "channels/mllp/framing/commit_block.h"
#include "channels/transport/network.h"

namespace cannula::mllp {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Level = Report::Level;

namespace {

// A thousand idle connections hold 8 MB, a busy one reads 64 KB at once.
constexpr std::size_t kSmallestBuffer = 8 * 1024;
constexpr std::size_t kLargestBuffer = 64 * 1024;
// Two bytes sent apart arrive within this time unless the network is in trouble, and then nothing
// is lost either.
constexpr milliseconds kTrailerPause{100};
constexpr std::size_t kMostGarbage = 1 << 20;
// An oversized frame is read to its end, so that the connection can go on, unless there is no end
// in sight.
constexpr std::size_t kSkipFactor = 16;
constexpr milliseconds kShutdown{1000};
// Of a frame that lasts; even a converter from a serial line of 2400 baud is twice as fast.
constexpr std::int64_t kSlowestFrame = 128;  // bytes a second
constexpr std::size_t kLargeFrame = 64 * 1024;
// Before that nobody can say how fast a frame comes.
constexpr milliseconds kFirstLook{2000};

std::string_view looks_like(std::string_view start) {
  if (start.starts_with("MSH") || start.starts_with("FHS") || start.starts_with("BHS")) {
    return "HL7 without MLLP framing: the sender must put VT (0x0B) before and FS CR after it";
  }
  if (start.starts_with("\x16\x03")) {
    return "a TLS handshake: the sender uses TLS, and this source has no table tls";
  }
  for (const std::string_view method : {"GET/", "POST/", "PUT/", "HEAD/", "OPTIONS"}) {
    if (start.starts_with(method)) return "HTTP: the sender wants an http source";
  }
  if (start.starts_with("\xEF\xBB\xBF")) return "a byte order mark, which is harmless";
  return "nothing that is known here";
}

}  // namespace

MessageId Service::fresh_id() {
  const auto now =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return {static_cast<std::uint64_t>(now.count()) << 20 | (answers_without_id++ & 0xFFFFF)};
}

Connection::Connection(Service& service, std::string address, std::unique_ptr<Stream> stream)
    : service_(service),
      stream_(std::move(stream)),
      deframer_(service.settings.max_size),
      buffer_(kSmallestBuffer),
      place_(service.places, std::move(address), *this) {
  service_.connections.insert(this);
}

void Service::free_memory() {
  while (memory > settings.max_memory) {
    Connection* first = nullptr;
    for (Connection* connection : connections) {
      const auto since = connection->large_frame_since();
      if (since && (first == nullptr || *since < *first->large_frame_since())) first = connection;
    }
    if (first == nullptr) return;
    ports.report.count("frames_given_up_total");
    first->give_up(
        {"M111",
         "the frame was given up after so long, because all that are being received hold "
         "more than " +
             std::to_string(settings.max_memory) + " bytes",
         "the sender should send it again; raise max_memory of the source if such "
         "frames are wanted"});
  }
}

Connection::~Connection() {
  charge(0);
  service_.connections.erase(this);
  if (service_.stopping && service_.connections.empty()) service_.last_one_gone.cancel();
}

asio::awaitable<void> Connection::serve(std::shared_ptr<Service> service,
                                        asio::ip::tcp::socket socket, std::string address) {
  Connection connection(*service, std::move(address),
                        make_stream(std::move(socket), service->settings.tls));
  if (co_await connection.open()) co_await connection.run();
}

asio::awaitable<bool> Connection::serve_opened(std::shared_ptr<Service> service,
                                               std::unique_ptr<Stream> stream) {
  std::string address = stream->peer().address;
  Connection connection(*service, std::move(address), std::move(stream));
  service->ports.report.count("connections_total");
  if (connection.admitted()) co_await connection.run();
  co_return connection.any_frame_;
}

void Connection::stop(bool at_once) {
  if (at_once || !offering_) stream_->close();
}

std::optional<Connection::Clock::time_point> Connection::waiting_since() const {
  if (offering_) return std::nullopt;
  if (!frame_begun_) return idle_since_;
  const auto passed = std::chrono::duration_cast<milliseconds>(Clock::now() - *frame_begun_);
  const auto wanted = static_cast<std::size_t>(passed.count() * kSlowestFrame / 1000);
  const bool slow = passed > kFirstLook && deframer_.frame_size() < wanted;
  return slow ? frame_begun_ : std::nullopt;
}

void Connection::evict() {
  stop(false);
}

std::optional<Connection::Clock::time_point> Connection::large_frame_since() const {
  const bool large = deframer_.held() > kLargeFrame && !offering_ && !given_up_;
  return large ? frame_begun_ : std::nullopt;
}

void Connection::give_up(Error reason) {
  given_up_ = std::move(reason);
  charge(0);  // it is let go of as soon as the wait has ended
  stop(false);
}

void Connection::charge(std::size_t bytes) {
  service_.memory = service_.memory - charged_ + bytes;
  charged_ = bytes;
}

asio::awaitable<bool> Connection::open() {
  service_.ports.report.count("connections_total");
  const auto shaken = co_await stream_->handshake(service_.settings.handshake_timeout);
  if (service_.stopping || !place_.held()) co_return false;
  if (const auto note = take_note(service_.settings.tls.get())) {
    service_.ports.report.log(note->used ? Level::info : Level::error, note->text);
  }
  if (!shaken) {
    service_.ports.report.turned_away("connections_failed_total", place_.address(), shaken.error());
    complain(shaken.error().text());
    co_return false;
  }
  co_return admitted();
}

bool Connection::admitted() {
  if (!service_.intake.admit(stream_->peer())) {  // which counts it
    stream_->close();
    return false;
  }
  log(Level::debug, "connected");
  return true;
}

asio::awaitable<void> Connection::run() {
  const ReceiverSettings& settings = service_.settings;
  while (!service_.stopping) {
    const auto count = co_await stream_->read_some(
        asio::buffer(buffer_),
        deframer_.within_frame() ? settings.frame_timeout : settings.idle_timeout);
    if (service_.stopping) break;
    if (given_up_ || !count || *count == 0) {
      std::optional<Error> failure = given_up_;
      if (!failure && !count) failure = count.error();
      co_await take_rest(failure);
      break;
    }
    service_.ports.report.count("bytes_received_total", static_cast<std::int64_t>(*count));
    std::vector<Frame> frames;
    deframer_.feed({buffer_.data(), *count}, frames);
    if (deframer_.awaits_trailer() && !co_await stream_->wait_readable(kTrailerPause)) {
      deframer_.settle(frames);
    }
    size_buffer(*count);

    std::size_t held = deframer_.held();
    for (const Frame& frame : frames) held += frame.content.size();
    charge(held);
    if (const auto slow = follow_frame(!frames.empty())) give_up(*slow);
    service_.free_memory();
    const bool endless = deframer_.frame_size() / kSkipFactor > settings.max_size;
    if (endless) {
      frames.push_back(*deframer_.finish());
      frames.back().kind = Frame::Kind::oversized;
    }
    const Next garbage = report_garbage(!frames.empty());
    if (!frames.empty()) {
      if (co_await offer(std::move(frames)) == Next::close) break;
      charge(deframer_.held());
      // The wait for the intake is none of the sender's.
      if (frame_begun_) frame_begun_ = window_begun_ = Clock::now();
    }
    if (!frame_begun_) idle_since_ = Clock::now();
    if (garbage == Next::close || endless) break;
  }
  if (service_.gone) co_return;
  co_await stream_->shutdown(kShutdown);
}

// Nothing, or why the frame under way is not waited for any longer. `another`: one has ended since
// it was asked last.
std::optional<Error> Connection::follow_frame(bool another) {
  if (!deframer_.within_frame()) {
    frame_begun_.reset();
    return std::nullopt;
  }
  const auto now = Clock::now();
  const std::size_t size = deframer_.frame_size();
  const auto passed = std::chrono::duration_cast<milliseconds>(now - window_begun_);
  const bool fresh = another || !frame_begun_;
  if (fresh) frame_begun_ = now;
  if (!fresh && passed < service_.settings.frame_timeout) return std::nullopt;
  const std::size_t came = size - window_size_;
  window_begun_ = now;
  window_size_ = size;
  const auto wanted = static_cast<std::size_t>(passed.count() * kSlowestFrame / 1000);
  if (fresh || service_.settings.frame_timeout.count() == 0 || came >= wanted) return std::nullopt;
  return Error{"M104",
               "the frame came too slowly: " + std::to_string(came) + " bytes in " +
                   duration_text(passed) + ", and " + std::to_string(size) + " so far",
               "the sender should send it again, without pauses"};
}

// What was begun when the connection ended. The end of the stream alone may still be followed by
// answers: some senders close their half when they have sent.
asio::awaitable<void> Connection::take_rest(std::optional<Error> failure) {
  std::vector<Frame> frames;
  if (auto rest = deframer_.finish(); rest && rest->size > 0) frames.push_back(std::move(*rest));
  report_garbage(false);
  if (failure && !frames.empty()) {
    complain("connection from " + place_.address() + ": " + failure->text());
  } else if (failure) {
    log(Level::debug, failure->text());
  } else {
    log(Level::debug, "closed by the other side");
  }
  if (!frames.empty()) co_await offer(std::move(frames));
}

void Connection::add_to(Exchange& exchange, std::vector<Frame> frames) {
  for (Frame& frame : frames) {
    // Some senders keep a connection open with empty frames.
    if (frame.size == 0) continue;
    // To an acknowledgement of ours, from a sender that speaks release 2: it is no message. That
    // one came safely or not changes nothing here, as the sender asks again by sending again.
    if (committed(frame.content)) {
      service_.ports.report.count("commit_blocks_received_total");
      continue;
    }
    exchange.add(std::move(frame), service_.settings.max_size);
  }
}

void Connection::count_defects(const std::vector<Arrival>& arrivals) {
  const auto defects = std::count_if(arrivals.begin(), arrivals.end(), [](const Arrival& arrival) {
    return arrival.defect.has_value();
  });
  if (defects > 0) service_.ports.report.count("frames_defective_total", defects);
}

asio::awaitable<Connection::Next> Connection::offer(std::vector<Frame> frames) {
  Exchange exchange(stream_->peer(), service_.settings.answers);
  add_to(exchange, std::move(frames));
  if (exchange.empty()) co_return Next::go_on;
  any_frame_ = true;
  service_.ports.report.count("frames_received_total",
                              static_cast<std::int64_t>(exchange.frames()));
  if (const std::vector<Error>& findings = exchange.findings(); !findings.empty()) {
    const std::size_t more = findings.size() - 1;
    complain(
        "connection from " + place_.address() + ": " + findings.front().text() +
        (more > 0 ? " and " + std::to_string(more) + " more about the batches that came" : ""));
  }

  offering_ = true;
  const auto fresh_id = [this] { return service_.fresh_id(); };
  for (std::vector<Arrival> arrivals = exchange.next_arrivals(); !arrivals.empty();
       arrivals = exchange.next_arrivals()) {
    count_defects(arrivals);
    const auto receipts = co_await service_.intake.offer(stream_->peer(), std::move(arrivals));
    if (service_.gone) co_return Next::close;
    exchange.settle(receipts, fresh_id);
  }
  const std::string answers = exchange.answers(fresh_id);
  Result<void> written;
  if (!answers.empty()) {
    const std::array<asio::const_buffer, 1> piece{asio::buffer(answers)};
    written = co_await stream_->write(piece, service_.settings.write_timeout);
  }
  offering_ = false;
  if (written) co_return Next::go_on;
  if (!service_.gone) {
    service_.ports.report.count("acknowledgements_lost_total",
                                static_cast<std::int64_t>(exchange.frames()));
    log(Level::warning,
        "stored messages could not be acknowledged and will come again: " + written.error().text());
  }
  co_return Next::close;
}

Connection::Next Connection::report_garbage(bool framed) {
  const Deframer::Garbage garbage = deframer_.take_garbage();
  if (garbage.size > 0) {
    service_.ports.report.count("garbage_bytes_total", static_cast<std::int64_t>(garbage.size));
    if (!std::exchange(garbage_logged_, true)) {
      log(Level::warning, std::to_string(garbage.size) +
                              " bytes outside MLLP frames skipped; they " + "look like " +
                              std::string(looks_like(garbage.start)) + " [M101]");
    }
  }
  garbage_ = framed || deframer_.within_frame() ? 0 : garbage_ + garbage.size;
  if (garbage_ <= kMostGarbage) return Next::go_on;
  log(Level::warning, "closed: more than 1 MB came without an MLLP frame [M102]");
  return Next::close;
}

// Follows the traffic, so that idle connections do not keep what a burst needed.
void Connection::size_buffer(std::size_t last_read) {
  const std::size_t size = buffer_.size();
  if (last_read == size && size < kLargestBuffer) {
    buffer_ = std::vector<char>(size * 2);
  } else if (last_read < size / 8 && size > kSmallestBuffer) {
    buffer_ = std::vector<char>(size / 2);
  }
}

void Connection::complain(const std::string& text) {
  if (const auto line = service_.complaints.about(place_.address(), text)) {
    service_.ports.report.log(Level::warning, *line);
  }
}

void Connection::log(Level level, const std::string& text) {
  service_.ports.report.log(level, "connection from " + stream_->peer().address + ": " + text);
}

}  // namespace cannula::mllp
