// What is answered: a status, headers and a body, and the bytes they make.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parsers/text/result.h"
#include "parsers/text/span.h"

namespace cannula::http {

struct Response {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};
  Bytes body{};  // null: empty
};

// A request that is not taken: the error becomes a body of application/problem+json (RFC 9457) that
// says what and what next.
struct Problem {
  unsigned status = 400;
  Error reason{};
  std::vector<std::pair<std::string, std::string>> headers{};  // such as Allow, Retry-After
};

// "Not Found"; "Status 299" where there is no name for it.
std::string reason_phrase(unsigned status);

// `id`, where there is one, names what was kept of the request.
Response response_of(const Problem& problem, std::string_view id = {});
// {"id": …}
Response response_with_id(unsigned status, std::string_view id);

struct Framing {
  unsigned version = 11;      // of the request: 10 or 11
  bool keep_alive = true;     // whether the connection goes on
  bool without_body = false;  // the answer to HEAD: all but the body
};
// Status line and headers, with Date, Content-Length and Connection. Headers that would break the
// framing are left out.
std::string head_of(const Response& response, const Framing& framing);
bool has_body(unsigned status);

}  // namespace cannula::http
