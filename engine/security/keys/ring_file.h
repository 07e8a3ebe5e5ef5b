// The file of wrapped keys, `keys` in the store's folder, and its twin `keys.copy`: without them
// nothing sealed can be read, so both are written at each change, one after the other. JSON,
// because people look at it: which keys there are, of which channels, under which master key, and
// what was shredded by whom. No I/O but read() and write().
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/security/keys/master_key.h"
#include "parsers/text/result.h"

namespace cannula::security {

// As of which positions of the journal everything is sealed; 0: that was not noted yet, by a
// Cannula that did not know it.
struct SealedFrom {
  std::uint64_t records = 0;  // no record is plain
  std::uint64_t marks = 0;    // marks and headers of segments have a seal too
  friend bool operator==(const SealedFrom&, const SealedFrom&) = default;
};

struct WrappedKey {
  std::uint32_t number = 0;  // 0: the store's secret
  std::string channel;
  std::string made;     // ISO time, UTC
  std::string master;   // id of the master key around it
  std::string wrapped;  // nonce, sealed key, tag
  SealedFrom from{};    // of the store's secret alone, and bound to it: nobody can change it
};

struct ShreddedKey {
  std::uint32_t number = 0;
  std::string channel;
  std::string made, shredded;  // ISO times, UTC
  std::string actor, reason;
};

struct RingFile {
  std::uint64_t id = 0;  // random; segments name the ring they are sealed with
  WrappedKey secret;
  std::vector<WrappedKey> keys;
  std::vector<ShreddedKey> shredded;

  const WrappedKey* of_channel(std::string_view channel) const;
  std::set<std::string> masters() const;  // ids of those around its keys

  std::string text() const;
  static std::optional<RingFile> parse(const std::string& text);
};

// Nothing when there is neither file. K105 when what is there cannot be read as keys.
Result<std::optional<RingFile>> read_ring(const std::filesystem::path& directory);
// Whether both files say the same; not so after a crash within write_ring().
Result<bool> is_copied(const std::filesystem::path& directory);
Result<void> write_ring(const std::filesystem::path& directory, const RingFile& ring);

Result<WrappedKey> wrap(const KeyBytes& key, std::uint64_t ring, std::uint32_t number,
                        std::string channel, std::string made, const MasterKey& master,
                        SealedFrom from = {});
// K102 when none of `masters` is the one around it, K105 when it does not open with the right one.
// `place`: where they were read, for people.
Result<KeyBytes> unwrap(const WrappedKey& key, std::uint64_t ring, const MasterKeys& masters,
                        const std::string& place);

std::string number_text(std::uint32_t number);  // 8 hexadecimal digits
std::string ring_text(std::uint64_t id);        // 16

}  // namespace cannula::security
