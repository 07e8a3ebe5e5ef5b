// Takes messages in from the files of a folder.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "channels/transport/transport.h"

namespace cannula::file {

std::span<const Option> receiver_options();
// Whether the folder is one (F101), and what somebody put where the engine's own belong (F107).
Result<void> look_at_source(const Values& values, const std::filesystem::path& site);
Result<std::unique_ptr<Receiver>> make_receiver(const Values& values, Ports ports, Intake& intake);

}  // namespace cannula::file
