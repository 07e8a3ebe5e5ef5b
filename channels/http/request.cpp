#include "channels/http/request.h"

#include <algorithm>
#include <limits>

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include "channels/http/text.h"

namespace cannula::http {

namespace beast_http = boost::beast::http;
using Failure = beast_http::error;

namespace {

// A chunk's header or a trailer that is not whole after this much is no chunk header.
constexpr std::size_t kMostBetweenChunks = 8 * 1024;

constexpr std::string_view kKnownMethods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                              "PATCH", "DELETE", "OPTIONS"};

// Whether the request line ends as one of HTTP does, so that the version alone is wrong.
bool names_a_version(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find("\r\n"));
  const std::size_t at = line.rfind(" HTTP/");
  return at != std::string_view::npos && line.size() == at + 9 && line[at + 7] == '.' &&
         line.find(' ', line.find(' ') + 1) == at;
}

// Beast's string_body reserves what Content-Length announces; this grows with what really comes.
struct GrowingBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(beast_http::header<isRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>&, boost::system::error_code& failure) {
      failure = {};
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& failure) {
      failure = {};
      const std::size_t before = body_.size();
      for (const boost::asio::const_buffer piece : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(piece.data()), piece.size());
      }
      return body_.size() - before;
    }
    void finish(boost::system::error_code& failure) { failure = {}; }

   private:
    value_type& body_;
  };
};

}  // namespace

struct RequestParser::Grammar {
  beast_http::request_parser<GrowingBody> parser;
};

std::string RequestHead::header(std::string_view name) const {
  std::string value;
  bool first = true;
  for (const auto& [found, text] : headers) {
    if (found != name) continue;
    if (!std::exchange(first, false)) value += ", ";
    value += text;
  }
  return value;
}

bool RequestHead::has(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [name](const auto& header) { return header.first == name; });
}

RequestParser::RequestParser(std::size_t max_header)
    : grammar_(std::make_unique<Grammar>()), max_header_(max_header) {
  auto& parser = grammar_->parser;
  // Both limits are kept here: Beast's counts each field alone, and its body limit cannot be set
  // after the head, when the channel and so the limit is known.
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(boost::none);
  parser.eager(false);
}

RequestParser::~RequestParser() = default;

bool RequestParser::done() const {
  return grammar_->parser.is_done();
}
std::size_t RequestParser::body_size() const {
  return grammar_->parser.get().body().size();
}
std::string RequestParser::take_body() {
  return std::move(grammar_->parser.get().body());
}

void RequestParser::fail(unsigned status, std::string code, std::string what,
                         std::string what_next) {
  Problem problem;
  problem.status = status;
  problem.reason = Error(std::move(code), std::move(what), std::move(what_next));
  problem_ = std::move(problem);
}

void RequestParser::fail_grammar(std::string_view what) {
  fail(400, "T301", "the request is not HTTP/1.1 that can be read: " + std::string(what),
       "see that the sender speaks HTTP/1.1 (RFC 9112) and not TLS, HTTP/2 or something else on "
       "this port");
}

std::size_t RequestParser::put(std::string_view bytes) {
  auto& parser = grammar_->parser;
  const bool in_head = !head_done();
  std::size_t used = 0;
  boost::system::error_code failure;
  while (!problem_ && !parser.is_done() && used < bytes.size()) {
    // Empty lines before a request are passed over (RFC 9112, 2.2).
    if (!parser.got_some() && bytes.substr(used).starts_with("\r\n")) {
      used += 2;
      head_size_ += 2;
      continue;
    }
    if (!parser.got_some() && bytes.substr(used) == "\r") break;
    const std::size_t count = parser.put({bytes.data() + used, bytes.size() - used}, failure);
    used += count;
    if (in_head) head_size_ += count;
    if (failure || parser.is_header_done() == in_head) break;
  }
  const std::string_view left = bytes.substr(used);
  if (in_head && head_size_ + (parser.is_header_done() ? 0 : left.size()) > max_header_) {
    const bool long_line = parser.is_header_done()
                               ? parser.get().target().size() > max_header_
                               : head_size_ == 0 && left.find("\r\n") > max_header_;
    fail(long_line ? 414 : 431, "T308",
         "the request line and headers have more than " + std::to_string(max_header_) + " bytes",
         "send fewer or shorter headers, or have max_header of the source raised");
  } else if (failure == Failure::bad_version && names_a_version(left)) {
    fail(505, "T301", "the request is not of HTTP/1.0 or HTTP/1.1", "send HTTP/1.1");
  } else if (failure && failure != Failure::need_more) {
    fail_grammar(failure.message());
  } else if (in_head && parser.is_header_done()) {
    read_head();
  } else if (!in_head && head_->chunked && failure && left.size() > kMostBetweenChunks) {
    fail_grammar("a chunk without an end to its header");
  }
  return used;
}

// What is checked here is what request smuggling is made of: two readers who disagree about where a
// request ends (RFC 9112, 6.1, 6.3 and 11.2).
void RequestParser::read_head() {
  const auto& parser = grammar_->parser;
  const auto& message = parser.get();
  RequestHead head;
  head.method = std::string(message.method_string());
  head.target = std::string(message.target());
  head.version = message.version();
  head.keep_alive = parser.keep_alive();
  head.chunked = parser.chunked();
  std::size_t hosts = 0, lengths = 0;
  for (const auto& field : message) {
    std::string name = lower({field.name_string().data(), field.name_string().size()});
    hosts += name == "host" ? 1 : 0;
    lengths += name == "content-length" ? 1 : 0;
    head.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  const std::string length = head.header("content-length");
  const std::string coding = head.header("transfer-encoding");
  const std::string expectation = head.header("expect");

  if (lengths > 1 || length.find(',') != std::string::npos) {
    return fail_grammar("there is more than one Content-Length");
  }
  if (head.has("transfer-encoding") && (lengths > 0 || head.version == 10)) {
    return fail_grammar(lengths > 0 ? "there are both Content-Length and Transfer-Encoding"
                                    : "HTTP/1.0 has no Transfer-Encoding");
  }
  if (head.has("transfer-encoding") && !iequals(trimmed(coding), "chunked")) {
    return fail(501, "T311", "the transfer coding is not understood; only \"chunked\" is",
                "send the body with Content-Length or in chunks");
  }
  if (hosts > 1 || (hosts == 0 && head.version == 11)) {
    return fail_grammar(hosts > 1 ? "there is more than one Host" : "there is no Host");
  }
  if (std::find(std::begin(kKnownMethods), std::end(kKnownMethods), head.method) ==
      std::end(kKnownMethods)) {
    return fail(501, "T311", "the method is none that is known here",
                "send GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
  }
  if (!expectation.empty() && !iequals(expectation, "100-continue")) {
    return fail(417, "T311", "the expectation is not understood; only \"100-continue\" is",
                "leave the header Expect out");
  }
  head.expects_continue = !expectation.empty() && head.version == 11;
  if (lengths > 0) head.content_length = parser.content_length().value_or(0);
  head_ = std::move(head);
}

}  // namespace cannula::http
