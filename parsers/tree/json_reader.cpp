// JSON in. simdjson finds in one pass over the bytes where values and marks begin, and checks
// UTF-8; the nodes are built here from those places, because simdjson's own second stage turns
// numbers into doubles and forgets where values stood.
#include <simdjson.h>

#include "parsers/tree/document.h"
#include "parsers/tree/json_text.h"

namespace cannula::tree {

namespace {

using Marks = simdjson::internal::dom_parser_implementation;

constexpr std::size_t kKeptCapacity = 1u << 20;  // bytes of JSON; four bytes of marks for each

// Room for the marks, kept from parse to parse in each thread.
struct MarkRoom {
  std::unique_ptr<Marks> marks;

  bool prepare(std::size_t size) {
    const std::size_t wanted = std::max<std::size_t>(size, 16u << 10);
    if (!marks) {
      return simdjson::get_active_implementation()->create_dom_parser_implementation(
                 wanted, 1, marks) == simdjson::SUCCESS;
    }
    if (marks->capacity() >= wanted) return true;
    return marks->allocate(wanted, 1) == simdjson::SUCCESS;
  }
  void trim() {
    if (marks && marks->capacity() > kKeptCapacity) marks.reset();
  }
};

MarkRoom& mark_room() {
  thread_local MarkRoom room;
  return room;
}

bool is_blank(char letter) {
  return letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
}

bool ends_scalar(char letter) {
  return is_blank(letter) || letter == ',' || letter == ':' || letter == '[' || letter == ']' ||
         letter == '{' || letter == '}' || letter == '"';
}

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

class JsonReader {
 public:
  JsonReader(Document& document, const Document::Limits& limits)
      : document_(document), whole_(*document.source_), limits_(limits) {}

  Result<void> read();

 private:
  Result<void> find_marks();
  Result<void> read_values();
  Result<bool> read_value();
  Result<void> read_name();
  Result<void> read_scalar();
  Result<std::string_view> string_at_mark();
  void attach(NodeId id);
  Result<void> open(Kind kind);
  void close();
  void note_repeated_names(NodeId object);

  std::size_t place() const { return place_of(mark_); }
  std::size_t place_of(std::size_t mark) const {
    return mark < count_ ? base_ + marks_[mark] : whole_.size();
  }
  // The letter at the mark; 0 at the end.
  char letter() const { return mark_ < count_ ? whole_[place()] : '\0'; }

  Error fail(std::string_view code, std::size_t offset, std::string what, std::string hint) const;
  Error unexpected(std::string_view wanted) const;
  Error no_marks(simdjson::error_code why) const;
  Error too_many_values() const;

  Document& document_;
  const std::string& whole_;
  const Document::Limits& limits_;
  std::size_t base_ = 0;  // where JSON begins: behind a byte order mark
  const std::uint32_t* marks_ = nullptr;
  std::size_t count_ = 0;
  std::size_t mark_ = 0;
  std::size_t most_values_ = 0;
  NodeId container_ = kNone;
  std::size_t depth_ = 0;
  NameId name_ = kNoName;
  std::vector<NodeId> seen_;  // by name: the last object that had it
  std::string space_;
};

Error JsonReader::fail(std::string_view code, std::size_t offset, std::string what,
                       std::string hint) const {
  const Position position = Source("", whole_).position(offset);
  return {std::string(code),
          "line " + std::to_string(position.line) + ", column " + std::to_string(position.column) +
              ": " + std::move(what),
          std::move(hint), Span{offset, std::min(offset + 1, whole_.size())}};
}

Error JsonReader::unexpected(std::string_view wanted) const {
  const std::size_t offset = place();
  if (offset >= whole_.size()) {
    return fail("N101", offset, "the text ends where " + std::string(wanted) + " was expected",
                "the document is probably cut off");
  }
  std::size_t end = offset + 1;
  if (!ends_scalar(whole_[offset])) {
    while (end < whole_.size() && end < offset + 20 && !ends_scalar(whole_[end])) ++end;
  }
  const std::string found = "'" + whole_.substr(offset, end - offset) + "'";
  return fail("N101", offset, found + " was found where " + std::string(wanted) + " was expected",
              found == "'''" ? "JSON writes strings in double quotes" : "");
}

// simdjson says what, not where: looked for again, one byte after the other.
Error JsonReader::no_marks(simdjson::error_code why) const {
  const std::string_view text = whole_;
  if (const auto wrong = find_not_utf8(text); wrong != std::string_view::npos) {
    return fail("N102", wrong, "the bytes here are not UTF-8",
                "JSON is UTF-8 (RFC 8259, 8.1): the sender probably writes ISO 8859-1");
  }
  std::size_t opened = std::string_view::npos;
  for (std::size_t at = base_; at < text.size(); ++at) {
    const bool inside = opened != std::string_view::npos;
    if (text[at] == '"') {
      opened = inside ? std::string_view::npos : at;
    } else if (inside && text[at] == '\\') {
      ++at;
    } else if (inside && static_cast<unsigned char>(text[at]) < 0x20) {
      return fail("N103", at, "a control character or line end stands inside a string",
                  "strings write it escaped, as \\n, or a quote is missing before it");
    }
  }
  if (opened != std::string_view::npos) {
    return fail("N104", opened, "a string begins here and is never closed",
                "a quote is missing, or the document is cut off");
  }
  return fail("N101", base_, std::string("this is not JSON: ") + simdjson::error_message(why), "");
}

Result<void> JsonReader::find_marks() {
  const std::size_t limit = std::min<std::size_t>(limits_.size, 0xFFFFFF00u);
  if (whole_.size() > limit) {
    return Error{"N108",
                 "the document has " + std::to_string(whole_.size()) + " bytes, more than the " +
                     std::to_string(limit) + " that are read",
                 "documents of that size belong beside a message, with a reference"};
  }
  if (whole_.starts_with(kByteOrderMark)) base_ = kByteOrderMark.size();
  if (std::all_of(whole_.begin() + static_cast<std::ptrdiff_t>(base_), whole_.end(), is_blank)) {
    return Error{"N109", "there is no JSON: the text is empty", ""};
  }
  MarkRoom& room = mark_room();
  const std::size_t size = whole_.size() - base_;
  if (!room.prepare(size)) return Error{"N108", "there is no memory to read the document", ""};
  const auto failure =
      room.marks->stage1(reinterpret_cast<const std::uint8_t*>(whole_.data()) + base_, size,
                         simdjson::stage1_mode::regular);
  if (failure != simdjson::SUCCESS) return no_marks(failure);
  marks_ = room.marks->structural_indexes.get();
  count_ = room.marks->n_structural_indexes;
  return {};
}

Result<void> JsonReader::read() {
  const auto found = find_marks();
  if (!found) return found.error();
  most_values_ = limits_.memory / sizeof(Document::Record);
  document_.records_.reserve(std::min(count_ / 2 + 1, most_values_));
  return read_values();
}

Error JsonReader::too_many_values() const {
  return {"N110",
          "the document has more values than fit " + std::to_string(limits_.memory) +
              " bytes of memory; reading stopped at byte " + std::to_string(place()) + " of " +
              std::to_string(whole_.size()),
          "have it sent in parts, or allow it more memory"};
}

Result<void> JsonReader::read_values() {
  while (true) {
    if (document_.records_.size() >= most_values_) return too_many_values();
    // A value is expected at the mark.
    const bool opened = TRY(read_value());
    if (opened && letter() != (document_.records_[container_].kind == Kind::object ? '}' : ']')) {
      if (document_.records_[container_].kind == Kind::object) TRY(read_name());
      continue;
    }
    if (opened) {
      ++mark_;
      close();
    }
    // Behind a value.
    while (container_ != kNone && letter() != ',') {
      const bool object = document_.records_[container_].kind == Kind::object;
      if (letter() != (object ? '}' : ']')) {
        return unexpected(object ? "',' or '}'" : "',' or ']'");
      }
      ++mark_;
      close();
    }
    if (container_ == kNone) break;
    ++mark_;
    if (document_.records_[container_].kind == Kind::object) TRY(read_name());
  }
  if (mark_ < count_) return unexpected("the end of the document");
  return {};
}

// A scalar, or the beginning of a container: then true.
Result<bool> JsonReader::read_value() {
  switch (letter()) {
    case '{':
      TRY(open(Kind::object));
      return true;
    case '[':
      TRY(open(Kind::array));
      return true;
    case '"': {
      const std::size_t offset = place();
      const std::string_view text = TRY(string_at_mark());
      const bool encoded = text.find('\\') != std::string_view::npos;
      const NodeId id = document_.make_text(Kind::string, text, encoded);
      document_.records_[id].offset = static_cast<std::uint32_t>(offset);
      attach(id);
      return false;
    }
    case '}':
    case ']':
    case ',':
    case ':':
    case '\0':
      return unexpected("a value");
    default:
      TRY(read_scalar());
      return false;
  }
}

Result<void> JsonReader::open(Kind kind) {
  if (depth_ == limits_.depth) {
    return fail(
        "N107", place(),
        "arrays and objects are nested more than " + std::to_string(limits_.depth) + " levels deep",
        "no document of clinical data is: look what the sender made of it");
  }
  ++depth_;
  const NodeId id = document_.make(kind);
  document_.records_[id].offset = static_cast<std::uint32_t>(place());
  attach(id);
  container_ = id;
  ++mark_;
  return {};
}

void JsonReader::close() {
  if (document_.records_[container_].kind == Kind::object) note_repeated_names(container_);
  container_ = document_.records_[container_].parent;
  --depth_;
}

void JsonReader::attach(NodeId id) {
  if (container_ == kNone) {
    document_.root_ = id;
    return;
  }
  document_.records_[id].name = std::exchange(name_, kNoName);
  document_.link(container_, id);
}

void JsonReader::note_repeated_names(NodeId object) {
  const Document::Record& record = document_.records_[object];
  if (record.size < 2) return;
  if (seen_.size() < document_.names_.size()) seen_.resize(document_.names_.size() * 2, kNone);
  for (NodeId at = record.children.first; at != kNone; at = document_.records_[at].next) {
    NodeId& last = seen_[document_.records_[at].name];
    if (last == object) document_.repeated_.push_back(at);
    last = object;
  }
}

// The inside of the string at the mark, which then stands behind it. Between a string's end and the
// next mark there are only blanks, so its closing quote is the last letter before them.
Result<std::string_view> JsonReader::string_at_mark() {
  const std::size_t begin = place() + 1;
  ++mark_;
  std::size_t end = place();
  while (end > begin && is_blank(whole_[end - 1])) --end;
  if (end == begin || whole_[end - 1] != '"') {
    return fail("N104", begin - 1, "a string begins here and is never closed", "");
  }
  const std::string_view text = std::string_view(whole_).substr(begin, end - 1 - begin);
  const std::size_t wrong = find_bad_escape(text);
  if (wrong != std::string_view::npos) {
    return fail("N105", begin + wrong,
                "'" + std::string(text.substr(wrong, 6)) + "' is not an escape of JSON",
                "a backslash is written \\\\; \\u has four hexadecimal digits, and the halves of a "
                "surrogate pair stand together");
  }
  return text;
}

Result<void> JsonReader::read_name() {
  if (letter() != '"') return unexpected("a name in double quotes");
  std::string_view text = TRY(string_at_mark());
  const bool encoded = text.find('\\') != std::string_view::npos;
  if (encoded) {
    space_.clear();
    append_decoded(space_, text);
    text = space_;
  }
  name_ = document_.names_.find(text);
  if (name_ == kNoName) {
    if (document_.names_.memory() >= limits_.memory) return too_many_values();
    name_ = document_.names_.add(encoded ? document_.keep_name(text) : text,
                                 find_special(text) == std::string_view::npos);
  }
  if (letter() != ':') return unexpected("':' behind a name");
  ++mark_;
  return {};
}

Result<void> JsonReader::read_scalar() {
  const std::size_t begin = place();
  std::size_t end = begin + 1;
  while (end < whole_.size() && !ends_scalar(whole_[end])) ++end;
  const std::string_view text = std::string_view(whole_).substr(begin, end - begin);
  Kind kind = Kind::number;
  if (text == "true" || text == "false") {
    kind = Kind::boolean;
  } else if (text == "null") {
    kind = Kind::null;
  } else if (!is_number(text)) {
    const bool numeric =
        text[0] == '-' || text[0] == '+' || text[0] == '.' || (text[0] >= '0' && text[0] <= '9');
    if (!numeric) return unexpected("a value");
    return fail("N106", begin,
                "'" + std::string(text.substr(0, 40)) + "' is not a number as JSON writes it",
                "no leading zeros or plus sign, digits on both sides of the point");
  }
  const NodeId id = document_.make_text(kind, text, false);
  document_.records_[id].offset = static_cast<std::uint32_t>(begin);
  attach(id);
  ++mark_;
  return {};
}

Result<Document> Document::parse(Bytes json, const Limits& limits) {
  Document document;
  document.source_ = std::move(json);
  const auto read = JsonReader(document, limits).read();
  mark_room().trim();
  if (!read) return read.error();
  return document;
}

}  // namespace cannula::tree
