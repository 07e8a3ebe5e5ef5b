// What is said of segments that are damaged, and where their parts stand. Internal to the journal.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/segment_reader.h"
#include "engine/store/store.h"
#include "parsers/text/diagnostic.h"

namespace cannula::store {

// At the end of the name of a file that is not finished: a packed segment, or `pruned`.
inline constexpr std::string_view kUnfinished = ".new";

inline constexpr std::string_view kDamageHint =
    "what stood there is lost unless a backup has this file; everything behind it was read";

// In the file of the segment that begins at `base`.
std::uint64_t file_offset(Position base, Position position);

Diagnostic damage_finding(std::string code, const std::filesystem::path& path, std::string message,
                          std::string hint);
// Bytes of the segment that begins at `base` that are no records (J201).
Diagnostic gap_finding(const std::filesystem::path& path, Position base, const Gap& gap);

// What to do about what somebody put there. It comes before everything that mends: mending takes
// the evidence away.
inline constexpr std::string_view kIntruderHint =
    "somebody changed the store who could make checksums and had no key: keep a copy of its folder "
    "as it is, index.db and the audit trail too; then compare with the last backup and `cannula "
    "audit verify`; only after that restore from that backup, into a folder of its own";

// Frames of one segment that somebody else than the store put there.
struct Intruders {
  std::size_t count = 0;
  Position first = 0;
  std::string_view what{};  // the first is

  void add(Position position, std::string_view one) {
    if (count++ > 0) return;
    first = position;
    what = one;
  }
};
// Of a segment's file (J119).
Diagnostic intruder_finding(const std::filesystem::path& path, const Intruders& intruders);

// Unless one of `findings` says the same.
void add_once(std::vector<Diagnostic>& findings, Diagnostic finding);

}  // namespace cannula::store
