// Delivers messages as files.
#pragma once

#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::file {

std::span<const Option> sender_options();
Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports);

}  // namespace cannula::file
