#include "channels/http/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/http/text.h"
#include "channels/transport/network.h"

namespace cannula::http {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Level = Report::Level;

namespace {

// A thousand idle connections hold 4 MB, a busy one reads 64 KB at once.
constexpr std::size_t kSmallestBuffer = 4 * 1024;
constexpr std::size_t kLargestBuffer = 64 * 1024;
constexpr std::size_t kLargeBody = 64 * 1024;
// Slower than this in one body_timeout, a body is not waited for: it would hold a connection, and
// the memory of what came fast before, for as long as the sender likes.
constexpr std::int64_t kSlowestBody = 1024;  // bytes a second
// Before that nobody can say how fast one comes.
constexpr milliseconds kFirstLook{2000};
constexpr milliseconds kShutdown{1000};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool too_slow(std::size_t came, Connection::Clock::duration passed) {
  const auto time = std::chrono::duration_cast<milliseconds>(passed).count();
  return came < static_cast<std::size_t>(time * kSlowestBody / 1000);
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

Problem problem_of(unsigned status, std::string code, std::string what, std::string what_next) {
  Problem problem;
  problem.status = status;
  problem.reason = Error(std::move(code), std::move(what), std::move(what_next));
  return problem;
}

Problem busy(std::string what) {
  Problem problem = problem_of(503, "T310", std::move(what), "send it again in a moment");
  problem.headers.emplace_back("Retry-After", "1");
  return problem;
}

Problem too_large(std::size_t most) {
  return problem_of(413, "T305", "the body has more than " + std::to_string(most) + " bytes",
                    "send it in parts, or have max_size of the source raised");
}

}  // namespace

// One request on its way through the connection.
struct Connection::Request {
  explicit Request(std::size_t max_header) : parser(max_header) {}

  const RequestHead* head() const { return parser.head_done() ? &parser.head() : nullptr; }

  std::string take_body() { return beginning.empty() ? parser.take_body() : std::move(beginning); }

  RequestParser parser;
  std::string beginning;  // of a body that is announced as too large
  std::optional<Target> target;
  std::shared_ptr<Mount> mount;
  std::optional<Problem> problem;
  bool answerable = true;  // false when the other side has gone
  bool in_step = false;    // the whole request has been read: another can follow
};

Connection::Connection(std::shared_ptr<Server> server, std::string address,
                       std::unique_ptr<Stream> stream)
    : server_(std::move(server)),
      stream_(std::move(stream)),
      buffer_(kSmallestBuffer),
      waiting_since_(Clock::now()),
      place_(server_->places, std::move(address), *this) {
  server_->connections.insert(this);
}

Connection::~Connection() {
  charge(0);
  server_->connections.erase(this);
}

asio::awaitable<void> Connection::serve(std::shared_ptr<Server> server,
                                        std::shared_ptr<TlsContext> tls,
                                        asio::ip::tcp::socket socket, std::string address) {
  Connection connection(std::move(server), std::move(address), make_stream(std::move(socket), tls));
  if (co_await connection.open(tls.get())) co_await connection.run();
}

void Connection::stop(bool at_once) {
  if (working_ && !at_once) return;
  stream_->close();
  if (question_) question_->answered.cancel();
}

std::optional<Connection::Clock::time_point> Connection::waiting_since() const {
  if (waiting_since_ || !body_begun_) return waiting_since_;
  const auto passed = Clock::now() - *body_begun_;
  return passed > kFirstLook && too_slow(charged_, passed) ? body_begun_ : std::nullopt;
}

void Connection::evict() {
  stop(false);
}

std::optional<Connection::Clock::time_point> Connection::large_body_since() const {
  return charged_ > kLargeBody && !given_up_ ? body_begun_ : std::nullopt;
}

void Connection::give_up() {
  given_up_ = true;
  charge(0);  // it is let go of as soon as the wait has ended
  stream_->stop_reading();
}

asio::awaitable<bool> Connection::open(TlsContext* tls) {
  server_->report().count("connections_total", 1);
  const auto shaken = co_await stream_->handshake(server_->limits().handshake_timeout);
  if (server_->ending() || !place_.held()) co_return false;
  if (const auto note = take_note(tls)) server_->complain(note->text);
  if (!shaken) {
    server_->report().turned_away("connections_failed_total", place_.address(), shaken.error());
    server_->complain(shaken.error().text());
    co_return false;
  }
  co_return true;
}

asio::awaitable<void> Connection::run() {
  while (!server_->ending() && place_.held()) {
    const Next next = co_await serve_one();
    charge(0);
    if (next == Next::close) break;
  }
  waiting_since_ = Clock::now();
  co_await stream_->shutdown(kShutdown);
}

asio::awaitable<Connection::Next> Connection::serve_one() {
  waiting_since_ = Clock::now();
  const std::size_t max_header = server_->limits().max_header;
  Request request(max_header);
  const bool come = co_await read_head(request);
  if (!come) co_return Next::close;
  waiting_since_.reset();
  working_ = false;
  if (!request.problem) {
    if (auto response = answer_at_once(request)) {
      // A body that belongs to it has not been read.
      request.in_step = request.parser.done();
      co_return co_await answer(request, *std::move(response));
    }
    Problem refusal;
    if (!co_await admitted(request.mount, refusal)) {
      if (refusal.status == 0) co_return Next::close;
      co_return co_await answer(request, response_of(refusal));
    }
    body_begun_ = Clock::now();
    co_await read_body(request);
    body_begun_.reset();
  }
  co_return co_await settle(request);
}

// Whether there is something to answer: a whole head, or a problem with it.
asio::awaitable<bool> Connection::read_head(Request& request) {
  const ListenerLimits limits = server_->limits();
  Clock::time_point deadline = Clock::now() + limits.header_timeout;
  if (input_.empty() && !std::exchange(fresh_, false)) {
    // Between requests a connection may rest for longer than within one.
    const bool for_ever = limits.idle_timeout.count() == 0;
    const auto idle =
        Clock::now() + (for_ever ? std::chrono::hours(24 * 365) : limits.idle_timeout);
    resting_ = true;
    const Input input = co_await read_more(idle, limits.idle_timeout);
    resting_ = false;
    if (input != Input::bytes) co_return false;
    deadline = Clock::now() + limits.header_timeout;
  }
  while (true) {
    input_.erase(0, request.parser.put(input_));
    request.problem = request.parser.problem();
    if (request.problem || request.parser.head_done()) break;
    const Input input = co_await read_more(deadline, limits.header_timeout);
    if (input == Input::bytes) continue;
    const bool silent = input_.empty() && !request.parser.begun();
    if (input == Input::end || silent || server_->ending() || !place_.held()) co_return false;
    request.problem =
        problem_of(408, "T304",
                   "the request's head did not come within " + duration_text(limits.header_timeout),
                   "send it again, without pauses");
    break;
  }
  server_->report().count("requests_total", 1);
  if (request.problem) {
    server_->complain("a request from " + stream_->peer().address +
                      " was refused: " + request.problem->reason.text());
  }
  co_return true;
}

// What needs no intake: who has no channel, or asks what the channel does not offer.
std::optional<Response> Connection::answer_at_once(Request& request) {
  const RequestHead& head = *request.head();
  request.target = Target::parse(head.target);
  if (!request.target) {
    if (head.method == "OPTIONS" && head.target == "*") return Response{204, {}, nullptr};
    return response_of(problem_of(400, "T301", "the request's target is not a plain path",
                                  "ask for a path such as /hooks/lab, without . or .. in it"));
  }
  const Server::Found found = server_->find(request.target->path);
  if (found.left || (found.mount && !found.mount->open())) {
    return response_of(busy("the channel is being stopped or reloaded"));
  }
  if (!found.mount) {
    return response_of(problem_of(404, "T302", "no channel listens on this path",
                                  "see `path` in the channel's [source], and the URL that the "
                                  "sender was given"));
  }
  request.mount = found.mount;
  const MountSettings& settings = found.mount->settings();
  const auto& methods = settings.methods;
  const bool wanted = std::find(methods.begin(), methods.end(), head.method) != methods.end();
  const std::string allow = joined(methods);
  if (!wanted && (head.method == "OPTIONS" || head.method == "HEAD")) {
    return Response{204, {{"Allow", allow}}, nullptr};
  }
  if (!wanted) {
    Problem problem = problem_of(405, "T303", "the channel takes " + allow + " only",
                                 "send it so, or add the method to `methods` of the source");
    problem.headers.emplace_back("Allow", allow);
    return response_of(problem);
  }
  const bool has_length = head.content_length || head.chunked;
  if (!has_length && (head.method == "POST" || head.method == "PUT" || head.method == "PATCH")) {
    return response_of(problem_of(411, "T306", "the request does not say how long its body is",
                                  "send Content-Length, or the body in chunks"));
  }
  if (const std::string coding = head.header("content-encoding");
      !coding.empty() && !iequals(coding, "identity")) {
    Problem problem = problem_of(415, "T307", "the body is encoded, such as compressed",
                                 "send it without Content-Encoding");
    problem.headers.emplace_back("Accept-Encoding", "identity");
    return response_of(problem);
  }
  return std::nullopt;
}

// Asked once a connection and channel, before the body is read. The status of the refusal is 0 when
// nobody waits for an answer any more.
asio::awaitable<bool> Connection::admitted(const std::shared_ptr<Mount>& mount, Problem& refusal) {
  if (std::find(admitted_.begin(), admitted_.end(), mount) != admitted_.end()) co_return true;
  std::erase_if(admitted_, [](const auto& known) { return !known->open(); });
  auto question = std::make_shared<Mount::Question>(server_->executor());
  Mount::ask_admission(mount, question, stream_->peer());
  refusal.status = 0;
  if (!co_await wait_for(question) || !question->admission) co_return false;
  if (*question->admission) {
    admitted_.push_back(mount);
    co_return true;
  }
  const Error& reason = question->admission->error();
  if (reason.code == "T310") {
    refusal = busy(reason.message);
  } else {
    // Who may not connect learns no more than that: the reason is in the log and the audit.
    refusal = problem_of(403, reason.code, "this sender may not use this channel",
                         "ask the people who run it");
  }
  co_return false;
}

asio::awaitable<void> Connection::read_body(Request& request) {
  const MountSettings& settings = request.mount->settings();
  const RequestHead& head = *request.head();
  RequestParser& parser = request.parser;
  if (head.content_length && *head.content_length > settings.max_size) {
    request.beginning = std::move(input_);
    request.problem = too_large(settings.max_size);
    co_return;
  }
  if (head.expects_continue && !parser.done() && input_.empty()) {
    const std::array<asio::const_buffer, 1> piece{asio::buffer(kContinue)};
    const auto written = co_await stream_->write(piece, server_->limits().write_timeout);
    if (!written) request.answerable = false;
  }
  auto window = Clock::now();
  std::size_t window_size = 0;
  while (!parser.done()) {
    input_.erase(0, parser.put(input_));
    charge(parser.body_size());
    if (parser.problem()) {
      request.problem = parser.problem();
      co_return;
    }
    if (parser.body_size() > settings.max_size) {
      request.problem = too_large(settings.max_size);
      co_return;
    }
    if (parser.done()) body_begun_.reset();
    server_->free_memory();
    if (parser.done()) break;
    const auto now = Clock::now();
    bool slow = false;
    if (now - window >= settings.body_timeout) {
      slow = too_slow(parser.body_size() - window_size, now - window);
      window = now;
      window_size = parser.body_size();
    }
    Input input = Input::timeout;
    if (!slow && !given_up_) {
      input = co_await read_more(now + settings.body_timeout, settings.body_timeout);
    }
    if (given_up_) {
      note_given_up(request);
      co_return;
    }
    if (input == Input::bytes) continue;
    if (input == Input::end) request.answerable = false;
    const std::string got = std::to_string(parser.body_size()) + " bytes";
    request.problem =
        input == Input::end
            ? problem_of(400, "T304", "the body was cut off after " + got,
                         "the sender should send it again")
            : problem_of(408, "T304", "the body stopped, or came too slowly, after " + got,
                         "send it again, without pauses");
    co_return;
  }
  request.in_step = true;
}

void Connection::note_given_up(Request& request) {
  const std::size_t came = request.take_body().size();
  request.problem = busy("more is being received than may be held at once");
  request.mount->report().count("requests_given_up_total", 1);
  server_->complain("a body from " + place_.address() + " was given up after " +
                    std::to_string(came) + " bytes, because all that are being received hold " +
                    "more than " + std::to_string(server_->limits().max_memory) +
                    " (raise max_memory if such bodies are wanted) [T310]");
}

asio::awaitable<Connection::Input> Connection::read_more(Clock::time_point deadline,
                                                         milliseconds timeout) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  if (left.count() <= 0) co_return Input::timeout;
  if (timeout.count() > 0) timeout = std::min(timeout, left);
  // A read that times out ends the stream. Within a request of a plain connection the wait comes
  // first, so that 408 can still be answered; over TLS nobody can say whether a record is here.
  if (!resting_ && !stream_->peer().over_tls) {
    const bool readable = co_await stream_->wait_readable(timeout);
    if (!readable) co_return Input::timeout;
  }
  const auto count = co_await stream_->read_some(asio::buffer(buffer_), timeout);
  if (!count) co_return count.error().code == "T104" ? Input::timeout : Input::end;
  if (*count == 0) co_return Input::end;
  server_->report().count("bytes_received_total", static_cast<std::int64_t>(*count));
  input_.append(buffer_.data(), *count);
  size_buffer(*count);
  co_return Input::bytes;
}

// Offers what came and answers it. What is defective is kept where the head was whole, a channel
// was found and the sender is admitted; only a lack of room is answered without a trace.
asio::awaitable<Connection::Next> Connection::settle(Request& request) {
  if (!request.mount || (request.problem && request.problem->status == 503)) {
    co_return co_await answer(request, response_of(*request.problem));
  }
  const RequestHead& head = *request.head();
  const Mount::Exchange exchange(request.mount);
  if (!request.mount->open()) {
    co_return co_await answer(request, response_of(busy("the channel is being reloaded")));
  }
  std::optional<Error> defect;
  if (request.problem) {
    defect = request.problem->reason;
    request.mount->report().count("requests_defective_total", 1);
  }
  Arrival arrival =
      arrival_of(head, *request.target, request.take_body(), request.mount->settings().key_header,
                 stream_->peer().address, std::move(defect));
  const Bytes body = arrival.body;
  working_ = true;
  const std::optional<Receipt> receipt = co_await offer(request.mount, std::move(arrival));
  if (!receipt) co_return Next::close;
  const Next next = co_await answer(
      request, answer_of(head, *body, *receipt, request.mount->settings(), request.problem));
  working_ = false;
  co_return next;
}

asio::awaitable<std::optional<Receipt>> Connection::offer(const std::shared_ptr<Mount>& mount,
                                                          Arrival arrival) {
  auto question = std::make_shared<Mount::Question>(server_->executor());
  Mount::offer(mount, question, stream_->peer(), std::move(arrival));
  if (!co_await wait_for(question)) co_return std::nullopt;
  co_return std::move(question->receipt);
}

// False when the connection was closed meanwhile.
asio::awaitable<bool> Connection::wait_for(std::shared_ptr<Mount::Question> question) {
  question_ = question;
  co_await question->answered.async_wait(asio::as_tuple(asio::use_awaitable));
  question_.reset();
  co_return question->admission.has_value() || question->receipt.has_value();
}

asio::awaitable<Connection::Next> Connection::answer(const Request& request, Response response) {
  if (!request.answerable) co_return Next::close;
  const RequestHead* const head = request.head();
  Framing framing;
  framing.version = head != nullptr ? head->version : 11;
  framing.keep_alive =
      request.in_step && head != nullptr && head->keep_alive && !server_->ending() && place_.held();
  framing.without_body = head != nullptr && head->method == "HEAD";
  const std::string text = head_of(response, framing);
  const bool with_body = response.body && has_body(response.status) && !framing.without_body;
  const std::array<asio::const_buffer, 2> pieces{
      asio::buffer(text), with_body ? asio::buffer(*response.body) : asio::const_buffer()};
  const auto written = co_await stream_->write(pieces, server_->limits().write_timeout);
  if (!written) {
    server_->report().count("answers_lost_total", 1);
    co_return Next::close;
  }
  co_return framing.keep_alive ? Next::go_on : Next::close;
}

void Connection::charge(std::size_t bytes) {
  server_->memory = server_->memory - charged_ + bytes;
  charged_ = bytes;
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

}  // namespace cannula::http
