// What an answer of a server means for a delivery (RFC 9110, 15).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "channels/http/transfer.h"
#include "channels/transport/transport.h"

namespace cannula::http {

// 2xx is delivered; 408, 425, 429, 5xx and everything that went wrong on the way is tried again,
// not before Retry-After; the rest is refused: redirects too, because patient data goes only where
// the configuration says. `now`: seconds since 1970.
Answer verdict_on(Outcome outcome, std::int64_t now);

// Of the header Retry-After: seconds, or a date of HTTP. At most a day, and never negative.
std::optional<std::chrono::milliseconds> retry_after(std::string_view value, std::int64_t now);

}  // namespace cannula::http
