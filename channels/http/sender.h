// Delivers messages by HTTP requests: destinations of type "http" and "fhir".
#pragma once

#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::http {

std::span<const Option> sender_options();
std::span<const Option> fhir_sender_options();
// What `cannula check` says of either one's values beyond their types: T351.
Result<void> check_destination(const Values& values);
Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports);
Result<std::unique_ptr<Sender>> make_fhir_sender(const Values& values, Ports ports);

}  // namespace cannula::http
