#include "engine/ops/error_codes.h"

namespace cannula::ops {
namespace {

constexpr ErrorCode kCodes[] = {
    {"U201", "A question to the site is not of the right form",
     "A message id, a state or a limit is not what it should be. The text says which and what is "
     "possible."},
    {"U202", "No engine answers on the control socket",
     "Verbs that ask a running engine reach it over state/control.sock. When none runs they open "
     "the store themselves; this is "
     "seen where that is not possible."},
    {"U203", "The control socket or the admin listener failed",
     "The system's own words are in the text. The folder of the store must exist and belong to the "
     "user who runs cannula, and "
     "the admin address must be free."},
    {"U204", "Engine and command line do not understand each other",
     "The running engine is of another version than the command. Restart the engine after an "
     "upgrade."},
    {"U205", "The site has not run yet",
     "There is no store in the site's state folder, so there are no messages to ask about. "
     "`cannula run` makes it."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::ops
