// Requests of HTTP/1.1 (RFC 9112), read from bytes however they are cut. The grammar is
// Boost.Beast's, which stays in request.cpp; what Beast lets pass and another reader on the way
// could understand differently is refused here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "channels/http/response.h"

namespace cannula::http {

struct RequestHead {
  std::string method;
  std::string target;
  unsigned version = 11;  // 10 or 11
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;
  std::vector<std::pair<std::string, std::string>> headers;  // names in small letters, in order

  // All values of one name joined by ", " (RFC 9110, 5.3); empty when there is none.
  std::string header(std::string_view name) const;
  bool has(std::string_view name) const;
};

// Reads one request; another is made for the next. Not thread-safe.
class RequestParser {
 public:
  // `max_header`: bytes of request line and headers together.
  explicit RequestParser(std::size_t max_header);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Reads on in `bytes` and says how many it has used; the rest must be given again, with more
  // behind it. Stops behind the head, and behind the end of the request. After a problem nobody
  // knows where the next request begins, so the connection must end.
  std::size_t put(std::string_view bytes);
  const std::optional<Problem>& problem() const { return problem_; }

  bool begun() const { return head_size_ > 0; }
  bool head_done() const { return head_.has_value(); }
  bool done() const;
  const RequestHead& head() const { return *head_; }  // when head_done()

  std::size_t body_size() const;
  std::string take_body();  // what there is of it so far

 private:
  struct Grammar;

  void read_head();
  void fail(unsigned status, std::string code, std::string what, std::string what_next);
  void fail_grammar(std::string_view what);

  std::unique_ptr<Grammar> grammar_;
  std::size_t max_header_;
  std::size_t head_size_ = 0;
  std::optional<RequestHead> head_;
  std::optional<Problem> problem_;
};

}  // namespace cannula::http
