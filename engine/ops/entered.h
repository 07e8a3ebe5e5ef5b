// What another process than the engine does with a site (a backup, a change of its keys), entered
// into the audit trail: by the engine that runs, whose the trail is, or else by that process, while
// it holds the store. All of it blocks, for half a minute at most while somebody opens the store.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/config/site.h"

namespace cannula::ops {

// Gives the number of the entry. `request`: {"actor", "outcome", …}; `outcome` is "begun", "done"
// or "failed". `at_rest` is done with it where no engine runs. A101: the trail does not take it.
Result<std::uint64_t> enter(const config::Site& site, const std::string& verb,
                            const nlohmann::json& request,
                            const std::function<void()>& at_rest = {});

// Enters that the act begins, does it, and enters how it ended. A101: its begin could not be
// entered, and nothing was done. U205: there is no store. `request`: {"actor", …}. Texts of the
// answer, also in lists, that an entry of `verb` has are in the last one; of a failure, what it
// says. Where its end could not be entered the answer has "audit_trouble".
Result<nlohmann::json> entered(const config::Site& site, const std::string& verb,
                               nlohmann::json request,
                               const std::function<Result<nlohmann::json>()>& act);

// Where the journal ends. `running` is set when an engine has said so.
Result<std::uint64_t> end_of_journal(const config::Site& site, bool& running);

}  // namespace cannula::ops
