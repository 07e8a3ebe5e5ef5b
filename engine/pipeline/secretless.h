// What a destination is given whose secret is not there when the engine starts, so that it alone
// waits and the rest of the site runs.
#pragma once

#include <functional>
#include <memory>

#include "channels/transport/transport.h"

namespace cannula::pipeline {

// Whether it says that a secret cannot be read (P121 to P123).
bool is_missing_secret(const Error& error);

using MakeSender = std::function<Result<std::unique_ptr<Sender>>()>;

// A sender whose attempts fail with what `make` answers, until it makes the real one: a file with a
// secret may come while the engine runs. Used, and `make` called, on its executor.
std::unique_ptr<Sender> secretless_sender(MakeSender make);

}  // namespace cannula::pipeline
