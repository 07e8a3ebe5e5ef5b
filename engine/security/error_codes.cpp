#include "engine/security/error_codes.h"

namespace cannula::security {
namespace {

constexpr ErrorCode kCodes[] = {
    {"P101", "A peer's address is not on the partner's list",
     "The connection was closed without an answer and the attempt recorded. If the peer is the "
     "partner, its address has "
     "changed or a proxy stands between: add the address to `from` in the partner's file. Host "
     "names are not looked up."},
    {"P102", "A peer showed no certificate",
     "The partner's file names a `certificate`, so its connections must be TLS with a client "
     "certificate. The sender needs one, "
     "and the source needs `tls` with `client_ca`, the authority that signed it."},
    {"P103", "A peer's certificate names someone else",
     "The certificate is valid, but none of its subject alternative names is the one in the "
     "partner's file. Either someone "
     "else connected to this channel, or the partner's certificate was renewed under another "
     "name."},
    {"P104", "A partner sent an event that it may not send",
     "The message was refused (AR), kept on record as rejected, and the attempt recorded. If the "
     "partner is to send this event "
     "under its agreement, add it to `may` in the partner's file; `ADT^*` stands for every trigger "
     "of ADT."},
    {"P105", "A message without an event from a partner whose events are listed",
     "MSH-9 is empty or unreadable, so it cannot be known whether the partner may send this. The "
     "sender must fill it."},
    {"P121", "A secret's environment variable is not set",
     "The site names \"env:NAME\", but the engine was started without that variable. The "
     "destination or source that needs it waits, and nothing else does; set it and start the "
     "engine again. `cannula status` names what waits."},
    {"P122", "A secret file cannot be read",
     "The site names \"file:PATH\". The file must be a regular one of at most 64 KB that the user "
     "who runs cannula can read. "
     "The destination or source that needs it waits, and nothing else does; it goes on by itself "
     "when the file is there."},
    {"P123", "A secret is empty",
     "The variable or file is there but holds nothing. That is nearly always a failed rollout, so "
     "it is refused."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::security
