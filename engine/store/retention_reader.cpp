#include "engine/store/retention_reader.h"

#include <algorithm>

#include <fmt/format.h>

namespace cannula::store {
namespace {

// A transaction that reads: all of it sees the index at one position.
class Glance {
 public:
  static Result<Glance> begin(Connection& connection) {
    TRY(connection.execute("BEGIN"));
    return Glance(connection);
  }
  Glance(Glance&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Glance& operator=(Glance&&) = delete;
  ~Glance() {
    if (connection_) static_cast<void>(connection_->execute("COMMIT").has_value());
  }

 private:
  explicit Glance(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

Result<Position> position_of(Connection& connection) {
  return static_cast<Position>(TRY(connection.number("SELECT indexed_up_to FROM progress")));
}

}  // namespace

Result<RetentionReader> RetentionReader::open(const std::filesystem::path& index,
                                              const RowSeal& seal) {
  return RetentionReader(TRY(Connection::open(index, Connection::Mode::read)), seal);
}

Result<std::string> RetentionReader::text(std::int64_t name) {
  const auto known = names_.find(name);
  if (known != names_.end()) return known->second;
  Statement& select = *TRY(connection_->prepared("SELECT text FROM names WHERE id = ?"));
  select.bind(1, name);
  std::string text;
  if (TRY(select.step())) text = select.text(0);
  select.reset();
  names_.emplace(name, text);
  return text;
}

Result<std::int64_t> RetentionReader::number(const std::string& name) {
  Statement& select = *TRY(connection_->prepared("SELECT id FROM names WHERE text = ?"));
  select.bind_text(1, name);
  const std::int64_t number = TRY(select.step()) ? select.integer(0) : 0;
  select.reset();
  return number;
}

Result<std::vector<RetentionReader::Candidate>> RetentionReader::candidates(MessageId after,
                                                                            std::size_t limit) {
  Statement& select = *TRY(connection_->prepared(
      "SELECT id, channel, state, changed_at, bodies_removed FROM messages WHERE id > ? "
      "ORDER BY id LIMIT ?"));
  select.bind_unsigned(1, after.value).bind(2, static_cast<std::int64_t>(limit));
  std::vector<Candidate> found;
  found.reserve(limit);
  while (TRY(select.step())) {
    Candidate one;
    one.id.value = select.unsigned_integer(0);
    one.channel = TRY(text(select.integer(1)));
    one.state = static_cast<MessageState>(select.integer(2));
    one.changed_at = select.integer(3);
    one.has_bodies = select.integer(4) == 0;
    found.push_back(std::move(one));
  }
  return found;
}

Result<std::vector<RetentionReader::Debt>> RetentionReader::debts() {
  const auto select = TRY(connection_->prepare(
      "SELECT base, count(*), sum(bytes), min(at), max(position) FROM forgotten GROUP BY base"));
  std::vector<Debt> debts;
  while (TRY(select->step())) {
    debts.push_back({select->unsigned_integer(0), select->unsigned_integer(1),
                     select->unsigned_integer(2), select->integer(3), select->unsigned_integer(4)});
  }
  std::sort(debts.begin(), debts.end(),
            [](const Debt& a, const Debt& b) { return a.bytes > b.bytes; });
  return debts;
}

Result<Owed> RetentionReader::owed() {
  const auto select = TRY(
      connection_->prepare("SELECT count(DISTINCT message), sum(bytes), min(at) FROM forgotten"));
  if (!TRY(select->step())) return Owed();
  return Owed{select->unsigned_integer(0), select->unsigned_integer(1), select->integer(2)};
}

Result<RetentionReader::Gone> RetentionReader::gone_from(Position base) {
  const Glance glance = TRY(Glance::begin(*connection_));
  Gone gone;
  gone.as_of = TRY(position_of(*connection_));
  Statement& select = *TRY(connection_->prepared(
      "SELECT message, CASE bodies_only WHEN 0 THEN 0 ELSE at END FROM forgotten WHERE base = ?"));
  select.bind_unsigned(1, base);
  while (TRY(select.step())) {
    gone.messages.emplace(MessageId{select.unsigned_integer(0)}, select.integer(1));
  }
  return gone;
}

Result<Ledger> RetentionReader::ledger(const std::string& channel) {
  const Glance glance = TRY(Glance::begin(*connection_));
  Ledger ledger;
  ledger.channel = channel;
  ledger.as_of = TRY(position_of(*connection_));
  const std::int64_t name = TRY(number(channel));
  ledger.state = TRY(state(name, "script_state", 's'));
  ledger.wire_state = TRY(state(name, "wire_state", 'w'));
  TRY(read_missed(name, ledger));
  return ledger;
}

Result<std::vector<StateWrite>> RetentionReader::state(std::int64_t channel, std::string_view table,
                                                       char place) {
  Statement& select = *TRY(
      connection_->prepared(fmt::format("SELECT key, value FROM {} WHERE channel = ?", table)));
  select.bind(1, channel);
  std::vector<StateWrite> state;
  while (TRY(select.step())) {
    auto both = TRY(parted(TRY(seal_->open(place_by(place, select.text(0)), select.text(1))), 2));
    state.push_back({.key = std::move(both[0]), .value = std::move(both[1])});
  }
  return state;
}

Result<void> RetentionReader::read_missed(std::int64_t channel, Ledger& ledger) {
  Statement& select = *TRY(connection_->prepared(
      "SELECT in_table, key, key_text, text, count, first_at, last_at, sample FROM misses "
      "WHERE channel = ?"));
  select.bind(1, channel);
  while (TRY(select.step())) {
    Ledger::Missed missed;
    missed.miss.table = TRY(text(select.integer(0)));
    missed.miss.key =
        TRY(parted(TRY(seal_->open(place_by('k', select.text(1)), select.text(2))), 1))[0];
    missed.miss.text = TRY(seal_->open(place_by('t', select.text(1)), select.text(3)));
    missed.count = select.unsigned_integer(4);
    missed.first_at = select.integer(5);
    missed.last_at = select.integer(6);
    missed.sample.value = select.unsigned_integer(7);
    ledger.missed.push_back(std::move(missed));
  }
  return {};
}

}  // namespace cannula::store
