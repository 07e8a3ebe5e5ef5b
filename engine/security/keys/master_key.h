// The key that wraps all others. It lies outside the store: written as 64 hexadecimal digits in a
// file or in the environment, or in a token that it never leaves (token_key.h). There may be
// several at once: the first wraps, all of them open, so that a new one can follow an old one
// without a stop.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/security/sealing/key_bytes.h"
#include "parsers/text/result.h"

namespace cannula::security {

// Thread-safe.
class MasterKey {
 public:
  virtual ~MasterKey() = default;
  MasterKey(const MasterKey&) = delete;
  MasterKey& operator=(const MasterKey&) = delete;

  // Eight hexadecimal digits that tell keys apart and say nothing of them.
  const std::string& id() const { return id_; }

  // `key` as it stands in the file of keys: nonce (12 bytes), sealed key (32), tag (16), by
  // AES-256-GCM. `bound` is not kept with it, but opening needs the same.
  virtual Result<std::string> wrap(const KeyBytes& key, std::string_view bound) const = 0;
  // Nothing when a bit of `wrapped` or `bound` is not what wrap() had.
  virtual Result<std::optional<KeyBytes>> unwrap(std::string_view wrapped,
                                                 std::string_view bound) const = 0;

 protected:
  explicit MasterKey(std::string id) : id_(std::move(id)) {}

 private:
  const std::string id_;
};

using MasterKeys = std::vector<std::shared_ptr<const MasterKey>>;

// Where master keys are read, each time one is needed, so that a change is seen.
struct MasterKeySource {
  std::string place;                            // for people: "file:/…", "env:NAME"
  std::function<Result<std::string>()> read{};  // the text; K101 when there is none
  std::function<Result<MasterKeys>()> keys{};   // instead of `read`, for keys without text
  std::function<Result<void>(std::string_view)> write{};  // null: only people can
  // For a new store: make the key when it is not there. Only where `write` is.
  bool make = false;
  // How people put a new key there; for those without `write`.
  std::string how_to_change{};
  // Where else keys lie that may still be around keys of the store, until those are wrapped anew.
  std::vector<MasterKeySource> former{};
};

// Of a file; with `make` for the one in state/ that a site without [keys] gets. It is written with
// mode 0600, whole or not at all.
MasterKeySource master_key_file(const std::filesystem::path& path, bool make);

// One that is in memory.
class WrittenMasterKey final : public MasterKey {
 public:
  explicit WrittenMasterKey(KeyBytes key);

  std::string text() const;  // as it stands in a file, without line feed
  Result<std::string> wrap(const KeyBytes& key, std::string_view bound) const override;
  Result<std::optional<KeyBytes>> unwrap(std::string_view wrapped,
                                         std::string_view bound) const override;

 private:
  const KeyBytes key_;
  const KeyBytes wrapping_;
};

// What `source.read` has, at least one. K101 when they cannot be read, K103 when what is there are
// no keys.
Result<std::vector<std::shared_ptr<const WrittenMasterKey>>> read_written_keys(
    const MasterKeySource& source);

// Those of `source`, at least one, the one that wraps first. Behind them those of `source.former`
// as long as one of `wanted` (ids) is missing: a former place may be gone when nothing needs it.
// Errors as of read_written_keys() and token_key().
Result<MasterKeys> read_master_keys(const MasterKeySource& source,
                                    const std::set<std::string>& wanted);

}  // namespace cannula::security
