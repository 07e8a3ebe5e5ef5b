// Takes messages in from the files of a folder.
#pragma once

#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::file {

std::span<const Option> receiver_options();
Result<std::unique_ptr<Receiver>> make_receiver(const Values& values, Ports ports, Intake& intake);

}  // namespace cannula::file
