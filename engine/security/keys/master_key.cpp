#include "engine/security/keys/master_key.h"

#include <fmt/format.h>

#include "engine/security/keys/hex.h"
#include "engine/security/keys/whole_file.h"

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

MasterKey::MasterKey(KeyBytes key) : key_(std::move(key)), wrapping_(key_.derived("cannula wrap")) {
  id_ = to_hex(key_.derived("cannula master key id").view().substr(0, 4));
}

std::string MasterKey::text() const {
  return to_hex(key_.view());
}

Result<std::vector<MasterKey>> read_master_keys(const MasterKeySource& source) {
  std::string text = TRY(source.read());
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<MasterKey> keys;
  bool good = true;
  for (std::size_t at = text.find_first_not_of(kBlanks); good && at != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    std::string bytes;
    good = from_hex(std::string_view(text).substr(at, end - at), bytes) && bytes.size() == kKeySize;
    if (good) keys.emplace_back(KeyBytes(bytes));
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
