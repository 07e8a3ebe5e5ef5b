// Delivers messages over MLLP and reads the acknowledgements.
#pragma once

#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::mllp {

std::span<const Option> sender_options();
// What the options alone cannot say: M209.
Result<void> check_destination(const Values& values);
Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports);

}  // namespace cannula::mllp
