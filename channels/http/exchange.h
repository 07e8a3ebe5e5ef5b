// Between HTTP and the intake: what a request becomes, and what a receipt is answered with.
#pragma once

#include <optional>
#include <string>

#include "channels/http/mount.h"
#include "channels/http/request.h"
#include "channels/http/target.h"

namespace cannula::http {

// The JSON object of Arrival::attributes: {"method", "path", "target", "query", "headers"}, without
// what is to log in with.
std::string attributes_of(const RequestHead& head, const Target& target);

// The request as the intake takes it. With a `defect` it is kept as rejected, at most 64 KB of it.
Arrival arrival_of(const RequestHead& head, const Target& target, std::string body,
                   const std::string& key_header, const std::string& peer_address,
                   std::optional<Error> defect);

// `body` is that of the request: HL7 v2 is answered with an HL7 v2 acknowledgement where the sender
// says it speaks "HL7 over HTTP" (content type application/hl7-v2 or x-application/hl7-v2+er7).
// `problem` is what the request was refused for before the intake saw it.
Response answer_of(const RequestHead& head, const std::string& body, const Receipt& receipt,
                   const MountSettings& settings, const std::optional<Problem>& problem);

}  // namespace cannula::http
