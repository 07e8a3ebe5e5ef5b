// What a channel's script answers to a sender that waits for it, in place of the transport's own
// acknowledgement.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "parsers/text/span.h"

namespace cannula {

struct Reply {
  unsigned status = 200;  // of HTTP, 200 to 599; other transports send the body alone
  std::vector<std::pair<std::string, std::string>> headers{};  // of HTTP
  // Null: empty over HTTP, and the transport's own acknowledgement over others; empty: no
  // acknowledgement at all over others.
  Bytes body{};
};

}  // namespace cannula
