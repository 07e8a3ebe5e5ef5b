#include "engine/pipeline/error_codes.h"

namespace cannula::pipeline {
namespace {

constexpr ErrorCode kCodes[] = {
    {"P301", "A message or its payload is not where the index says",
     "The journal could not give back the bytes of a message or of a delivery, which means that a "
     "segment is damaged or "
     "missing. `cannula store check` names the segment. What is lost can only come from a backup "
     "or from the sender."},
    {"P302", "A delivery was given up",
     "Every attempt failed for as long as `give_up_after` of the destination's retry table allows, "
     "so the delivery and its "
     "message are dead. The reason of the last attempt is in the text. When the other side is well "
     "again, put it back to work "
     "with `cannula msg resend ID --delivery N`; the idempotency key stays the same."},
    {"P303", "The engine stopped while a sender waited for more than the disk",
     "With ack = \"processed\" or \"delivered:…\" the sender is told what became of its message. "
     "The message itself is on "
     "disk and is worked at the next start; the sender got no good answer and will send it again."},
    {"P304", "There is no such message or delivery",
     "The id is well formed, but this store has no message of that name. Ids belong to one store: "
     "see that the site is the right "
     "one, and list what it has with `cannula msg list`."},
    {"P305", "A message belongs to a channel or destination that is not configured",
     "The channel or destination was renamed or removed while messages still belonged to it. They "
     "stay in the store and go on "
     "when it is configured again under the same name."},
    {"P306", "A script asked for a secret that the site does not name",
     "secret(\"NAME\") finds what [secrets] in site.toml lists. Add NAME = \"env:VARIABLE\" or "
     "NAME = \"file:PATH\" there."},
    {"P307", "A setting cannot be changed while the engine runs",
     "The store's folder and the admin listener are opened once. Everything else of a site is "
     "taken over by a reload."},
    {"P308", "A message cannot be resent because it still waits for its script",
     "It has not been worked yet, so nothing of it can have failed. `cannula status` tells whether "
     "its channel is paused."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::pipeline
