// How large a store is, and what takes the room.
#include <nlohmann/json.hpp>

#include "engine/config/site.h"
#include "engine/ops/operations.h"
#include "engine/ops/text.h"
#include "engine/store/retention.h"
#include "engine/store/store_files.h"

namespace cannula::ops {
namespace {

using nlohmann::json;

// Bytes of files, and how many there are. Files that go meanwhile count for nothing.
struct Files {
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
};

struct Sizes {
  Files journal, index, audit, other;
};

Sizes sizes_of(const std::filesystem::path& directory) {
  Sizes sizes;
  const auto journal = store::journal_directory(directory);
  const auto index = store::index_path(directory).filename().string();
  std::error_code ended;
  for (auto entry = std::filesystem::recursive_directory_iterator(directory, ended);
       !ended && entry != std::filesystem::recursive_directory_iterator(); entry.increment(ended)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone) || gone) continue;
    const std::uint64_t bytes = entry->file_size(gone);
    if (gone) continue;
    const auto parent = entry->path().parent_path();
    Files& files = parent == journal                                      ? sizes.journal
                   : entry->path().filename().string().starts_with(index) ? sizes.index
                   : parent == directory / "audit"                        ? sizes.audit
                                                                          : sizes.other;
    files.bytes += bytes;
    ++files.count;
  }
  return sizes;
}

Result<json> edge(const store::Store& store, bool newest) {
  store::MessageQuery query;
  query.limit = 1;
  query.newest_first = newest;
  const auto rows = TRY(store.messages(query));
  if (rows.empty()) return json();
  return json{{"id", rows[0].id.text()}, {"received_at", time_text(rows[0].received_at)}};
}

}  // namespace

Result<json> Operations::store_stats() const {
  const store::Position begin = store_.begin(), end = store_.end();
  const Sizes sizes = sizes_of(site_.store.directory);
  // Positions of what retention removed are never used again.
  const std::uint64_t records = std::min<std::uint64_t>(end - begin, sizes.journal.bytes);
  const store::Owed owed = TRY(store_.owed());
  std::uint64_t messages = 0;
  json counts = json::array();
  for (const store::StateCount& one : TRY(store_.counts())) {
    if (one.count == 0) continue;
    if (one.destination.empty()) messages += one.count;
    counts.push_back({{"channel", one.channel},
                      {"destination", one.destination},
                      {"state", one.state},
                      {"count", one.count}});
  }
  json stats{{"running", engine_ != nullptr},
             {"identity", store_.identity()},
             {"journal",
              {{"segments", sizes.journal.count},
               {"begin", begin},
               {"end", end},
               {"bytes", records},
               {"file_bytes", sizes.journal.bytes}}},
             {"index", {{"bytes", sizes.index.bytes}, {"up_to", store_.indexed_up_to()}}},
             {"audit_bytes", sizes.audit.bytes},
             {"other_bytes", sizes.other.bytes},
             {"free_bytes", TRY(store_.free_space())},
             {"messages", messages},
             {"forgotten",
              {{"messages", owed.messages},
               {"bytes", owed.bytes},
               {"since", owed.since == 0 ? json() : json(time_text(owed.since))}}},
             {"oldest", TRY(edge(store_, false))},
             {"newest", TRY(edge(store_, true))},
             {"counts", std::move(counts)}};
  if (messages > 0) stats["bytes_per_message"] = (records + sizes.index.bytes) / messages;
  return stats;
}

}  // namespace cannula::ops
