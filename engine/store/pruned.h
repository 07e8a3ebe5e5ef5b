// Where a journal begins since retention removed whole segments at its front, and where the ledgers
// are that stand for what its records before said: the file `pruned` beside the segments. Replacing
// it is the moment at which those segments cease to count; that their files are removed follows, at
// the next opening if need be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/store/file_system.h"
#include "engine/store/store.h"

namespace cannula::store {

struct Pruned {
  // A channel's Ledger: what its records before `as_of` left in the script's state and in the
  // worklist.
  struct LedgerPlace {
    std::string channel;
    Position position = 0;
    Position as_of = 0;
    friend bool operator==(const LedgerPlace&, const LedgerPlace&) = default;
  };

  std::uint64_t identity = 0;  // of the store
  Position begin = 0;          // of what still counts; 0: nothing was removed
  std::vector<LedgerPlace> ledgers;
  // Since the store was made.
  std::uint64_t messages = 0;  // forgotten
  std::uint64_t bodies = 0;    // messages whose bodies were removed
  std::uint64_t bytes = 0;     // given back

  const LedgerPlace* ledger_of(const std::string& channel) const;

  // As if nothing had been removed when there is no such file. J206 when it cannot be read.
  static Result<Pruned> load(FileSystem& files, const std::filesystem::path& directory);
  // On disk when this returns; after an error it may be either the old or this.
  Result<void> save(FileSystem& files, const std::filesystem::path& directory) const;

  friend bool operator==(const Pruned&, const Pruned&) = default;
};

}  // namespace cannula::store
