// Takes HL7 v2 messages in over MLLP: a listener, and a coroutine for each connection
// (connection.h).
#pragma once

#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::mllp {

std::span<const Option> receiver_options();
// What the options alone cannot say: M109.
Result<void> check_source(const Values& values);
Result<std::unique_ptr<Receiver>> make_receiver(const Values& values, Ports ports, Intake& intake);

}  // namespace cannula::mllp
