// The certificates that a site shows to others, and when they end.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/config/site.h"

namespace cannula::ops {

struct CertificateInUse {
  std::string channel;
  std::string destination;   // empty: of its source
  std::string file;          // as the site names it
  Result<std::int64_t> end;  // of the file as it is now, in seconds since 1970
};

// Those of the sources and destinations of channels that are enabled: of listeners, and of clients
// that show one of their own. New connections use what is in the files now, so this reads them.
std::vector<CertificateInUse> certificates_in_use(const config::Site& site);

// {"channel", "destination", "file", "expires_at", "days_left"}; "trouble" in place of the last two
// where the file cannot be read. Whole days, negative once it has ended.
nlohmann::json certificates_json(const config::Site& site, std::int64_t now);

}  // namespace cannula::ops
