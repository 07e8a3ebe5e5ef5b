// What an answer of a server means for a delivery (RFC 9110, 15).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "channels/http/fhir_answer.h"
#include "channels/http/transfer.h"
#include "channels/transport/transport.h"

namespace cannula::http {

// 2xx is delivered, of a FHIR server when its answer says so too (fhir_answer.h). 408, 425, 429,
// 5xx and everything that went wrong on the way is tried again, not before Retry-After. So is what
// concerns the destination and not the message: 401, 403, 407, redirects, which are not followed
// because patient data goes only where the configuration says, and 404 of the address that takes
// transactions. The rest is refused. `now`: seconds since 1970. `asked`: of a FHIR server; null of
// any other.
Answer verdict_on(Outcome outcome, std::int64_t now, const FhirRequest* asked = nullptr);

// Of the header Retry-After: seconds, or a date of HTTP. At most a day, and never negative.
std::optional<std::chrono::milliseconds> retry_after(std::string_view value, std::int64_t now);

}  // namespace cannula::http
