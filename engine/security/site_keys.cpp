#include "engine/security/site_keys.h"

#include <cstdlib>

#include <fmt/format.h>

#include "engine/config/schema.h"
#include "engine/security/keys/token_key.h"
#include "engine/security/secrets.h"

namespace cannula::security {
namespace {

MasterKeySource master_key_variable(const std::string& name) {
  MasterKeySource source;
  source.place = "env:" + name;
  source.how_to_change =
      "put a new key (`openssl rand -hex 32`) before the old one there, a blank between them, and "
      "ask again";
  source.read = [name]() -> Result<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) return std::string(value);
    return Error{"K101",
                 fmt::format("the environment variable {} with the master key is not set", name),
                 "set it in the environment that cannula is started with"};
  };
  return source;
}

PinSource pin_of(const TokenUri& uri, const config::Site& site) {
  auto reference = config::parse_secret_reference(uri.pin_source(), site.root);
  if (!reference) reference = site.keys.pin;
  if (!reference) return nullptr;
  return [reference = *std::move(reference)]() -> Result<std::string> {
    return TRY(read_secret(reference)).text;
  };
}

MasterKeySource source_of(const config::MasterKeyPlace& place, const config::Site& site) {
  if (place.written) {
    return place.written->kind == SecretReference::Kind::file
               ? master_key_file(place.written->name, false)
               : master_key_variable(place.written->name);
  }
  auto uri = TokenUri::parse(place.token);
  if (uri) {
    PinSource pin = pin_of(*uri, site);
    return master_key_in_token(std::make_shared<const TokenUri>(*std::move(uri)), std::move(pin));
  }
  MasterKeySource unusable;  // `check` has said so
  unusable.place = "a PKCS#11 address";
  unusable.keys = [error = uri.error()]() -> Result<MasterKeys> { return error; };
  return unusable;
}

}  // namespace

KeyRing::Place place_of_keys(const config::Site& site) {
  KeyRing::Place place;
  place.directory = site.store.directory;
  place.master = site.keys.master ? source_of(*site.keys.master, site)
                                  : master_key_file(site.store.directory / "master.key", true);
  for (const config::MasterKeyPlace& former : site.keys.former) {
    place.master.former.push_back(source_of(former, site));
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
