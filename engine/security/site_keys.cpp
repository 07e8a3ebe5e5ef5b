#include "engine/security/site_keys.h"

#include <cstdlib>

#include <fmt/format.h>

namespace cannula::security {
namespace {

MasterKeySource master_key_variable(const std::string& name) {
  MasterKeySource source;
  source.place = "env:" + name;
  source.read = [name]() -> Result<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) return std::string(value);
    return Error{"K101",
                 fmt::format("the environment variable {} with the master key is not set", name),
                 "set it in the environment that cannula is started with"};
  };
  return source;
}

}  // namespace

KeyRing::Place place_of_keys(const config::Site& site) {
  KeyRing::Place place;
  place.directory = site.store.directory;
  const std::optional<SecretReference>& master = site.keys.master;
  if (!master) {
    place.master = master_key_file(site.store.directory / "master.key", true);
  } else if (master->kind == SecretReference::Kind::file) {
    place.master = master_key_file(master->name, false);
  } else {
    place.master = master_key_variable(master->name);
  }
  return place;
}

Result<std::shared_ptr<KeyRing>> open_site_keys(const config::Site& site) {
  std::error_code ignored;  // what does not work shows when the keys are written
  if (std::filesystem::create_directories(site.store.directory, ignored))
    std::filesystem::permissions(site.store.directory, std::filesystem::perms::owner_all, ignored);
  return std::shared_ptr<KeyRing>(TRY(KeyRing::open(place_of_keys(site))));
}

}  // namespace cannula::security
