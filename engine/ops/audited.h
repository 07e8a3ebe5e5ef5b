// Which acts of people are entered into the audit trail, and how: what shows a patient's data
// before it is shown, what changes something before and after. When the trail cannot be written,
// neither happens.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/security/audit/log.h"

namespace cannula::ops {

// `uid` as the kernel says it; `says` as the request does.
audit::Actor person(std::uint32_t uid, const std::string& says);

// False for questions about counts and codes. A list shows the reasons that scripts gave, and what
// waits for a row of a table the texts of messages: both may name a patient.
bool is_audited(const std::string& verb);

// Another process does it, and says when it begins and how it ends (entered.h).
bool is_done_elsewhere(const std::string& verb);

// Performs `act` with its entries around it. A verb that this file does not know is entered as
// "operator.VERB", as something that changes. `log` may be null only for what is not audited.
Result<nlohmann::json> audited(audit::Log* log, const audit::Actor& who, const std::string& verb,
                               const nlohmann::json& request,
                               const std::function<Result<nlohmann::json>()>& act);

}  // namespace cannula::ops
