#include "engine/store/record_codec.h"

#include <fmt/format.h>

#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

// More than any list has: each entry takes a byte, and a payload is smaller (frame.h).
constexpr std::uint64_t kNoCount = 1u << 30;

class Writer {
 public:
  explicit Writer(std::string& into) : into_(into) {}

  void number(std::uint64_t value) {
    while (value >= 0x80) {
      into_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    into_.push_back(static_cast<char>(value));
  }
  // Zigzag, so that times before 1970 do not take ten bytes.
  void time(Timestamp value) {
    number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void text(std::string_view value) {
    number(value.size());
    into_.append(value);
  }
  // 0 is null, otherwise the length and one.
  void bytes(const Bytes& value) {
    if (!value) return number(0);
    number(value->size() + 1);
    into_.append(*value);
  }
  void keys(const OrderKeys& keys) {
    number(keys.size());
    for (const std::uint64_t key : keys) fixed(key);
  }
  void fixed(std::uint64_t value) {
    char buffer[8];
    put_u64(buffer, value);
    into_.append(buffer, 8);
  }

 private:
  std::string& into_;
};

class Reader {
 public:
  explicit Reader(std::string_view from) : left_(from) {}

  // False once a field ended within itself. A field that is wholly missing reads as its default.
  bool good() const { return good_; }
  std::size_t left() const { return left_.size(); }

  // What number() is going to say.
  std::uint64_t peek() const { return Reader(*this).number(); }
  std::uint64_t number() {
    std::uint64_t value = 0;
    if (left_.empty()) return 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) return fail();
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }
  Timestamp time() {
    const std::uint64_t value = number();
    return static_cast<Timestamp>((value >> 1) ^ (~(value & 1) + 1));
  }
  std::string_view view() { return take(number()); }
  std::string text() { return std::string(view()); }
  Bytes bytes() {
    const std::uint64_t size = number();
    if (size == 0) return nullptr;
    const std::string_view content = take(size - 1);
    return good_ ? make_bytes(std::string(content)) : nullptr;
  }
  template <class Number>
  Number small() {
    const std::uint64_t value = number();
    if (value > std::numeric_limits<Number>::max()) return static_cast<Number>(fail());
    return static_cast<Number>(value);
  }
  template <class State>
  State state(State last) {
    const std::uint64_t value = number();
    if (value > static_cast<std::uint64_t>(last)) return static_cast<State>(fail());
    return static_cast<State>(value);
  }
  OrderKeys keys() {
    const std::uint64_t count = number();
    if (count > left_.size() / 8) {
      fail();
      return {};
    }
    OrderKeys keys(static_cast<std::size_t>(count));
    for (std::uint64_t& key : keys) key = fixed();
    return keys;
  }
  void reject() { fail(); }  // what was read of it does not hold
  std::uint64_t fixed() {
    const std::string_view bytes = take(8);
    return good_ ? get_u64(bytes.data()) : 0;
  }

 private:
  std::uint64_t fail() {
    good_ = false;
    left_ = {};
    return 0;
  }
  std::string_view take(std::uint64_t size) {
    if (size > left_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  std::string_view left_;
  bool good_ = true;
};

template <class Entry>
void write_list(Writer& writer, const std::vector<Entry>& entries,
                void (*write_entry)(Writer&, const Entry&)) {
  writer.number(entries.size());
  std::string one;
  for (const Entry& entry : entries) {
    one.clear();
    Writer inner(one);
    write_entry(inner, entry);
    writer.text(one);
  }
}

template <class Entry>
std::vector<Entry> read_list(Reader& reader, Entry (*read_entry)(Reader&), bool& good) {
  std::vector<Entry> entries;
  const std::uint64_t count = reader.number();
  // Each entry takes at least the byte of its length: a count from damaged bytes must not reserve
  // memory.
  for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
    if (reader.left() == 0) {
      good = false;
      break;
    }
    Reader inner(reader.view());
    entries.push_back(read_entry(inner));
    good = good && inner.good();
  }
  return entries;
}

void write_delivery(Writer& writer, const DeliveryRequest& delivery) {
  writer.number(delivery.ordinal);
  writer.text(delivery.destination);
  writer.keys(delivery.order_keys);
  writer.number(delivery.priority);
  writer.bytes(delivery.payload);
  writer.text(delivery.attributes);
}

DeliveryRequest read_delivery(Reader& reader) {
  DeliveryRequest delivery;
  delivery.ordinal = reader.small<std::uint32_t>();
  delivery.destination = reader.text();
  delivery.order_keys = reader.keys();
  delivery.priority = reader.small<std::uint8_t>();
  delivery.payload = reader.bytes();
  delivery.attributes = reader.text();
  return delivery;
}

void write_state(Writer& writer, const StateWrite& state) {
  writer.text(state.key);
  writer.number(state.value ? 1 : 0);
  if (state.value) writer.text(*state.value);
}

StateWrite read_state(Reader& reader) {
  StateWrite state;
  state.key = reader.text();
  if (reader.number() != 0) state.value = reader.text();
  return state;
}

void write_miss(Writer& writer, const Miss& miss) {
  writer.text(miss.table);
  writer.text(miss.key);
  writer.text(miss.text);
}

Miss read_miss(Reader& reader) {
  Miss miss;
  miss.table = reader.text();
  miss.key = reader.text();
  miss.text = reader.text();
  return miss;
}

void write(Writer& writer, const Accepted& record) {
  writer.text(record.channel);
  writer.time(record.at);
  writer.text(record.peer);
  writer.text(record.partner);
  writer.text(record.event);
  writer.text(record.control_id);
  writer.text(record.attributes);
  writer.text(record.refusal_code);
  writer.text(record.refusal);
  writer.bytes(record.body);
  const bool removed = record.bodies_removed != 0;
  if (!record.edited_from && record.wire_state.empty() && !removed) return;
  writer.number(record.edited_from.value);
  writer.text(record.editor);
  writer.text(record.edit_reason);
  if (record.wire_state.empty() && !removed) return;
  write_list(writer, record.wire_state, write_state);
  if (!removed) return;
  writer.time(record.bodies_removed);
  writer.number(record.removed_size);
}

bool read(Reader& reader, Accepted& record) {
  bool lists_good = true;
  record.channel = reader.text();
  record.at = reader.time();
  record.peer = reader.text();
  record.partner = reader.text();
  record.event = reader.text();
  record.control_id = reader.text();
  record.attributes = reader.text();
  record.refusal_code = reader.text();
  record.refusal = reader.text();
  record.body = reader.bytes();
  record.edited_from.value = reader.number();
  record.editor = reader.text();
  record.edit_reason = reader.text();
  // The first stores with retention (index of 6 steps) have the time of removal here and no list.
  if (reader.peek() < kNoCount) record.wire_state = read_list(reader, read_state, lists_good);
  record.bodies_removed = reader.time();
  record.removed_size = reader.number();
  return lists_good;
}

void write(Writer& writer, const Outcome& record) {
  writer.text(record.channel);
  writer.time(record.at);
  writer.number(record.cause);
  writer.number(static_cast<std::uint64_t>(record.state));
  writer.text(record.code);
  writer.text(record.reason);
  writer.keys(record.order_keys);
  write_list(writer, record.deliveries, write_delivery);
  write_list(writer, record.state_writes, write_state);
  writer.text(record.trace);
  write_list(writer, record.misses, write_miss);
  writer.number(record.until_mapped ? 1 : 0);
  writer.keys(record.search_keys);
}

bool read(Reader& reader, Outcome& record) {
  bool lists_good = true;
  record.channel = reader.text();
  record.at = reader.time();
  record.cause = reader.small<std::uint32_t>();
  record.state = reader.state(MessageState::discarded);
  record.code = reader.text();
  record.reason = reader.text();
  record.order_keys = reader.keys();
  record.deliveries = read_list(reader, read_delivery, lists_good);
  record.state_writes = read_list(reader, read_state, lists_good);
  record.trace = reader.text();
  record.misses = read_list(reader, read_miss, lists_good);
  record.until_mapped = reader.number() != 0;
  record.search_keys = reader.keys();
  return lists_good;
}

void write(Writer& writer, const Attempt& record) {
  writer.text(record.channel);
  writer.number(record.ordinal);
  writer.text(record.destination);
  writer.time(record.at);
  writer.number(record.number);
  writer.number(static_cast<std::uint64_t>(record.state));
  writer.number(record.wants_handler ? 1 : 0);
  writer.text(record.code);
  writer.text(record.reason);
  writer.time(record.next_at);
  writer.bytes(record.response);
  writer.text(record.attributes);
  if (!record.wire_state.empty()) write_list(writer, record.wire_state, write_state);
}

bool read(Reader& reader, Attempt& record) {
  bool lists_good = true;
  record.channel = reader.text();
  record.ordinal = reader.small<std::uint32_t>();
  record.destination = reader.text();
  record.at = reader.time();
  record.number = reader.small<std::uint32_t>();
  record.state = reader.state(DeliveryState::discarded);
  record.wants_handler = reader.number() != 0;
  record.code = reader.text();
  record.reason = reader.text();
  record.next_at = reader.time();
  record.response = reader.bytes();
  record.attributes = reader.text();
  record.wire_state = read_list(reader, read_state, lists_good);
  return lists_good;
}

template <class Act>  // Resent and Discarded have the same fields
void write_act(Writer& writer, const Act& record) {
  writer.text(record.channel);
  writer.number(record.ordinal);
  writer.time(record.at);
  writer.text(record.actor);
  writer.text(record.reason);
}

template <class Act>
void read_act(Reader& reader, Act& record) {
  record.channel = reader.text();
  record.ordinal = reader.small<std::uint32_t>();
  record.at = reader.time();
  record.actor = reader.text();
  record.reason = reader.text();
}

void write(Writer& writer, const Resent& record) {
  write_act(writer, record);
}
void write(Writer& writer, const Discarded& record) {
  write_act(writer, record);
}
void read(Reader& reader, Resent& record) {
  read_act(reader, record);
}
void read(Reader& reader, Discarded& record) {
  read_act(reader, record);
}

void write_piece(Writer& writer, const Forgotten::Piece& piece) {
  writer.number(piece.base);
  writer.number(piece.bytes);
}

Forgotten::Piece read_piece(Reader& reader) {
  Forgotten::Piece piece;
  piece.base = reader.number();
  piece.bytes = reader.number();
  return piece;
}

void write_entry(Writer& writer, const Forgotten::Entry& entry) {
  writer.number(entry.id.value);
  write_list(writer, entry.pieces, write_piece);
}

Forgotten::Entry read_entry(Reader& reader) {
  Forgotten::Entry entry;
  entry.id.value = reader.number();
  bool good = true;
  entry.pieces = read_list(reader, read_piece, good);
  if (!good) reader.reject();
  return entry;
}

void write(Writer& writer, const Forgotten& record) {
  writer.text(record.channel);
  writer.time(record.at);
  writer.number(record.bodies_only ? 1 : 0);
  write_list(writer, record.entries, write_entry);
}

bool read(Reader& reader, Forgotten& record) {
  bool good = true;
  record.channel = reader.text();
  record.at = reader.time();
  record.bodies_only = reader.number() != 0;
  record.entries = read_list(reader, read_entry, good);
  return good;
}

void write_missed(Writer& writer, const Ledger::Missed& missed) {
  write_miss(writer, missed.miss);
  writer.number(missed.count);
  writer.time(missed.first_at);
  writer.time(missed.last_at);
  writer.number(missed.sample.value);
}

Ledger::Missed read_missed(Reader& reader) {
  Ledger::Missed missed;
  missed.miss = read_miss(reader);
  missed.count = reader.number();
  missed.first_at = reader.time();
  missed.last_at = reader.time();
  missed.sample.value = reader.number();
  return missed;
}

void write(Writer& writer, const Ledger& record) {
  writer.text(record.channel);
  writer.time(record.at);
  writer.number(record.as_of);
  write_list(writer, record.state, write_state);
  write_list(writer, record.missed, write_missed);
  if (!record.wire_state.empty()) write_list(writer, record.wire_state, write_state);
}

bool read(Reader& reader, Ledger& record) {
  bool good = true;
  record.channel = reader.text();
  record.at = reader.time();
  record.as_of = reader.number();
  record.state = read_list(reader, read_state, good);
  record.missed = read_list(reader, read_missed, good);
  record.wire_state = read_list(reader, read_state, good);
  return good;
}

template <class Kind>
Result<Record> decode_as(std::string_view payload) {
  Reader reader(payload);
  Kind record;
  record.id.value = reader.fixed();
  bool good = true;
  if constexpr (std::is_same_v<decltype(read(reader, record)), bool>) {
    good = read(reader, record);
  } else {
    read(reader, record);
  }
  if (good && reader.good()) return Record(std::move(record));
  return Error{"J108",
               fmt::format("a record of {} bytes ends within a field", payload.size()),
               "run `cannula store check`; the checksum held, so report this as a defect",
               {}};
}

}  // namespace

RecordType type_of(const Record& record) {
  return static_cast<RecordType>(record.index() + 1);
}

const std::string& channel_of(const Record& record) {
  return std::visit([](const auto& kind) -> const std::string& { return kind.channel; }, record);
}

void encode(const Record& record, std::string& into) {
  std::visit(
      [&](const auto& kind) {
        Writer writer(into);
        writer.fixed(kind.id.value);
        write(writer, kind);
      },
      record);
}

void put_message_id(char* payload, MessageId id) {
  put_u64(payload, id.value);
}

Result<Record> decode(RecordType type, std::string_view payload) {
  switch (type) {
    case RecordType::accepted:
      return decode_as<Accepted>(payload);
    case RecordType::outcome:
      return decode_as<Outcome>(payload);
    case RecordType::attempt:
      return decode_as<Attempt>(payload);
    case RecordType::resent:
      return decode_as<Resent>(payload);
    case RecordType::discarded:
      return decode_as<Discarded>(payload);
    case RecordType::forgotten:
      return decode_as<Forgotten>(payload);
    case RecordType::ledger:
      return decode_as<Ledger>(payload);
    case RecordType::closed:
      break;
  }
  return Error{"J109",
               fmt::format("a record of the unknown type {}", static_cast<int>(type)),
               "it was written by a newer Cannula; use that version",
               {}};
}

MessageId message_id_of(std::string_view payload) {
  return payload.size() < 8 ? MessageId{} : MessageId{get_u64(payload.data())};
}

}  // namespace cannula::store
