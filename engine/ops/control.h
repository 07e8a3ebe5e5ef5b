// The two HTTP faces of a running engine, and how the command line reaches the first of them.
//
// The control socket, state/control.sock, for this user only: POST /VERB, JSON both ways. The verbs
// are "reload" and those of perform() in control.cpp.
//
// The admin listener, [admin] listen, without patient data: GET /livez, /readyz and /metrics.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/ops/http_server.h"
#include "engine/ops/operations.h"
#include "engine/pipeline/engine.h"

namespace cannula::ops {

// Reads the site again and goes over to it; the findings, none when it did.
using Reload = std::function<std::vector<Diagnostic>()>;

HttpHandler control_handler(pipeline::Engine& engine, Reload reload);
HttpHandler admin_handler(const pipeline::Engine& engine);

std::filesystem::path control_socket(const config::Site& site);

// Asks the running engine; nothing when none runs.
Result<std::optional<nlohmann::json>> ask_engine(const config::Site& site, const std::string& verb,
                                                 const nlohmann::json& request);
// Asks the running engine, or else the store itself when none runs. Any verb but "reload".
Result<nlohmann::json> ask_site(const config::Site& site, const std::string& verb,
                                const nlohmann::json& request);

}  // namespace cannula::ops
