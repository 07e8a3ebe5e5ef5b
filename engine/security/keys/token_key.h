// A master key that lies in a token (a hardware security module, a smart card) and never leaves it:
// the token wraps and unwraps. PKCS#11 2.40, by way of p11-kit.
//
// Nothing is kept open between uses. Each key object holds a session of its own as long as it
// lives, which is for the start of the engine, for the first message of a channel, or for a
// rotation. So a token that is put back is used again, and one that is gone disturbs only who needs
// it.
//
// Thread-safe. Modules are initialised while somebody has a session, finalised with the last one,
// and stay loaded until the process ends: not every vendor's can be unloaded. Not to be used
// between fork() and exec(); p11-kit then answers that the module is not initialised (K116).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/security/keys/master_key.h"
#include "engine/security/keys/token_uri.h"

namespace cannula::security {

// Asked for the PIN of a token that wants one. Null: none is named in the site.
using PinSource = std::function<Result<std::string>()>;

// Finds the token and the key, and signs in. K111 when the module does not load, K112 when the
// token is not there, K113 for the PIN, K114 when the PIN is locked or one try from it (which is
// not taken), K115 when the key is not there, K116 when the token refuses, K117 when the key is not
// one that may wrap; what `pin` answers. What wrap() and unwrap() answer: K112, K116. A token that
// fails at unwrap() is tried with a key wrapped for that: only if it can unwrap that one is the
// answer "nothing", which says that what was wrapped has changed.
Result<std::shared_ptr<const MasterKey>> token_key(const TokenUri& uri, const PinSource& pin);

// `uri` as a source of master keys: the key is looked for at each use.
MasterKeySource master_key_in_token(std::shared_ptr<const TokenUri> uri, PinSource pin);

// What a token's answer (a CK_RV of PKCS#11) means when it was asked to do `what`.
Error token_error(unsigned long answer, const std::string& what, const std::string& place);

}  // namespace cannula::security
