#include "rules/tables/stored_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rules/tables/csv.h"

namespace cannula::tables {
namespace {

// Of this process: codes come from other people's messages, who shall not know what collides.
const std::uint64_t kSeed = [] {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}();

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_but_for_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return folded(x) == folded(y); });
}

std::uint64_t hash_folded(std::string_view text, std::uint64_t seed) {
  std::array<char, 256> buffer;
  while (text.size() > buffer.size()) {
    std::transform(text.begin(), text.begin() + buffer.size(), buffer.begin(), folded);
    seed = XXH3_64bits_withSeed(buffer.data(), buffer.size(), seed);
    text.remove_prefix(buffer.size());
  }
  std::transform(text.begin(), text.end(), buffer.begin(), folded);
  return XXH3_64bits_withSeed(buffer.data(), text.size(), seed);
}

std::int32_t number_of(std::chrono::sys_days day) {
  return static_cast<std::int32_t>(day.time_since_epoch().count());
}

std::chrono::sys_days day_of(std::int32_t number) {
  return std::chrono::sys_days(std::chrono::days(number));
}

template <class T>
T read_at(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T>
void append_bytes(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

void StoredTable::set_columns(std::vector<std::string> columns,
                              std::vector<std::size_t> key_columns, bool has_days) {
  columns_ = std::move(columns);
  key_columns_ = std::move(key_columns);
  has_days_ = has_days;
  first_cell_ = has_days ? 3 : 1;
  stride_ = first_cell_ + 2 * columns_.size();
}

void StoredTable::reserve(std::size_t rows) {
  words_.reserve(rows * stride_);
}

void StoredTable::begin_row(std::size_t begin, std::int32_t from, std::int32_t to) {
  ++rows_;
  words_.push_back(static_cast<std::uint32_t>(begin));
  if (!has_days_) return;
  words_.push_back(static_cast<std::uint32_t>(from));
  words_.push_back(static_cast<std::uint32_t>(to));
}

void StoredTable::add_cell(std::string_view text) {
  words_.push_back(static_cast<std::uint32_t>(arena_.size()) | kInArena);
  words_.push_back(static_cast<std::uint32_t>(text.size()));
  arena_ += text;
}

bool StoredTable::same_text(std::string_view kept, std::string_view wanted) const {
  return settings_.ignore_case ? equal_but_for_case(kept, wanted) : kept == wanted;
}

bool StoredTable::has_key(const Slot& slot, std::span<const std::string_view> key) const {
  if (slot.size != kLong) return same_text({slot.text.data(), slot.size}, key[0]);
  const char* at = keys_.data() + slot.long_key();
  for (const std::string_view part : key) {
    const std::string_view text(at + sizeof(std::uint32_t), read_at<std::uint32_t>(at));
    if (!same_text(text, part)) return false;
    at += sizeof(std::uint32_t) + text.size();
  }
  return true;
}

void StoredTable::keep_key(Slot& slot, std::span<const std::string_view> key) {
  if (key.size() == 1 && key[0].size() <= slot.text.size()) {
    slot.size = static_cast<std::uint8_t>(key[0].size());
    key[0].copy(slot.text.data(), slot.text.size());
    return;
  }
  slot.set_long_key(static_cast<std::uint32_t>(keys_.size()));
  for (const std::string_view part : key) {
    append_bytes(keys_, static_cast<std::uint32_t>(part.size()));
    keys_ += part;
  }
}

// Each part is hashed with what came before as its seed, so that "ab","c" is not "a","bc".
std::uint32_t StoredTable::hash_of(std::span<const std::string_view> key) const {
  std::uint64_t hash = kSeed;
  for (const std::string_view part : key) {
    hash = settings_.ignore_case ? hash_folded(part, hash)
                                 : XXH3_64bits_withSeed(part.data(), part.size(), hash);
  }
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

std::span<const std::uint32_t> StoredTable::rows_of(const Slot& slot) const {
  if (!(slot.where & kSeveral)) return {&slot.where, 1};
  const std::uint32_t run = slot.where & ~kSeveral;
  return std::span(runs_).subspan(run + 1, runs_[run]);
}

std::size_t StoredTable::slot_of(std::span<const std::string_view> key, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].where != kEmpty && !(slots_[at].hash == hash && has_key(slots_[at], key))) {
    at = (at + 1) & mask;
  }
  return at;
}

// Enters every row; gives, where any key has several rows, the next row of the same key (kEmpty at
// the end) from the slot's row on.
std::vector<std::uint32_t> StoredTable::chain_rows() {
  std::vector<std::uint32_t> next;
  std::vector<std::string_view> key(key_columns_.size());
  for (std::uint32_t row = 0; row < rows_; ++row) {
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = cell(row, key_columns_[i]);
    const std::uint32_t hash = hash_of(key);
    Slot& slot = slots_[slot_of(key, hash)];
    if (slot.where != kEmpty) {
      if (next.empty()) next.assign(rows_, kEmpty);
      next[row] = slot.where;
      slot.where = row;
    } else {
      slot = {hash, row, from_of(row), to_of(row)};
      keep_key(slot, key);
    }
  }
  return next;
}

void StoredTable::sort_run(Slot& slot, const std::vector<std::uint32_t>& next,
                           std::vector<Clash>& clashes) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = slot.where; row != kEmpty; row = next[row]) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [this](std::uint32_t a, std::uint32_t b) {
    return std::pair(from_of(a), a) < std::pair(from_of(b), b);
  });
  std::uint32_t last = rows.front();  // of those so far, the one that ends last
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (from_of(rows[i]) <= to_of(last)) {
      clashes.push_back({std::max(rows[i], last), std::min(rows[i], last)});
    }
    if (to_of(rows[i]) > to_of(last)) last = rows[i];
  }
  slot.where = static_cast<std::uint32_t>(runs_.size()) | kSeveral;
  runs_.push_back(static_cast<std::uint32_t>(rows.size()));
  runs_.insert(runs_.end(), rows.begin(), rows.end());
}

std::vector<StoredTable::Clash> StoredTable::build_index() {
  slots_.assign(std::bit_ceil(rows_ + rows_ / 2 + 2), Slot{});
  const std::vector<std::uint32_t> next = chain_rows();
  std::vector<Clash> clashes;
  if (next.empty()) return clashes;
  for (Slot& slot : slots_) {
    if (slot.where != kEmpty && next[slot.where] != kEmpty) sort_run(slot, next, clashes);
  }
  return clashes;
}

std::optional<Row> StoredTable::find(std::span<const std::string_view> key,
                                     std::chrono::sys_days day) const {
  if (key.size() != key_columns_.size()) return std::nullopt;
  std::array<std::string_view, kMostKeyColumns> parts;
  std::transform(key.begin(), key.end(), parts.begin(), trimmed);
  const std::span<const std::string_view> wanted(parts.data(), key.size());
  const Slot& slot = slots_[slot_of(wanted, hash_of(wanted))];
  if (slot.where == kEmpty) return std::nullopt;

  const std::int32_t number = number_of(day);
  if (!(slot.where & kSeveral)) {
    if (number < slot.from || number > slot.to) return std::nullopt;
    return make_row(slot.where);
  }
  const std::span<const std::uint32_t> rows = rows_of(slot);
  const auto later = std::upper_bound(
      rows.begin(), rows.end(), number,
      [this](std::int32_t wanted_day, std::uint32_t row) { return wanted_day < from_of(row); });
  if (later == rows.begin() || to_of(*std::prev(later)) < number) return std::nullopt;
  return make_row(*std::prev(later));
}

std::vector<Row> StoredTable::find_all(std::span<const std::string_view> key) const {
  std::vector<Row> found;
  if (key.size() != key_columns_.size()) return found;
  std::vector<std::string_view> wanted(key.begin(), key.end());
  for (std::string_view& part : wanted) part = trimmed(part);
  const Slot& slot = slots_[slot_of(wanted, hash_of(wanted))];
  if (slot.where == kEmpty) return found;
  for (const std::uint32_t row : rows_of(slot)) found.push_back(make_row(row));
  return found;
}

Table::Period StoredTable::period_of(std::uint32_t row) const {
  Period period;
  if (from_of(row) != kAlways) period.from = day_of(from_of(row));
  if (to_of(row) != kForever) period.to = day_of(to_of(row));
  return period;
}

}  // namespace cannula::tables
