#include "engine/store/index_reader.h"

#include <fmt/format.h>

#include "engine/store/letter_sql.h"
#include "engine/store/message_life.h"
#include "engine/store/search_runs.h"

namespace cannula::store {
namespace {

constexpr std::size_t kIdleConnections = 8;
constexpr std::size_t kMostArms = 100;    // of a UNION; SQLite's limit is 500
constexpr std::size_t kCandidates = 500;  // ids in one statement

constexpr std::string_view kMessageColumns =
    "id, channel, state, received_at, changed_at, texts, partner, code, order_keys, size, "
    "accepted_position, place, edited_from, bodies_removed";
constexpr std::string_view kDeliveryColumns =
    "message, ordinal, channel, destination, state, attempts, order_keys, priority, changed_at, "
    "next_at, code, reason, handler_pending, outcome_position, queued_position, attempt_position, "
    "place";

std::int64_t limit_of(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000));
}

}  // namespace

class IndexReader::Session {
 public:
  Session(std::unique_ptr<Connection> connection, const RowSeal& seal)
      : connection_(std::move(connection)), seal_(seal) {}

  Connection& connection() { return *connection_; }
  const RowSeal& seal() const { return seal_; }

  // The number of a name; 0 when no row has it.
  Result<std::int64_t> number(const std::string& text) {
    const auto known = numbers_.find(text);
    if (known != numbers_.end()) return known->second;
    Statement& select = *TRY(connection_->prepared("SELECT id FROM names WHERE text = ?"));
    select.bind_text(1, text);
    if (!TRY(select.step())) return std::int64_t{0};
    const std::int64_t id = select.integer(0);
    select.reset();
    numbers_.emplace(text, id);
    return id;
  }

  Result<Numbers> numbers(const std::string& name, const std::vector<std::string>& others) {
    if (name.empty()) return Numbers();
    std::vector<std::int64_t> known;
    if (const std::int64_t one = TRY(number(name)); one != 0) known.push_back(one);
    for (const std::string& other : others) {
      if (const std::int64_t one = TRY(number(other)); one != 0) known.push_back(one);
    }
    return Numbers(std::move(known));
  }

  Result<std::string> text(std::int64_t number) {
    if (number == 0) return std::string();
    const auto known = texts_.find(number);
    if (known != texts_.end()) return known->second;
    Statement& select = *TRY(connection_->prepared("SELECT text FROM names WHERE id = ?"));
    select.bind(1, number);
    std::string text;
    if (TRY(select.step())) text = select.text(0);
    select.reset();
    texts_.emplace(number, text);
    return text;
  }

  Result<MessageRow> message_row(const Statement& row) {
    MessageRow message;
    message.id.value = row.unsigned_integer(0);
    message.channel = TRY(text(row.integer(1)));
    message.state = static_cast<MessageState>(row.integer(2));
    message.received_at = row.integer(3);
    message.changed_at = row.integer(4);
    auto texts = TRY(parted(TRY(seal_.open({'m', message.id.value}, row.text(5))), 3));
    message.event = std::move(texts[0]);
    message.control_id = std::move(texts[1]);
    message.reason = std::move(texts[2]);
    message.partner = TRY(text(row.integer(6)));
    message.code = row.text(7);
    message.order_keys = unpacked(row.text(8));
    message.size = row.unsigned_integer(9);
    message.accepted_at_position = row.unsigned_integer(10);
    message.place = row.text(11);
    message.edited_from.value = row.unsigned_integer(12);
    message.bodies_removed = row.integer(13);
    return message;
  }

  Result<std::vector<DeliveryRow>> delivery_rows(Statement& rows) {
    std::vector<DeliveryRow> deliveries;
    while (TRY(rows.step())) {
      DeliveryRow delivery;
      delivery.id.value = rows.unsigned_integer(0);
      delivery.ordinal = static_cast<std::uint32_t>(rows.integer(1));
      delivery.channel = TRY(text(rows.integer(2)));
      delivery.destination = TRY(text(rows.integer(3)));
      delivery.state = static_cast<DeliveryState>(rows.integer(4));
      delivery.attempts = static_cast<std::uint32_t>(rows.integer(5));
      delivery.order_keys = unpacked(rows.text(6));
      delivery.priority = static_cast<std::uint8_t>(rows.integer(7));
      delivery.changed_at = rows.integer(8);
      delivery.next_at = rows.integer(9);
      delivery.code = rows.text(10);
      delivery.reason = TRY(seal_.open({'d', delivery.id.value, delivery.ordinal}, rows.text(11)));
      delivery.handler_pending = rows.integer(12) != 0;
      delivery.outcome_position = rows.unsigned_integer(13);
      delivery.queued = rows.unsigned_integer(14);
      delivery.attempt_position = rows.unsigned_integer(15);
      delivery.place = rows.text(16);
      deliveries.push_back(std::move(delivery));
    }
    return deliveries;
  }

  // Calls `visit` with each row of what the arms of `query` find; `column` names the statement.
  Result<void> each_of(const LetterQuery& query, std::string LetterArm::*column,
                       const std::function<Result<void>(const LetterArm&, Statement&)>& visit) {
    const Numbers channels = TRY(numbers(query.channel, query.also_of_channels));
    const Numbers destinations = TRY(numbers(query.destination, query.also_to));
    if ((channels && channels->empty()) || (destinations && destinations->empty())) return {};
    const std::string place = query.place.value_or("");  // SQLite reads it until the last step
    for (const LetterArm& arm : letter_arms(query, channels, destinations)) {
      const auto select = TRY(connection_->prepare(arm.*column));
      select->bind(1, query.code).bind(2, place).bind(3, query.from);
      select->bind(4, query.to);
      while (TRY(select->step())) TRY(visit(arm, *select));
    }
    return {};
  }

  // Rows of `query`: from the narrowest index that serves it. Of `candidates` alone, when there are
  // some.
  Result<std::vector<MessageRow>> rows_of(const MessageQuery& query,
                                          std::span<const MessageId> candidates);
  // Rows of a query that names a control id or search keys.
  Result<std::vector<MessageRow>> rows_found(const MessageQuery& query);

 private:
  struct Pair {
    std::int64_t channel;
    std::int64_t state;
  };
  Result<std::vector<Pair>> pairs(const Numbers& channels, std::optional<MessageState> state);
  Result<std::unique_ptr<Statement>> statement_for(const MessageQuery& query,
                                                   std::span<const MessageId> candidates);

  std::unique_ptr<Connection> connection_;
  const RowSeal& seal_;
  std::unordered_map<std::string, std::int64_t> numbers_;
  std::unordered_map<std::int64_t, std::string> texts_;
};

static std::string delivery_filter(const MessageQuery& query, const Numbers& destinations) {
  const std::string state =
      query.delivery_state ? fmt::format(" AND state = {}", static_cast<int>(*query.delivery_state))
                           : "";
  const std::string to = and_among("destination", destinations);
  if (!destinations || !query.delivery_state || *query.delivery_state == DeliveryState::delivered) {
    return fmt::format(" AND EXISTS (SELECT 1 FROM deliveries WHERE message = messages.id{}{})", to,
                       state);
  }
  // Few are in another state than delivered, and there are indexes of those: start from them.
  return fmt::format(" AND id IN (SELECT message FROM deliveries WHERE {}{}{})",
                     *query.delivery_state < DeliveryState::delivered ? "state < 3" : "state > 3",
                     to, state);
}

// The pairs of channel and state that have messages: the counters know.
Result<std::vector<IndexReader::Session::Pair>> IndexReader::Session::pairs(
    const Numbers& channels, std::optional<MessageState> state) {
  Statement& select = *TRY(
      connection_->prepared("SELECT channel, state FROM counts WHERE destination = 0 AND count > 0 "
                            "AND (?1 < 0 OR state = ?1)"));
  select.bind(1, state ? static_cast<std::int64_t>(*state) : -1);
  std::vector<Pair> found;
  while (TRY(select.step())) {
    const std::int64_t channel = select.integer(0);
    const bool asked_for =
        !channels || std::find(channels->begin(), channels->end(), channel) != channels->end();
    if (asked_for) found.push_back({channel, select.integer(1)});
  }
  return found;
}

Result<std::unique_ptr<Statement>> IndexReader::Session::statement_for(
    const MessageQuery& query, std::span<const MessageId> candidates) {
  const Numbers channels = TRY(numbers(query.channel, query.also_of_channels));
  const Numbers destinations = TRY(numbers(query.destination, query.also_to));

  std::string filter = "id > ?1 AND id < ?2";
  if (query.received_from != 0) filter += " AND received_at >= ?3";
  if (query.received_to != 0) filter += " AND received_at < ?4";
  if (!candidates.empty()) {
    filter += " AND id IN (";
    for (const MessageId id : candidates)
      fmt::format_to(std::back_inserter(filter), "{},", id.value);
    filter.back() = ')';
  }
  if (destinations || query.delivery_state) filter += delivery_filter(query, destinations);

  const std::string order =
      fmt::format(" ORDER BY id {} LIMIT ?5", query.newest_first ? "DESC" : "ASC");
  std::string sql;
  if (candidates.empty() && (channels || query.state)) {
    const std::vector<Pair> arms = TRY(pairs(channels, query.state));
    if (arms.size() <= kMostArms) {
      for (const Pair& arm : arms) {
        sql += sql.empty() ? "" : " UNION ALL ";
        sql += fmt::format(
            "SELECT * FROM (SELECT {} FROM messages INDEXED BY messages_by_state "
            "WHERE channel = {} AND state = {} AND {}{})",
            kMessageColumns, arm.channel, arm.state, filter, order);
      }
      if (arms.empty())
        sql = fmt::format("SELECT {} FROM messages WHERE 0 AND {}", kMessageColumns, filter);
      sql = fmt::format("SELECT * FROM ({}){}", sql, order);
    }
  }
  if (sql.empty()) {
    filter += and_among("channel", channels);
    if (query.state) filter += fmt::format(" AND state = {}", static_cast<int>(*query.state));
    sql = fmt::format("SELECT {} FROM messages WHERE {}{}", kMessageColumns, filter, order);
  }

  auto statement = TRY(connection_->prepare(sql));
  constexpr auto kNoBound = std::numeric_limits<std::int64_t>::max();
  statement->bind_unsigned(1, query.after.value)
      .bind(2, query.before ? static_cast<std::int64_t>(query.before.value) : kNoBound)
      .bind(3, query.received_from)
      .bind(4, query.received_to)
      .bind(5, limit_of(query.limit));
  return statement;
}

Result<std::vector<MessageRow>> IndexReader::Session::rows_of(
    const MessageQuery& query, std::span<const MessageId> candidates) {
  const auto select = TRY(statement_for(query, candidates));
  std::vector<MessageRow> rows;
  while (TRY(select->step())) rows.push_back(TRY(message_row(*select)));
  return rows;
}

Result<std::vector<MessageRow>> IndexReader::Session::rows_found(const MessageQuery& query) {
  std::vector<SearchKeys> wanted = query.search_keys;
  if (!query.control_id.empty()) wanted.push_back({seal_.search(kControlId, query.control_id)});
  std::vector<MessageId> found = TRY(messages_with(*connection_, wanted));
  std::erase_if(found, [&](MessageId id) {
    return id <= query.after || (query.before && id >= query.before);
  });
  if (query.newest_first) std::reverse(found.begin(), found.end());
  std::vector<MessageRow> rows;
  MessageQuery rest = query;
  for (std::size_t at = 0; at < found.size() && rows.size() < query.limit; at += kCandidates) {
    rest.limit = query.limit - rows.size();
    const std::size_t count = std::min(kCandidates, found.size() - at);
    auto some = TRY(rows_of(rest, std::span(found).subspan(at, count)));
    std::move(some.begin(), some.end(), std::back_inserter(rows));
  }
  return rows;
}

class IndexReader::Lease {
 public:
  Lease(IndexReader& reader, std::unique_ptr<Session> session, std::uint64_t generation)
      : reader_(&reader), session_(std::move(session)), generation_(generation) {}
  Lease(Lease&&) = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (session_) reader_->give_back(std::move(session_), generation_);
  }
  Session* operator->() { return session_.get(); }

 private:
  IndexReader* reader_;
  std::unique_ptr<Session> session_;
  std::uint64_t generation_;
};

IndexReader::IndexReader(std::filesystem::path path, const RowSeal& seal)
    : path_(std::move(path)), seal_(seal) {}
IndexReader::~IndexReader() = default;

Result<IndexReader::Lease> IndexReader::lease() {
  std::uint64_t generation = 0;
  {
    const std::lock_guard guard(lock_);
    generation = generation_;
    if (!idle_.empty()) {
      auto session = std::move(idle_.back());
      idle_.pop_back();
      return Lease(*this, std::move(session), generation);
    }
  }
  auto connection = TRY(Connection::open(path_, Connection::Mode::read));
  return Lease(*this, std::make_unique<Session>(std::move(connection), seal_), generation);
}

// One that met a damaged file is not used again: the file is built anew. What it met of a file that
// is another one by now says nothing.
void IndexReader::give_back(std::unique_ptr<Session> session, std::uint64_t generation) {
  {
    const std::lock_guard guard(lock_);
    if (generation != generation_) return;
    if (!session->connection().is_unsound()) {
      if (idle_.size() < kIdleConnections) idle_.push_back(std::move(session));
      return;
    }
  }
  static_cast<void>(seal_.changed("its file is damaged"));
}

void IndexReader::reopen() {
  const std::lock_guard guard(lock_);
  ++generation_;
  idle_.clear();
}

Result<std::optional<MessageRow>> IndexReader::message(MessageId id) {
  auto session = TRY(lease());
  static const std::string sql =
      fmt::format("SELECT {} FROM messages WHERE id = ?", kMessageColumns);
  Statement& select = *TRY(session->connection().prepared(sql));
  select.bind_unsigned(1, id.value);
  if (!TRY(select.step())) return std::optional<MessageRow>();
  auto row = session->message_row(select);
  select.reset();
  return std::optional<MessageRow>(TRY(std::move(row)));
}

Result<std::vector<MessageRow>> IndexReader::messages(const MessageQuery& query) {
  auto session = TRY(lease());
  const bool named = !query.control_id.empty() || !query.search_keys.empty();
  return named ? session->rows_found(query) : session->rows_of(query, {});
}

Result<std::vector<DeliveryRow>> IndexReader::deliveries(MessageId id) {
  auto session = TRY(lease());
  static const std::string sql =
      fmt::format("SELECT {} FROM deliveries WHERE message = ? ORDER BY ordinal", kDeliveryColumns);
  Statement& select = *TRY(session->connection().prepared(sql));
  select.bind_unsigned(1, id.value);
  return session->delivery_rows(select);
}

Result<std::vector<StateCount>> IndexReader::counts() {
  auto session = TRY(lease());
  Statement& select = *TRY(session->connection().prepared(
      "SELECT channel, destination, state, count FROM counts WHERE count > 0 "
      "ORDER BY channel, destination, state"));
  std::vector<StateCount> counts;
  while (TRY(select.step())) {
    StateCount count;
    const bool of_messages = select.integer(1) == 0;
    count.channel = TRY(session->text(select.integer(0)));
    count.destination = TRY(session->text(select.integer(1)));
    count.state = of_messages ? name_of(static_cast<MessageState>(select.integer(2)))
                              : name_of(static_cast<DeliveryState>(select.integer(2)));
    count.count = select.unsigned_integer(3);
    counts.push_back(std::move(count));
  }
  return counts;
}

Result<std::vector<Position>> IndexReader::trail(MessageId id) {
  auto session = TRY(lease());
  Statement& select = *TRY(
      session->connection().prepared("SELECT accepted_position, trail FROM messages WHERE id = ?"));
  select.bind_unsigned(1, id.value);
  std::vector<Position> positions;
  if (TRY(select.step())) positions = trail_positions(select.unsigned_integer(0), select.text(1));
  select.reset();
  return positions;
}

Result<std::vector<Letter>> IndexReader::letters(const LetterQuery& query) {
  auto session = TRY(lease());
  std::vector<Letter> letters;
  TRY(session->each_of(
      query, &LetterArm::letters, [&](const LetterArm&, Statement& row) -> Result<void> {
        letters.push_back({{row.unsigned_integer(0)}, static_cast<std::uint32_t>(row.integer(1))});
        return {};
      }));
  std::sort(letters.begin(), letters.end());
  return letters;
}

Result<std::vector<CauseRow>> IndexReader::causes(const LetterQuery& query) {
  auto session = TRY(lease());
  std::vector<CauseRow> causes;
  const auto add = [&](const LetterArm& arm, Statement& row) -> Result<void> {
    CauseRow cause;
    cause.channel = TRY(session->text(row.integer(0)));
    cause.destination = TRY(session->text(row.integer(1)));
    cause.state = arm.of_messages ? name_of(static_cast<MessageState>(arm.state))
                                  : name_of(static_cast<DeliveryState>(arm.state));
    cause.code = row.text(2);
    cause.place = row.text(3);
    cause.count = row.unsigned_integer(4);
    cause.first_at = row.integer(5);
    cause.last_at = row.integer(6);
    cause.sample.value = row.unsigned_integer(7);
    causes.push_back(std::move(cause));
    return {};
  };
  TRY(session->each_of(query, &LetterArm::causes, add));
  std::stable_sort(causes.begin(), causes.end(),
                   [](const CauseRow& a, const CauseRow& b) { return a.count > b.count; });
  return causes;
}

Result<std::vector<MessageId>> IndexReader::edited_as(MessageId id) {
  auto session = TRY(lease());
  Statement& select = *TRY(session->connection().prepared(
      "SELECT id FROM messages INDEXED BY messages_edited WHERE edited_from = ? ORDER BY id"));
  select.bind_unsigned(1, id.value);
  std::vector<MessageId> ids;
  while (TRY(select.step())) ids.push_back({select.unsigned_integer(0)});
  return ids;
}

Result<std::vector<Store::Waiting>> IndexReader::waiting_messages(const std::string& channel,
                                                                  Position after,
                                                                  std::size_t limit) {
  auto session = TRY(lease());
  const std::int64_t number = TRY(session->number(channel));
  Statement& select = *TRY(session->connection().prepared(
      "SELECT id, accepted_position, queued_position, last_ordinal FROM messages "
      "INDEXED BY messages_waiting WHERE channel = ? AND state = 0 AND queued_position > ? "
      "ORDER BY queued_position LIMIT ?"));
  select.bind(1, number).bind_unsigned(2, after).bind(3, limit_of(limit));
  std::vector<Store::Waiting> waiting;
  while (TRY(select.step())) {
    waiting.push_back({.id = {select.unsigned_integer(0)},
                       .accepted = select.unsigned_integer(1),
                       .queued = select.unsigned_integer(2),
                       .next_ordinal = static_cast<std::uint32_t>(select.integer(3)) + 1});
  }
  return waiting;
}

Result<std::vector<DeliveryRow>> IndexReader::waiting_deliveries(const std::string& channel,
                                                                 const std::string& destination,
                                                                 Position after,
                                                                 std::uint32_t after_ordinal,
                                                                 std::size_t limit) {
  auto session = TRY(lease());
  const std::int64_t channel_number = TRY(session->number(channel));
  const std::int64_t destination_number = TRY(session->number(destination));
  static const std::string sql = fmt::format(
      "SELECT {} FROM deliveries INDEXED BY deliveries_waiting "
      "WHERE destination = ?2 AND channel = ?1 AND state < 3 "
      "AND (queued_position, ordinal) > (?3, ?4) ORDER BY queued_position, ordinal LIMIT ?5",
      kDeliveryColumns);
  Statement& select = *TRY(session->connection().prepared(sql));
  select.bind(1, channel_number)
      .bind(2, destination_number)
      .bind_unsigned(3, after)
      .bind(4, std::int64_t{after_ordinal})
      .bind(5, limit_of(limit));
  return session->delivery_rows(select);
}

Result<std::vector<DeliveryRow>> IndexReader::waiting_handlers(const std::string& channel) {
  auto session = TRY(lease());
  const std::int64_t number = TRY(session->number(channel));
  static const std::string sql = fmt::format(
      "SELECT {} FROM deliveries INDEXED BY deliveries_with_handler "
      "WHERE channel = ? AND handler_pending = 1 ORDER BY message, ordinal",
      kDeliveryColumns);
  Statement& select = *TRY(session->connection().prepared(sql));
  select.bind(1, number);
  return session->delivery_rows(select);
}

Result<std::vector<StateWrite>> IndexReader::script_state(const std::string& channel) {
  return state(channel, "script_state", 's');
}

Result<std::vector<StateWrite>> IndexReader::wire_state(const std::string& channel) {
  return state(channel, "wire_state", 'w');
}

Result<std::vector<StateWrite>> IndexReader::state(const std::string& channel,
                                                   std::string_view table, char place) {
  auto session = TRY(lease());
  const std::int64_t number = TRY(session->number(channel));
  Statement& select = *TRY(session->connection().prepared(
      fmt::format("SELECT key, value FROM {} WHERE channel = ?", table)));
  select.bind(1, number);
  std::vector<StateWrite> state;
  while (TRY(select.step())) {
    auto both =
        TRY(parted(TRY(session->seal().open(place_by(place, select.text(0)), select.text(1))), 2));
    state.push_back({.key = std::move(both[0]), .value = std::move(both[1])});
  }
  std::sort(state.begin(), state.end(),
            [](const StateWrite& a, const StateWrite& b) { return a.key < b.key; });
  return state;
}

Result<std::vector<UnmappedRow>> IndexReader::unmapped(const std::string& table,
                                                       std::size_t limit) {
  auto session = TRY(lease());
  const std::int64_t number = table.empty() ? 0 : TRY(session->number(table));
  if (!table.empty() && number == 0) return std::vector<UnmappedRow>();
  Statement& select = *TRY(session->connection().prepared(
      "SELECT in_table, key, text, channel, count, first_at, last_at, sample, (SELECT count(*) "
      "FROM "
      "awaited JOIN messages ON messages.id = awaited.message WHERE awaited.in_table = "
      "misses.in_table AND awaited.key = misses.key AND messages.channel = misses.channel), "
      "key_text "
      "FROM misses WHERE ?1 = 0 OR in_table = ?1 ORDER BY count DESC, in_table, key LIMIT ?2"));
  select.bind(1, number).bind(2, limit_of(limit));
  std::vector<UnmappedRow> rows;
  while (TRY(select.step())) {
    UnmappedRow row;
    row.table = TRY(session->text(select.integer(0)));
    row.key =
        TRY(parted(TRY(session->seal().open(place_by('k', select.text(1)), select.text(9))), 1))[0];
    row.text = TRY(session->seal().open(place_by('t', select.text(1)), select.text(2)));
    row.channel = TRY(session->text(select.integer(3)));
    row.count = select.unsigned_integer(4);
    row.first_at = select.integer(5);
    row.last_at = select.integer(6);
    row.sample.value = select.unsigned_integer(7);
    row.waiting = select.unsigned_integer(8);
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const UnmappedRow& a, const UnmappedRow& b) {
    return std::tie(b.count, a.table, a.key) < std::tie(a.count, b.table, b.key);
  });
  return rows;
}

Result<std::vector<AwaitingRow>> IndexReader::awaiting(MessageId after, std::size_t limit) {
  auto session = TRY(lease());
  Statement& select = *TRY(session->connection().prepared(
      "SELECT message, in_table, key, key_text FROM awaited WHERE message IN (SELECT DISTINCT "
      "message FROM "
      "awaited WHERE message > ?1 ORDER BY message LIMIT ?2) ORDER BY message, in_table, key"));
  select.bind_unsigned(1, after.value).bind(2, limit_of(limit));
  std::vector<AwaitingRow> rows;
  while (TRY(select.step())) {
    const MessageId id{select.unsigned_integer(0)};
    if (rows.empty() || rows.back().id != id) rows.push_back({id, {}});
    const RowPlace place{'a', id.value ^ place_by('a', select.text(2)).row};
    auto key = TRY(parted(TRY(session->seal().open(place, select.text(3))), 1));
    rows.back().codes.emplace_back(TRY(session->text(select.integer(1))), std::move(key[0]));
  }
  for (AwaitingRow& row : rows) std::sort(row.codes.begin(), row.codes.end());
  return rows;
}

}  // namespace cannula::store
