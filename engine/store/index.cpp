#include "engine/store/index.h"

#include <fmt/format.h>

#include "engine/store/index_schema.h"
#include "engine/store/record_codec.h"

namespace cannula::store {
namespace {

constexpr std::size_t kLivesKept =
    20'000;  // unsettled messages kept in memory from one commit to the next
constexpr std::uintmax_t kQuickCheckedFile = 64u << 20;

// WAL lets readers go on while rows are written. NORMAL syncs at checkpoints only: after a power
// cut the file is sound and at most some transactions behind, which the journal makes up for.
// Deleted rows leave nothing in the file (secure_delete), and their pages can be given back: what
// vacuums by the way has to be said before anything is in the file.
constexpr std::string_view kSettings =
    "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA secure_delete = ON; PRAGMA journal_mode = WAL; "
    "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;"
    "PRAGMA wal_autocheckpoint = 8192; PRAGMA temp_store = MEMORY";

Error unsound(std::string message) {
  return Error{"J302", std::move(message), "it is rebuilt from the journal", {}};
}

}  // namespace

Result<std::unique_ptr<Index>> Index::open(const std::filesystem::path& path, const RowSeal& seal) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  const bool small = !ignored && size > 0 && size < kQuickCheckedFile;
  // Before what is made of it: TRY leaves behind what an expression had begun to make.
  auto connection = TRY(Connection::open(path, Connection::Mode::create));
  std::unique_ptr<Index> index(new Index(std::move(connection), seal));
  TRY(index->connection_->execute(std::string(kSettings)));
  if (small) {
    const auto check = TRY(index->connection_->prepare("PRAGMA quick_check(1)"));
    if (!TRY(check->step()) || check->text(0) != "ok") {
      return unsound(fmt::format("index: quick_check says: {}", check->text(0)));
    }
  }
  TRY(index->migrate());
  TRY(index->load_progress());
  return index;
}

Result<void> Index::remove(const std::filesystem::path& path) {
  for (const char* suffix : {"-wal", "-shm", ""}) {
    std::error_code error;
    std::filesystem::remove(path.string() + suffix, error);
    if (error) {
      return Error{"J104",
                   fmt::format("cannot remove {}{}: {}", path.string(), suffix, error.message()),
                   "",
                   {}};
    }
  }
  return {};
}

Result<void> Index::migrate() {
  const auto migrations = index_migrations();
  const auto version = static_cast<std::size_t>(TRY(connection_->number("PRAGMA user_version")));
  if (version > migrations.size()) {
    return unsound(fmt::format("index: a newer Cannula wrote it, in version {}; this one knows {}",
                               version, migrations.size()));
  }
  for (std::size_t step = version; step < migrations.size(); ++step) {
    if (version > 0 && migrations[step].anew) {
      return unsound(
          fmt::format("index: an older Cannula wrote it, in version {}; version {} ({}) builds it "
                      "anew",
                      version, step + 1, migrations[step].what));
    }
    TRY(connection_->execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT",
                                         migrations[step].sql, step + 1)));
  }
  return {};
}

Result<void> Index::load_progress() {
  const auto statement = TRY(connection_->prepare(
      "SELECT store, indexed_up_to, last_position, last_checksum, keys FROM progress"));
  if (TRY(statement->step())) {
    if (statement->unsigned_integer(4) != seal_.mark()) {
      return unsound("index: its texts are sealed with other keys");
    }
    progress_.store = statement->text(0);
    progress_.indexed_up_to = statement->unsigned_integer(1);
    progress_.last_position = statement->unsigned_integer(2);
    progress_.last_checksum = statement->unsigned_integer(3);
  }
  highest_id_ =
      static_cast<std::uint64_t>(TRY(connection_->number("SELECT max(id) FROM messages")));
  return load_ledgers();
}

Result<void> Index::load_ledgers() {
  const auto select = TRY(connection_->prepare(
      "SELECT n.text, l.as_of FROM ledgers l JOIN names n ON n.id = l.channel"));
  while (TRY(select->step())) {
    ledgers_[std::string(select->text(0))] = select->unsigned_integer(1);
  }
  return {};
}

Result<void> Index::carry(const Ledger& ledger) {
  note(script_state_, ledger.channel, ledger.state);
  note(wire_state_, ledger.channel, ledger.wire_state);
  worklist_.carry(ledger);
  ledgers_[ledger.channel] = ledger.as_of;
  new_ledgers_.push_back(ledger.channel);
  return {};
}

bool Index::is_counted(const std::string& channel, Position position) const {
  if (ledgers_.empty()) return true;
  const auto ledger = ledgers_.find(channel);
  return ledger == ledgers_.end() || position >= ledger->second;
}

Result<void> Index::apply(const Record& record, Position position) {
  if (const auto* forgotten = std::get_if<Forgotten>(&record)) {
    return apply_forgotten(*forgotten, position);
  }
  if (std::holds_alternative<Ledger>(record)) return {};  // it says what is in here already
  MessageLife* const life = TRY(life_of(record));
  if (life == nullptr) return {};
  if (!life->changed) changed_.push_back(life->row.id);
  life->apply(record, position);
  const bool counted = is_counted(channel_of(record), position);
  worklist_.apply(record, counted);
  if (const auto* outcome = std::get_if<Outcome>(&record)) {
    if (counted) note(script_state_, outcome->channel, outcome->state_writes);
    for (const std::uint64_t key : outcome->search_keys) search_.add(key, outcome->id);
  } else if (const auto* accepted = std::get_if<Accepted>(&record)) {
    if (counted) note(wire_state_, accepted->channel, accepted->wire_state);
    if (!accepted->control_id.empty()) {
      search_.add(seal_.search(kControlId, accepted->control_id), accepted->id);
    }
  } else if (const auto* attempt = std::get_if<Attempt>(&record)) {
    if (counted) note(wire_state_, attempt->channel, attempt->wire_state);
  }
  return {};
}

void Index::note(States& states, const std::string& channel,
                 const std::vector<StateWrite>& writes) {
  for (const StateWrite& write : writes) states[{channel, write.key}] = write.value;
}

Result<MessageLife*> Index::life_of(const Record& record) {
  const MessageId id = std::visit([](const auto& kind) { return kind.id; }, record);
  const auto [entry, added] = lives_.try_emplace(id);
  MessageLife& life = entry->second;
  if (!added) return &life;
  life.row.id = id;
  if (id.value > highest_id_) {
    highest_id_ = id.value;
  } else if (TRY(load(life))) {
    return &life;
  }
  if (!std::holds_alternative<Accepted>(record) && TRY(is_forgotten(id))) {
    lives_.erase(entry);
    return nullptr;
  }
  // Unknown before. Unless the record is its Accepted, that one was lost to damage: what is left is
  // still shown.
  std::visit(
      [&](const auto& kind) {
        life.row.channel = kind.channel;
        life.row.received_at = kind.at;
      },
      record);
  return &life;
}

Result<void> Index::apply_forgotten(const Forgotten& record, Position position) {
  for (const Forgotten::Entry& entry : record.entries) {
    MessageLife* life = TRY(known_life(entry.id));
    if (life == nullptr) continue;  // nothing of it was left in the journal
    if (!life->changed) changed_.push_back(entry.id);
    life->changed = true;
    life->row.bodies_removed = record.at;
    if (record.bodies_only) continue;
    life->forgotten = true;
    worklist_.drop(entry.id, record.channel);
  }
  forgotten_.emplace_back(position, record);
  return {};
}

// An attempt that was under way when a person ended its message may come after that was forgotten.
Result<bool> Index::is_forgotten(MessageId id) {
  for (const auto& [position, record] : forgotten_) {
    const auto& entries = record.entries;
    if (std::any_of(entries.begin(), entries.end(),
                    [&](const Forgotten::Entry& entry) { return entry.id == id; })) {
      return true;
    }
  }
  Statement& select =
      *TRY(connection_->prepared("SELECT 1 FROM forgotten WHERE message = ? LIMIT 1"));
  select.bind_unsigned(1, id.value);
  const bool found = TRY(select.step());
  select.reset();
  return found;
}

// Null when neither the file nor memory has the message.
Result<MessageLife*> Index::known_life(MessageId id) {
  const auto [entry, added] = lives_.try_emplace(id);
  if (!added) return &entry->second;
  entry->second.row.id = id;
  if (TRY(load(entry->second))) return &entry->second;
  lives_.erase(entry);
  return nullptr;
}

Result<void> Index::commit(Progress reached) {
  TRY(connection_->execute("BEGIN IMMEDIATE"));
  auto written = write(reached);
  if (written) written = connection_->execute("COMMIT");
  if (!written) {
    static_cast<void>(connection_->execute("ROLLBACK").has_value());
    forget();
    return written;
  }
  progress_ = std::move(reached);
  after_commit();
  return {};
}

Result<void> Index::write(const Progress& reached) {
  TRY(write_messages());
  TRY(write_counts());
  TRY(write_state("script_state", 's', script_state_));
  TRY(write_state("wire_state", 'w', wire_state_));
  TRY(search_.write(*connection_));
  TRY(write_forgotten());
  TRY(write_ledgers());
  TRY(worklist_.write(*connection_, seal_, [this](const std::string& text) { return name(text); }));
  Statement& progress = *TRY(connection_->prepared(
      "INSERT OR REPLACE INTO progress (one, store, indexed_up_to, last_position, last_checksum, "
      "keys) VALUES (1, ?, ?, ?, ?, ?)"));
  progress.bind_text(1, reached.store)
      .bind_unsigned(2, reached.indexed_up_to)
      .bind_unsigned(3, reached.last_position)
      .bind_unsigned(4, reached.last_checksum)
      .bind_unsigned(5, seal_.mark());
  return progress.run();
}

Result<void> Index::write_forgotten() {
  for (const auto& [position, record] : forgotten_) {
    for (const Forgotten::Entry& entry : record.entries) {
      for (const Forgotten::Piece& piece : entry.pieces) {
        Statement& put = *TRY(connection_->prepared(
            "INSERT OR REPLACE INTO forgotten (base, message, position, at, bodies_only, bytes) "
            "VALUES (?, ?, ?, ?, ?, ?)"));
        put.bind_unsigned(1, piece.base)
            .bind_unsigned(2, entry.id.value)
            .bind_unsigned(3, position)
            .bind(4, record.at)
            .bind(5, std::int64_t{record.bodies_only})
            .bind_unsigned(6, piece.bytes);
        TRY(put.run());
      }
    }
  }
  return {};
}

Result<void> Index::write_ledgers() {
  for (const std::string& channel : new_ledgers_) {
    const std::int64_t number = TRY(name(channel));
    Statement& put = *TRY(
        connection_->prepared("INSERT OR REPLACE INTO ledgers (channel, as_of) VALUES (?, ?)"));
    TRY(put.bind(1, number).bind_unsigned(2, ledgers_.at(channel)).run());
  }
  return {};
}

Result<void> Index::settle(Position base, Position as_of) {
  Statement& remove =
      *TRY(connection_->prepared("DELETE FROM forgotten WHERE base = ? AND position < ?"));
  return remove.bind_unsigned(1, base).bind_unsigned(2, as_of).run();
}

Result<std::int64_t> Index::give_back(int pages) {
  TRY(connection_->execute(fmt::format("PRAGMA incremental_vacuum({})", pages)));
  return connection_->number("PRAGMA freelist_count");
}

// Not waiting for readers: they are short, and the next time does as well.
Result<void> Index::empty_log() {
  TRY(connection_->execute("PRAGMA busy_timeout = 100"));
  auto done = connection_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  TRY(connection_->execute("PRAGMA busy_timeout = 10000"));
  return done;
}

Result<void> Index::write_counts() {
  for (const auto& [key, change] : count_changes_) {
    if (change == 0) continue;
    const auto& [channel, destination, state] = key;
    Statement& add = *TRY(connection_->prepared(
        "INSERT INTO counts (channel, destination, state, count) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT DO UPDATE SET count = count + ?4"));
    add.bind(1, channel).bind(2, destination).bind(3, std::int64_t{state}).bind(4, change);
    TRY(add.run());
  }
  return {};
}

Result<void> Index::write_state(std::string_view table, char place, const States& states) {
  for (const auto& [key, value] : states) {
    const std::int64_t channel = TRY(name(key.first));
    Statement& write = *TRY(connection_->prepared(
        value
            ? fmt::format("INSERT OR REPLACE INTO {} (channel, key, value) VALUES (?, ?, ?)", table)
            : fmt::format("DELETE FROM {} WHERE channel = ? AND key = ?", table)));
    const std::string hash = seal_.identity(kStateKey, key.second);
    std::string sealed;
    write.bind(1, channel).bind_blob(2, hash);
    if (value) {
      sealed = TRY(seal_.seal(key.first, place_by(place, hash), joined({key.second, *value})));
      write.bind_blob(3, sealed);
    }
    TRY(write.run());
  }
  return {};
}

Result<std::int64_t> Index::name(const std::string& text) {
  const auto known = names_.find(text);
  if (known != names_.end()) return known->second;
  Statement& insert = *TRY(connection_->prepared("INSERT OR IGNORE INTO names (text) VALUES (?)"));
  TRY(insert.bind_text(1, text).run());
  Statement& select = *TRY(connection_->prepared("SELECT id FROM names WHERE text = ?"));
  select.bind_text(1, text);
  if (!TRY(select.step())) return unsound("index: a name that was just written is not there");
  const std::int64_t id = select.integer(0);
  select.reset();
  names_.emplace(text, id);
  return id;
}

Result<std::string> Index::text_of_name(std::int64_t id) {
  for (const auto& [text, number] : names_) {
    if (number == id) return text;
  }
  Statement& select = *TRY(connection_->prepared("SELECT text FROM names WHERE id = ?"));
  select.bind(1, id);
  if (!TRY(select.step())) return unsound(fmt::format("index: name {} is not there", id));
  std::string text(select.text(0));
  select.reset();
  names_.emplace(text, id);
  return text;
}

void Index::after_commit() {
  for (const MessageId id : changed_) {
    const auto entry = lives_.find(id);
    MessageLife& life = entry->second;
    if (life.settled() || life.forgotten) {
      lives_.erase(entry);
      continue;
    }
    life.changed = false;
    life.stored = life.row.state;
    for (DeliveryLife& delivery : life.deliveries) {
      delivery.changed = false;
      delivery.stored = delivery.row.state;
    }
  }
  if (lives_.size() > kLivesKept) lives_.clear();  // they are read again when they go on
  changed_.clear();
  count_changes_.clear();
  script_state_.clear();
  wire_state_.clear();
  forgotten_.clear();
  new_ledgers_.clear();
}

void Index::forget() {
  lives_.clear();
  changed_.clear();
  count_changes_.clear();
  script_state_.clear();
  wire_state_.clear();
  search_.forget();
  forgotten_.clear();
  new_ledgers_.clear();
  worklist_.forget();
  names_.clear();
}

}  // namespace cannula::store
