// Delivers messages over MLLP and reads the acknowledgements.
#pragma once

#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::mllp {

std::span<const Option> sender_options();
Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports);

}  // namespace cannula::mllp
