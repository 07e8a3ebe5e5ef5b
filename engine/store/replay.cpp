#include "engine/store/replay.h"

#include <fmt/format.h>

#include "engine/store/segment.h"
#include "engine/store/segment_reader.h"

namespace cannula::store {
namespace {

constexpr std::size_t kMessagesInTransaction = 10'000;

}  // namespace

Result<void> start_index(const Journal& journal, Index& index, std::vector<Diagnostic>* damage) {
  for (const Pruned::LedgerPlace& place : journal.pruned().ledgers) {
    std::string buffer;
    const auto frame = journal.read(place.position, buffer);
    const auto record = frame ? journal.record_of(*frame) : Result<Record>(frame.error());
    const auto* ledger = record ? std::get_if<Ledger>(&*record) : nullptr;
    if (ledger) {
      TRY(index.carry(*ledger));
      continue;
    }
    if (!record && is_readable_elsewhere(record.error())) return record.error();
    if (!record && record.error().code == "K106") continue;
    if (damage) {
      damage->push_back(finding_of(
          record
              ? Error{"J108", fmt::format("the record at position {} is no ledger", place.position),
                      "restore the journal from a backup"}
              : record.error()));
    }
  }
  Index::Progress start;
  start.store = identity_text(journal.identity());
  start.indexed_up_to = journal.begin();
  return index.commit(std::move(start));
}

Result<void> replay_journal(const Journal& journal, Position to, Index& index,
                            std::uint64_t* records, std::vector<Diagnostic>* damage,
                            const std::function<void(Position)>& committed) {
  Index::Progress reached = index.progress();
  const auto visit = [&](const Frame& frame) -> Result<bool> {
    const auto type = static_cast<RecordType>(frame.header.type);
    reached.indexed_up_to = frame.end();
    if (type == RecordType::closed) return true;
    const auto record = journal.record_of(frame);
    // An index without these messages would be taken for whole.
    if (!record && is_readable_elsewhere(record.error())) {
      Error error = record.error();
      error.message = fmt::format("{}: {}", journal.place_of(frame.position), error.message);
      return error;
    }
    if (!record && record.error().code == "K106") {  // forgotten, as it was meant to be
      return true;
    }
    if (!record) {
      if (damage) damage->push_back(finding_of(record.error()));
      return true;
    }
    TRY(index.apply(*record, frame.position));
    reached.last_position = frame.position;
    reached.last_checksum = frame.header.checksum;
    if (records) ++*records;
    if (index.changed_messages() < kMessagesInTransaction) return true;
    TRY(index.commit(reached));
    if (committed) committed(reached.indexed_up_to);
    return true;
  };
  if (auto scanned = journal.scan(reached.indexed_up_to, to, visit, damage); !scanned) {
    index.forget();
    return scanned;
  }
  reached.indexed_up_to = std::max(reached.indexed_up_to, to);
  if (reached.indexed_up_to == index.progress().indexed_up_to) return {};
  return index.commit(std::move(reached));
}

}  // namespace cannula::store
