#include "engine/store/index.h"

#include <fmt/format.h>

#include "engine/store/index_schema.h"
#include "engine/store/new_rows.h"
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

constexpr NewRows kNewMessages{
    "INSERT INTO messages (id, channel, state, outcome, received_at, changed_at, "
    "accepted_position, "
    "queued_position, last_ordinal, size, order_keys, partner, code, texts, trail, "
    "place, edited_from, bodies_removed) VALUES ",
    18};
constexpr std::string_view kUpdateMessage =
    "UPDATE messages SET state = ?2, outcome = ?3, changed_at = ?4, queued_position = ?5, "
    "last_ordinal = ?6, order_keys = ?7, code = ?8, texts = ?9, trail = ?10, place = ?11, "
    "bodies_removed = ?12 "
    "WHERE id = ?1";
constexpr std::string_view kSelectMessage =
    "SELECT channel, state, outcome, received_at, changed_at, accepted_position, queued_position, "
    "last_ordinal, size, order_keys, partner, code, texts, trail, place, edited_from, "
    "bodies_removed "
    "FROM messages WHERE id = ?";
constexpr NewRows kNewDeliveries{
    "INSERT INTO deliveries (message, ordinal, channel, destination, state, attempts, "
    "priority, handler_pending, changed_at, next_at, outcome_position, queued_position, "
    "attempt_position, order_keys, code, reason, place) VALUES ",
    17};
constexpr std::string_view kUpdateDelivery =
    "UPDATE deliveries SET channel = ?3, destination = ?4, state = ?5, attempts = ?6, "
    "priority = ?7, handler_pending = ?8, changed_at = ?9, next_at = ?10, outcome_position = ?11, "
    "queued_position = ?12, attempt_position = ?13, order_keys = ?14, code = ?15, reason = ?16, "
    "place = ?17 WHERE message = ?1 AND ordinal = ?2";
constexpr std::string_view kSelectDeliveries =
    "SELECT ordinal, destination, state, attempts, priority, handler_pending, changed_at, next_at, "
    "outcome_position, queued_position, attempt_position, order_keys, code, reason, place "
    "FROM deliveries WHERE message = ? ORDER BY ordinal";

Error unsound(std::string message) {
  return Error{"J302", std::move(message), "it is rebuilt from the journal", {}};
}

template <class State>
std::int64_t number_of(State state) {
  return static_cast<std::int64_t>(state);
}

}  // namespace

Result<std::unique_ptr<Index>> Index::open(const std::filesystem::path& path, const RowSeal& seal) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  const bool small = !ignored && size > 0 && size < kQuickCheckedFile;
  std::unique_ptr<Index> index(
      new Index(TRY(Connection::open(path, Connection::Mode::create)), seal));
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

Result<bool> Index::load(MessageLife& life) {
  Statement& select = *TRY(connection_->prepared(kSelectMessage));
  select.bind_unsigned(1, life.row.id.value);
  if (!TRY(select.step())) return false;
  const std::int64_t channel = select.integer(0);
  const std::int64_t partner = select.integer(10);
  life.row.state = static_cast<MessageState>(select.integer(1));
  life.stored = life.row.state;
  life.outcome = static_cast<MessageState>(select.integer(2));
  life.row.received_at = select.integer(3);
  life.row.changed_at = select.integer(4);
  life.row.accepted_at_position = select.unsigned_integer(5);
  life.queued_position = select.unsigned_integer(6);
  life.last_ordinal = static_cast<std::uint32_t>(select.integer(7));
  life.row.size = select.unsigned_integer(8);
  life.row.order_keys = unpacked(select.text(9));
  life.row.code = select.text(11);
  const std::string sealed(select.text(12));
  life.trail = select.text(13);
  life.row.place = select.text(14);
  life.row.edited_from.value = select.unsigned_integer(15);
  life.row.bodies_removed = select.integer(16);
  select.reset();
  const auto texts = TRY(parted(TRY(seal_.open({'m', life.row.id.value}, sealed)), 3));
  life.row.event = texts[0];
  life.row.control_id = texts[1];
  life.row.reason = texts[2];
  life.row.channel = TRY(text_of_name(channel));
  if (partner != 0) life.row.partner = TRY(text_of_name(partner));
  const auto positions = trail_positions(life.row.accepted_at_position, life.trail);
  life.last_position = positions.empty() ? 0 : positions.back();
  TRY(load_deliveries(life));
  return true;
}

Result<void> Index::load_deliveries(MessageLife& life) {
  Statement& select = *TRY(connection_->prepared(kSelectDeliveries));
  select.bind_unsigned(1, life.row.id.value);
  while (TRY(select.step())) {
    DeliveryLife delivery;
    DeliveryRow& row = delivery.row;
    row.id = life.row.id;
    row.channel = life.row.channel;
    row.ordinal = static_cast<std::uint32_t>(select.integer(0));
    row.destination = TRY(text_of_name(select.integer(1)));
    row.state = static_cast<DeliveryState>(select.integer(2));
    row.attempts = static_cast<std::uint32_t>(select.integer(3));
    row.priority = static_cast<std::uint8_t>(select.integer(4));
    row.handler_pending = select.integer(5) != 0;
    row.changed_at = select.integer(6);
    row.next_at = select.integer(7);
    row.outcome_position = select.unsigned_integer(8);
    row.queued = select.unsigned_integer(9);
    row.attempt_position = select.unsigned_integer(10);
    row.order_keys = unpacked(select.text(11));
    row.code = select.text(12);
    row.reason = TRY(seal_.open({'d', row.id.value, row.ordinal}, select.text(13)));
    row.place = select.text(14);
    delivery.stored = row.state;
    life.deliveries.push_back(std::move(delivery));
  }
  return {};
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
  Fresh fresh;
  for (const MessageId id : changed_) TRY(write_message(lives_.at(id), fresh));
  TRY(insert_messages(fresh.messages));
  TRY(insert_deliveries(fresh.deliveries));
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

Result<void> Index::write_message(MessageLife& life, Fresh& fresh) {
  if (life.forgotten) return delete_message(life);
  const std::int64_t channel = TRY(name(life.row.channel));
  if (life.stored != life.row.state) {
    if (life.stored) --count_changes_[{channel, 0, static_cast<int>(*life.stored)}];
    ++count_changes_[{channel, 0, static_cast<int>(life.row.state)}];
  }
  if (life.stored) {
    TRY(update_message(life));
  } else {
    fresh.messages.push_back(&life);
  }
  for (const DeliveryLife& delivery : life.deliveries) {
    if (!delivery.changed) continue;
    TRY(count(delivery));
    if (delivery.stored) {
      TRY(update_delivery(delivery));
    } else {
      fresh.deliveries.push_back(&delivery);
    }
  }
  return {};
}

Result<void> Index::delete_message(MessageLife& life) {
  if (!life.stored) return {};
  const std::int64_t channel = TRY(name(life.row.channel));
  --count_changes_[{channel, 0, static_cast<int>(*life.stored)}];
  for (const DeliveryLife& delivery : life.deliveries) {
    if (!delivery.stored) continue;
    const std::int64_t destination = TRY(name(delivery.row.destination));
    --count_changes_[{channel, destination, static_cast<int>(*delivery.stored)}];
  }
  Statement& deliveries = *TRY(connection_->prepared("DELETE FROM deliveries WHERE message = ?"));
  TRY(deliveries.bind_unsigned(1, life.row.id.value).run());
  Statement& message = *TRY(connection_->prepared("DELETE FROM messages WHERE id = ?"));
  return message.bind_unsigned(1, life.row.id.value).run();
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
  const auto done = connection_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  TRY(connection_->execute("PRAGMA busy_timeout = 10000"));
  return done;
}

Result<std::string> Index::sealed_texts(const MessageRow& row) const {
  return seal_.seal(row.channel, {'m', row.id.value},
                    joined({row.event, row.control_id, row.reason}));
}

Result<void> Index::insert_messages(std::span<const MessageLife* const> lives) {
  const auto bind = [this](Statement& insert, int before, const MessageLife& life,
                           std::deque<std::string>& kept) -> Result<void> {
    const MessageRow& row = life.row;
    const std::int64_t partner = row.partner.empty() ? 0 : TRY(name(row.partner));
    insert.bind_unsigned(before + 1, row.id.value)
        .bind(before + 2, TRY(name(row.channel)))
        .bind(before + 3, number_of(row.state))
        .bind(before + 4, number_of(life.outcome))
        .bind(before + 5, row.received_at)
        .bind(before + 6, row.changed_at)
        .bind_unsigned(before + 7, row.accepted_at_position)
        .bind_unsigned(before + 8, life.queued_position)
        .bind(before + 9, std::int64_t{life.last_ordinal})
        .bind_unsigned(before + 10, row.size)
        .bind_blob(before + 11, kept.emplace_back(packed(row.order_keys)))
        .bind(before + 12, partner)
        .bind(before + 13, row.code)
        .bind_blob(before + 14, kept.emplace_back(TRY(sealed_texts(row))))
        .bind_blob(before + 15, life.trail)
        .bind(before + 16, row.place)
        .bind_unless_0(before + 17, row.edited_from.value)
        .bind_unless_0(before + 18, static_cast<std::uint64_t>(row.bodies_removed));
    return {};
  };
  return insert_rows(*connection_, kNewMessages, lives, bind);
}

Result<void> Index::update_message(const MessageLife& life) {
  const std::string order_keys = packed(life.row.order_keys);
  const std::string texts = TRY(sealed_texts(life.row));
  Statement& update = *TRY(connection_->prepared(kUpdateMessage));
  update.bind_unsigned(1, life.row.id.value)
      .bind(2, number_of(life.row.state))
      .bind(3, number_of(life.outcome))
      .bind(4, life.row.changed_at)
      .bind_unsigned(5, life.queued_position)
      .bind(6, std::int64_t{life.last_ordinal})
      .bind_blob(7, order_keys)
      .bind(8, life.row.code)
      .bind_blob(9, texts)
      .bind_blob(10, life.trail)
      .bind(11, life.row.place)
      .bind_unless_0(12, static_cast<std::uint64_t>(life.row.bodies_removed));
  return update.run();
}

Result<void> Index::count(const DeliveryLife& delivery) {
  const DeliveryRow& row = delivery.row;
  if (delivery.stored == row.state) return {};
  const std::int64_t channel = TRY(name(row.channel));
  const std::int64_t destination = TRY(name(row.destination));
  if (delivery.stored) --count_changes_[{channel, destination, static_cast<int>(*delivery.stored)}];
  ++count_changes_[{channel, destination, static_cast<int>(row.state)}];
  return {};
}

// The same parameters for a new row and for one that is there.
Result<void> Index::bind_delivery(Statement& statement, int before, const DeliveryRow& row,
                                  std::deque<std::string>& kept) {
  statement.bind_unsigned(before + 1, row.id.value)
      .bind(before + 2, std::int64_t{row.ordinal})
      .bind(before + 3, TRY(name(row.channel)))
      .bind(before + 4, TRY(name(row.destination)))
      .bind(before + 5, number_of(row.state))
      .bind(before + 6, std::int64_t{row.attempts})
      .bind(before + 7, std::int64_t{row.priority})
      .bind(before + 8, std::int64_t{row.handler_pending})
      .bind(before + 9, row.changed_at)
      .bind(before + 10, row.next_at)
      .bind_unsigned(before + 11, row.outcome_position)
      .bind_unsigned(before + 12, row.queued)
      .bind_unsigned(before + 13, row.attempt_position)
      .bind_blob(before + 14, kept.emplace_back(packed(row.order_keys)))
      .bind(before + 15, row.code)
      .bind_blob(before + 16, kept.emplace_back(TRY(seal_.seal(
                                  row.channel, {'d', row.id.value, row.ordinal}, row.reason))))
      .bind(before + 17, row.place);
  return {};
}

Result<void> Index::insert_deliveries(std::span<const DeliveryLife* const> lives) {
  const auto bind = [this](Statement& insert, int before, const DeliveryLife& life,
                           std::deque<std::string>& kept) {
    return bind_delivery(insert, before, life.row, kept);
  };
  return insert_rows(*connection_, kNewDeliveries, lives, bind);
}

Result<void> Index::update_delivery(const DeliveryLife& delivery) {
  std::deque<std::string> kept;
  Statement& update = *TRY(connection_->prepared(kUpdateDelivery));
  TRY(bind_delivery(update, 0, delivery.row, kept));
  return update.run();
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
