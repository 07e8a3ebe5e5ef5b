// Takes messages in over HTTP, for one channel: its place on a listener (server.h) that it may
// share with others.
#pragma once

#include <memory>
#include <span>

#include "channels/http/server.h"
#include "channels/transport/transport.h"

namespace cannula::http {

// What `cannula check` says of a source's values beyond their types: T314.
Result<void> check_source(const Values& values);

std::span<const Option> receiver_options();
Result<std::unique_ptr<Receiver>> make_receiver(std::shared_ptr<Servers> servers,
                                                const Values& values, const Ports& ports,
                                                Intake& intake);

}  // namespace cannula::http
