#include "engine/store/worklist.h"

namespace cannula::store {

void Worklist::carry(const Ledger& ledger) {
  for (const Ledger::Missed& missed : ledger.missed) {
    counts_[{missed.miss.table, missed.miss.key, ledger.channel}] = {
        missed.miss.text, static_cast<std::int64_t>(missed.count), missed.first_at, missed.last_at,
        missed.sample};
  }
}

void Worklist::apply(const Record& record, bool counted) {
  if (const auto* outcome = std::get_if<Outcome>(&record)) {
    for (const Miss& miss : outcome->misses) {
      if (!counted) break;
      Count& count = counts_[{miss.table, miss.key, outcome->channel}];
      if (count.count++ == 0) count.first_at = outcome->at;
      count.last_at = outcome->at;
      count.sample = outcome->id;
      if (!miss.text.empty()) count.text = miss.text;
    }
    if (outcome->until_mapped) {
      awaited_[outcome->id] = {outcome->channel, outcome->misses};
    }
  } else if (const auto* resent = std::get_if<Resent>(&record)) {
    if (resent->ordinal == 0) awaited_[resent->id] = {};
  } else if (const auto* discarded = std::get_if<Discarded>(&record)) {
    if (discarded->ordinal == 0) awaited_[discarded->id] = {};
  }
}

Result<void> Worklist::write(Connection& connection, const RowSeal& seal,
                             const NameNumber& number) {
  TRY(write_counts(connection, seal, number));
  TRY(write_awaited(connection, seal, number));
  TRY(drop_the_rarest(connection));
  forget();
  return {};
}

Result<void> Worklist::write_counts(Connection& connection, const RowSeal& seal,
                                    const NameNumber& number) {
  for (const auto& [key, count] : counts_) {
    const auto& [table, code, channel] = key;
    const std::int64_t table_number = TRY(number(table));
    const std::int64_t channel_number = TRY(number(channel));
    const std::string hash = seal.identity(kMissedKey, code);
    const std::string sealed_key = TRY(seal.seal(channel, place_by('k', hash), joined({code})));
    const std::string sealed_text = TRY(seal.seal(channel, place_by('t', hash), count.text));
    Statement& add = *TRY(connection.prepared(
        "INSERT INTO misses (in_table, key, channel, key_text, text, count, first_at, last_at, "
        "sample) VALUES (?1, ?2, ?3, ?9, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET "
        "count = count + ?5, last_at = ?7, sample = ?8, text = coalesce(?4, text)"));
    add.bind(1, table_number)
        .bind_blob(2, hash)
        .bind(3, channel_number)
        .bind_blob(4, sealed_text)
        .bind(5, count.count)
        .bind(6, count.first_at)
        .bind(7, count.last_at)
        .bind_unsigned(8, count.sample.value)
        .bind_blob(9, sealed_key);
    TRY(add.run());
    ++written_[{table_number, channel_number}];
  }
  return {};
}

Result<void> Worklist::drop_the_rarest(Connection& connection) {
  constexpr std::size_t kLookAfter = 1000;
  for (auto& [place, written] : written_) {
    if (written < kLookAfter) continue;
    written = 0;
    Statement& drop = *TRY(connection.prepared(
        "DELETE FROM misses WHERE in_table = ?1 AND channel = ?2 AND key IN (SELECT key FROM "
        "misses AS one WHERE in_table = ?1 AND channel = ?2 AND NOT EXISTS (SELECT 1 FROM awaited "
        "WHERE awaited.in_table = one.in_table AND awaited.key = one.key) ORDER BY count, last_at "
        "LIMIT max(0, (SELECT count(*) FROM misses WHERE in_table = ?1 AND channel = ?2) - ?3))"));
    TRY(drop.bind(1, place.first).bind(2, place.second).bind(3, kMostKeys).run());
  }
  return {};
}

Result<void> Worklist::write_awaited(Connection& connection, const RowSeal& seal,
                                     const NameNumber& number) {
  for (const auto& [id, awaited] : awaited_) {
    Statement& remove = *TRY(connection.prepared("DELETE FROM awaited WHERE message = ?"));
    TRY(remove.bind_unsigned(1, id.value).run());
    for (const Miss& miss : awaited.misses) {
      const std::int64_t table_number = TRY(number(miss.table));
      const std::string hash = seal.identity(kMissedKey, miss.key);
      const RowPlace place{'a', id.value ^ place_by('a', hash).row};
      const std::string sealed = TRY(seal.seal(awaited.channel, place, joined({miss.key})));
      Statement& add = *TRY(connection.prepared(
          "INSERT OR IGNORE INTO awaited (message, in_table, key, key_text) VALUES (?, ?, ?, ?)"));
      add.bind_unsigned(1, id.value).bind(2, table_number).bind_blob(3, hash).bind_blob(4, sealed);
      TRY(add.run());
    }
  }
  return {};
}

void Worklist::forget() {
  counts_.clear();
  awaited_.clear();
}

}  // namespace cannula::store
