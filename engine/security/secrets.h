// Secrets, read when they are needed and kept nowhere else.
#pragma once

#include <string>

#include "channels/transport/options.h"
#include "parsers/text/result.h"

namespace cannula::security {

struct Secret {
  std::string text;  // without the newline that editors put at the end of a file
  std::string
      warning;  // a readable-by-everyone file; empty when all is well. Never holds the secret.
};

// Reads the variable or file now, so that a rotated secret is seen at the next use. Errors
// (P121–P123) name the variable or file, never what it holds. At most 64 KB, from a regular file.
// Any thread.
Result<Secret> read_secret(const SecretReference& reference);

}  // namespace cannula::security
