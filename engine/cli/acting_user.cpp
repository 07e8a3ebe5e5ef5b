#include "engine/cli/acting_user.h"

#include <cstdlib>

#include <unistd.h>

namespace cannula::cli {

std::string acting_user() {
  const char* name = ::getenv("SUDO_USER");
  if (!name || !*name) name = ::getenv("USER");
  return name && *name ? name : "uid " + std::to_string(::getuid());
}

}  // namespace cannula::cli
