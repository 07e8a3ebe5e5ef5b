// The keys of a site: where [keys] in site.toml says, or a file in the store's folder.
#pragma once

#include <memory>

#include "engine/config/site.h"
#include "engine/security/keys/key_ring.h"

namespace cannula::security {

KeyRing::Place place_of_keys(const config::Site& site);

// Opens them for a store that is about to be opened. K101–K105.
Result<std::shared_ptr<KeyRing>> open_site_keys(const config::Site& site);

}  // namespace cannula::security
