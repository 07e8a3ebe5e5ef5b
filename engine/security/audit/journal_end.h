// Where the store's journal ended, as entries of the trail tell it: a journal that ends before that
// was cut, or an older copy was put in its place. The trail is kept apart and is chained, so who
// cuts the journal has to write the trail anew as well.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/store/file_system.h"

namespace cannula::audit {

struct JournalEnd {
  std::string store;      // the store's identity
  std::uint64_t end = 0;  // a position; what stood before it was on disk
  std::string keys{};     // id of the ring that it is sealed with; empty: none, or not told
  friend bool operator==(const JournalEnd&, const JournalEnd&) = default;
};

// For Entry::detail.
void put(const JournalEnd& journal, std::map<std::string, std::string>& detail);

// What one line of the trail tells of the journal.
struct JournalLine {
  std::optional<JournalEnd> end{};
  bool restored = false;  // a person put the store back: what was told before does not count
};
JournalLine journal_line_of(std::string_view line);

// What the trail told last; nothing when it has not, or since the store was put back from a backup.
// Lines that are no entries are passed over: verify() is who judges them.
Result<std::optional<JournalEnd>> last_journal_end(const std::filesystem::path& directory,
                                                   store::FileSystem& files);

// Why a journal that ends there now is not the one that `told` is of; empty when it can be.
std::string why_not_the_same(const JournalEnd& now, const JournalEnd& told);

}  // namespace cannula::audit
