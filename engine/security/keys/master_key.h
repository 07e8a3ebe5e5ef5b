// The key that wraps all others. It lies outside the store: in a file, or in the environment. There
// may be several at once, white space between them: the first wraps, all of them open, so that a
// new one can follow an old one without a stop. Each is 64 hexadecimal digits.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/security/sealing/key_bytes.h"
#include "parsers/text/result.h"

namespace cannula::security {

// Where master keys are read, each time one is needed, so that a change is seen.
struct MasterKeySource {
  std::string place;                                      // for people: "file:/…", "env:NAME"
  std::function<Result<std::string>()> read;              // the text; K101 when there is none
  std::function<Result<void>(std::string_view)> write{};  // null: only people can
  // For a new store: make the key when it is not there. Only where `write` is.
  bool make = false;
};

// Of a file; with `make` for the one in state/ that a site without [keys] gets. It is written with
// mode 0600, whole or not at all.
MasterKeySource master_key_file(const std::filesystem::path& path, bool make);

class MasterKey {
 public:
  explicit MasterKey(KeyBytes key);
  static MasterKey random() { return MasterKey(KeyBytes::random()); }

  // Eight hexadecimal digits that tell keys apart and say nothing of them.
  const std::string& id() const { return id_; }
  const KeyBytes& wrapping() const { return wrapping_; }
  std::string text() const;  // as it stands in a file, without line feed

 private:
  KeyBytes key_;
  KeyBytes wrapping_;
  std::string id_;
};

// At least one. K101 when they cannot be read, K103 when what is there are no keys.
Result<std::vector<MasterKey>> read_master_keys(const MasterKeySource& source);

}  // namespace cannula::security
