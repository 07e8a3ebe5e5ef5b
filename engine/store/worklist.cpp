#include "engine/store/worklist.h"

namespace cannula::store {

void Worklist::apply(const Record& record) {
  if (const auto* outcome = std::get_if<Outcome>(&record)) {
    for (const Miss& miss : outcome->misses) {
      Count& count = counts_[{miss.table, miss.key, outcome->channel}];
      if (count.count++ == 0) count.first_at = outcome->at;
      count.last_at = outcome->at;
      count.sample = outcome->id;
      if (!miss.text.empty()) count.text = miss.text;
    }
    if (outcome->until_mapped) awaited_[outcome->id] = outcome->misses;
  } else if (const auto* resent = std::get_if<Resent>(&record)) {
    if (resent->ordinal == 0) awaited_[resent->id].clear();
  } else if (const auto* discarded = std::get_if<Discarded>(&record)) {
    if (discarded->ordinal == 0) awaited_[discarded->id].clear();
  }
}

Result<void> Worklist::write(Connection& connection, const NameNumber& number) {
  TRY(write_counts(connection, number));
  TRY(write_awaited(connection, number));
  forget();
  return {};
}

Result<void> Worklist::write_counts(Connection& connection, const NameNumber& number) {
  for (const auto& [key, count] : counts_) {
    const auto& [table, code, channel] = key;
    const std::int64_t table_number = TRY(number(table));
    const std::int64_t channel_number = TRY(number(channel));
    Statement& add = *TRY(connection.prepared(
        "INSERT INTO misses (in_table, key, channel, text, count, first_at, last_at, sample) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET count = count + ?5, "
        "last_at = ?7, sample = ?8, text = CASE ?4 WHEN '' THEN text ELSE ?4 END"));
    add.bind(1, table_number)
        .bind_text(2, code)
        .bind(3, channel_number)
        .bind_text(4, count.text)
        .bind(5, count.count)
        .bind(6, count.first_at)
        .bind(7, count.last_at)
        .bind_unsigned(8, count.sample.value);
    TRY(add.run());
  }
  return {};
}

Result<void> Worklist::write_awaited(Connection& connection, const NameNumber& number) {
  for (const auto& [id, misses] : awaited_) {
    Statement& remove = *TRY(connection.prepared("DELETE FROM awaited WHERE message = ?"));
    TRY(remove.bind_unsigned(1, id.value).run());
    for (const Miss& miss : misses) {
      const std::int64_t table_number = TRY(number(miss.table));
      Statement& add = *TRY(connection.prepared(
          "INSERT OR IGNORE INTO awaited (message, in_table, key) VALUES (?, ?, ?)"));
      TRY(add.bind_unsigned(1, id.value).bind(2, table_number).bind_text(3, miss.key).run());
    }
  }
  return {};
}

void Worklist::forget() {
  counts_.clear();
  awaited_.clear();
}

}  // namespace cannula::store
