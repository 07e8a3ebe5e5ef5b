// A segment: one file of the journal, state/journal/<base in 20 digits>.seg. A header of
// kSegmentHeaderSize bytes, then frames. The byte at file offset kSegmentHeaderSize + n stands at
// position base + n of the journal.
//
// A segment says in its header where the one before it ended. So a missing file is noticed, and
// what a failed write left at the end of an abandoned segment is known to be nothing. It also
// proves that everything before was on disk.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "engine/store/store.h"

namespace cannula::store {

constexpr std::size_t kSegmentHeaderSize = 128;
constexpr std::uint32_t kSegmentVersion = 1;
constexpr Position kFirstPosition = 1;  // 0 is never a record's position: rows use it for "none"

struct SegmentHeader {
  std::uint64_t identity = 0;  // of the store
  Position base = 0;
  Position previous_base = 0;  // 0: the first segment of the store
  Position previous_end = 0;   // where the one before ended; at most `base`
  std::uint64_t last_id = 0;   // the highest message id given before this segment
  Timestamp created = 0;
  std::uint64_t keys = 0;       // id of the key ring that its records are sealed with; 0: plain
  std::array<char, 16> seal{};  // keyed hash of sealed_bytes(); zeros: it has none

  std::string bytes() const;
  // What the seal is of.
  std::string sealed_bytes() const;
  // Nothing when magic, version or checksum do not hold.
  static std::optional<SegmentHeader> parse(std::string_view bytes);
};

// The version that the sound header at `bytes` says, when it is one that this Cannula does not
// know. Later versions keep the magic, the version's place, and the checksum of the first
// kSegmentHeaderSize bytes.
std::optional<std::uint32_t> unknown_version(std::string_view bytes);

std::string segment_name(Position base);
// Nothing for names of other files.
std::optional<Position> base_of_segment_name(std::string_view name);

// 16 hexadecimal digits.
std::string identity_text(std::uint64_t identity);

}  // namespace cannula::store
