#include "engine/security/keys/master_key.h"

#include <fmt/format.h>

#include "engine/security/keys/hex.h"
#include "engine/security/keys/whole_file.h"
#include "engine/security/sealing/cipher.h"

namespace cannula::security {

MasterKeySource master_key_file(const std::filesystem::path& path, bool make) {
  MasterKeySource source;
  source.place = "file:" + path.string();
  source.make = make;
  source.read = [path]() -> Result<std::string> {
    auto text = TRY(read_whole(path));
    if (text) return *std::move(text);
    return Error{"K101", fmt::format("the master key file {} is not there", path.string()),
                 "put the key file back, from where it is kept apart from the store; for a new "
                 "store make one: `openssl rand -hex 32 > FILE`, mode 600"};
  };
  source.write = [path](std::string_view text) { return replace_whole(path, text); };
  return source;
}

WrittenMasterKey::WrittenMasterKey(KeyBytes key)
    : MasterKey(to_hex(key.derived("cannula master key id").view().substr(0, 4))),
      key_(std::move(key)),
      wrapping_(key_.derived("cannula wrap")) {}

std::string WrittenMasterKey::text() const {
  return to_hex(key_.view());
}

Result<std::string> WrittenMasterKey::wrap(const KeyBytes& key, std::string_view bound) const {
  std::string wrapped(kNonceSize + kKeySize + kTagSize, '\0');
  char* bytes = wrapped.data();
  fill_random(bytes, kNonceSize);
  key.view().copy(bytes + kNonceSize, kKeySize);
  Cipher(wrapping_).seal(bytes, bound, bytes + kNonceSize, kKeySize, bytes + kNonceSize + kKeySize);
  return wrapped;
}

Result<std::optional<KeyBytes>> WrittenMasterKey::unwrap(std::string_view wrapped,
                                                         std::string_view bound) const {
  KeyBytes opened;
  if (wrapped.size() != kNonceSize + kKeySize + kTagSize ||
      !Cipher(wrapping_).open(wrapped.data(), bound, wrapped.substr(kNonceSize, kKeySize),
                              wrapped.data() + kNonceSize + kKeySize,
                              reinterpret_cast<char*>(opened.data()))) {
    return std::optional<KeyBytes>();
  }
  return std::optional<KeyBytes>(std::move(opened));
}

Result<MasterKeys> read_master_keys(const MasterKeySource& source,
                                    const std::set<std::string>& wanted) {
  MasterKeys keys;
  std::set<std::string> missing = wanted;
  const auto add = [&](const MasterKeySource& place) -> Result<void> {
    if (place.keys) {
      for (auto& key : TRY(place.keys())) keys.push_back(std::move(key));
    } else {
      for (auto& key : TRY(read_written_keys(place))) keys.push_back(std::move(key));
    }
    for (const auto& key : keys) missing.erase(key->id());
    return {};
  };
  TRY(add(source));
  std::optional<Error> first;
  for (const MasterKeySource& former : source.former) {
    if (missing.empty()) break;
    if (auto added = add(former); !added && !first) first = added.error();
  }
  if (!missing.empty() && first) return *std::move(first);
  return keys;
}

Result<std::vector<std::shared_ptr<const WrittenMasterKey>>> read_written_keys(
    const MasterKeySource& source) {
  std::string text = TRY(source.read());
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<std::shared_ptr<const WrittenMasterKey>> keys;
  bool good = true;
  for (std::size_t at = text.find_first_not_of(kBlanks); good && at != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    std::string bytes;
    good = from_hex(std::string_view(text).substr(at, end - at), bytes) && bytes.size() == kKeySize;
    if (good) keys.push_back(std::make_shared<const WrittenMasterKey>(KeyBytes(bytes)));
    wipe(bytes);
    at = text.find_first_not_of(kBlanks, end);
  }
  wipe(text);
  if (good && !keys.empty()) return keys;
  return Error{"K103",
               fmt::format("what is in {} is not a master key: expected 64 hexadecimal digits for "
                           "each key, white space between them",
                           source.place),
               "make one: `openssl rand -hex 32`; or put back the right one"};
}

}  // namespace cannula::security
