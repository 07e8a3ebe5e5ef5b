#include "parsers/hl7v2/message.h"

#include <limits>

#include <fmt/format.h>

#include "parsers/hl7v2/message_state.h"

namespace cannula::hl7v2 {
namespace {

// The first line end of the message, for segments that are added: CR, LF or CRLF, and CR when there
// is none (2.4.4).
std::string_view line_end_of(std::string_view bytes, std::size_t at) {
  if (at >= bytes.size() || (bytes[at] != '\r' && bytes[at] != '\n')) return "\r";
  return bytes[at] == '\n' ? "\n" : bytes.substr(at, 2) == "\r\n" ? "\r\n" : "\r";
}

std::uint32_t skip_line_end(std::string_view bytes, std::uint32_t at) {
  if (at >= bytes.size()) return at;
  return at + static_cast<std::uint32_t>(line_end_of(bytes, at).size());
}

}  // namespace

Message::Message(std::shared_ptr<const Received> received) : received_(std::move(received)) {}
Message::Message(const Message& other)
    : received_(other.received_),
      edits_(other.edits_ ? std::make_unique<Edits>(*other.edits_) : nullptr) {}
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(const Message& other) {
  if (this != &other) *this = Message(other);
  return *this;
}
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;

Result<Message> Message::parse(Bytes bytes) {
  const std::string_view text = *bytes;
  if (text.size() >= std::numeric_limits<std::uint32_t>::max()) {
    return Error{
        "H104",
        fmt::format("a message of {} bytes is more than the 4 GB that can be read", text.size()),
        "have the sender put large documents beside the message", std::nullopt};
  }
  const std::size_t begin = TRY(find_msh(text));
  auto delimiters = read_delimiters(text.substr(begin));
  if (!delimiters) {
    Error error = std::move(delimiters).error();
    if (error.span) error.span = Span{error.span->begin + begin, error.span->end + begin};
    return error;
  }
  Tables tables(text, begin, delimiters->field);
  const std::uint32_t trailer = skip_line_end(text, tables.end(tables.size() - 1));
  return Message(std::make_shared<const Received>(
      Received{std::move(bytes), *delimiters, std::move(tables), trailer}));
}

const Bytes& Message::received() const {
  return received_->bytes;
}
const Delimiters& Message::delimiters() const {
  return received_->delimiters;
}

std::string Message::type() const {
  std::string type(raw(Place{0, 9, 0, 1}));
  if (const std::string_view event = raw(Place{0, 9, 0, 2}); !event.empty()) {
    type += '^';
    type += event;
  }
  return type;
}

// -- Segments -----------------------------------------------------------------------------------

// A segment has few edited texts: they are passed one by one.
const EditedText* EditedSegment::find(std::uint32_t number) const {
  if (texts.size() > 16) {
    const auto at = std::lower_bound(
        texts.begin(), texts.end(), number,
        [](const EditedText& text, std::uint32_t wanted) { return text.number < wanted; });
    return at != texts.end() && at->number == number ? &*at : nullptr;
  }
  for (const EditedText& text : texts) {
    if (text.number == number) return &text;
  }
  return nullptr;
}

EditedText* EditedSegment::find(std::uint32_t number) {
  return const_cast<EditedText*>(std::as_const(*this).find(number));
}

void EditedSegment::put(std::uint32_t number, std::string text) {
  const auto at = std::lower_bound(
      texts.begin(), texts.end(), number,
      [](const EditedText& each, std::uint32_t wanted) { return each.number < wanted; });
  if (at != texts.end() && at->number == number) {
    at->text = std::move(text);
  } else {
    texts.insert(at, EditedText{number, std::move(text)});
  }
  separators = std::max(separators, number);
}

std::size_t Message::segment_count() const {
  return edits_ && !edits_->order.empty() ? edits_->order.size() : received_->tables.size();
}

SegmentId Message::segment_at(std::size_t position) const {
  return edits_ && !edits_->order.empty() ? edits_->order[position]
                                          : static_cast<SegmentId>(position);
}

std::optional<std::size_t> Message::position_of(SegmentId segment) const {
  if (edits_ && !edits_->order.empty()) {
    const auto at = std::find(edits_->order.begin(), edits_->order.end(), segment);
    if (at == edits_->order.end()) return std::nullopt;
    return static_cast<std::size_t>(at - edits_->order.begin());
  }
  if (segment >= received_->tables.size()) return std::nullopt;
  return segment;
}

const EditedSegment* Message::edited_segment(SegmentId segment) const {
  if (!edits_ || segment >= edits_->slots.size()) return nullptr;
  const std::uint32_t slot = edits_->slots[segment];
  return slot < Edits::kRemoved ? &edits_->segments[slot] : nullptr;
}

std::string_view Message::name_of(SegmentId segment) const {
  return text_at(segment, 0);
}

std::optional<SegmentId> Message::find(std::string_view name, std::size_t nth) const {
  const std::uint32_t key = name_key(name);
  if (key != 0 && (!edits_ || edits_->order.empty())) {
    const Tables& tables = received_->tables;
    for (SegmentId segment = 0; segment < tables.size(); ++segment) {
      if (tables.name_key(segment) == key && --nth == 0) return segment;
    }
    return std::nullopt;
  }
  const std::size_t count = segment_count();
  for (std::size_t position = 0; position < count; ++position) {
    const SegmentId segment = segment_at(position);
    if (key_of(segment) != key || (key == 0 && name_of(segment) != name)) continue;
    if (--nth == 0) return segment;
  }
  return std::nullopt;
}

std::vector<SegmentId> Message::each(std::string_view name) const {
  std::vector<SegmentId> found;
  const std::uint32_t key = name_key(name);
  const std::size_t count = segment_count();
  for (std::size_t position = 0; position < count; ++position) {
    const SegmentId segment = segment_at(position);
    if (key_of(segment) == key && (key != 0 || name_of(segment) == name)) found.push_back(segment);
  }
  return found;
}

std::size_t Message::count(std::string_view name) const {
  return each(name).size();
}

// -- Editing segments ---------------------------------------------------------------------------

Message::Edits& Message::edits() {
  if (!edits_) edits_ = std::make_unique<Edits>(received_->tables.size());
  return *edits_;
}

// For whoever writes a text of it: what was remembered of long fields holds no more.
EditedSegment& Message::edit(SegmentId segment) {
  Edits& edits = this->edits();
  edits.serial = next_serial();
  std::uint32_t& slot = edits.slots[segment];
  if (slot == Edits::kUnedited) {
    slot = static_cast<std::uint32_t>(edits.segments.size());
    edits.segments.push_back({segment, received_->tables.separators(segment), {}});
  }
  return edits.segments[slot];
}

void Message::begin_reordering() {
  Edits& edits = this->edits();
  if (!edits.order.empty()) return;
  edits.order.resize(received_->tables.size());
  for (SegmentId id = 0; id < edits.order.size(); ++id) edits.order[id] = id;
}

Result<SegmentId> Message::add_segment(std::string_view text, std::optional<SegmentId> after) {
  const char separator = received_->delimiters.field;
  const std::string_view name = text.substr(0, text.find(separator));
  bool usable = name.size() == 3 && name[0] >= 'A' && name[0] <= 'Z' && name != "MSH";
  for (char c : name) usable = usable && ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
  if (!usable || text.find_first_of("\r\n") != std::string_view::npos) {
    return Error{
        "H303",
        "cannot add the segment: its text does not begin with a segment name, or holds a line end",
        "give a name of three capitals or digits, and encoded fields where wanted: NTE|1||text",
        std::nullopt};
  }
  std::size_t position = segment_count();
  if (after) {
    const auto found = position_of(*after);
    if (!found) return removed_segment();
    position = *found + 1;
  }
  begin_reordering();
  const auto id = static_cast<SegmentId>(edits_->slots.size());
  EditedSegment added{id, 0, {}};
  for (std::uint32_t number = 0;; ++number) {
    const std::size_t end = text.find(separator);
    added.put(number, std::string(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  edits_->slots.push_back(static_cast<std::uint32_t>(edits_->segments.size()));
  edits_->segments.push_back(std::move(added));
  edits_->order.insert(edits_->order.begin() + static_cast<std::ptrdiff_t>(position), id);
  return id;
}

Result<void> Message::remove_segment(SegmentId segment) {
  if (segment == 0) {
    return Error{"H301", "the MSH segment cannot be removed",
                 "without it the message cannot be read", std::nullopt};
  }
  const auto position = position_of(segment);
  if (!position) return removed_segment();
  begin_reordering();
  edits_->order.erase(edits_->order.begin() + static_cast<std::ptrdiff_t>(*position));
  edits_->slots[segment] = Edits::kRemoved;
  return {};
}

Error Message::removed_segment() {
  return {"H302",
          "the segment is not in the message: it was removed, or belongs to another message",
          "look it up again", std::nullopt};
}

// -- Out ----------------------------------------------------------------------------------------

bool Message::edited() const {
  return edits_ != nullptr;
}

std::string Message::encode() const {
  std::string out;
  encode_to(out);
  return out;
}

// The segments stand as they were received, so everything between two edited texts is one copy.
template <class Out>
void Message::give_with_edited_fields(const Out& out) const {
  const Tables& tables = received_->tables;
  std::uint32_t copied = 0;
  const auto copy_to = [&](std::uint32_t end) {
    out(received_->text(copied, end));
    copied = end;
  };
  const auto append_edited = [&](const EditedSegment& edited) {
    const std::uint32_t received = tables.separators(edited.id);
    std::uint32_t separators = received;
    for (const EditedText& each : edited.texts) {
      if (each.number <= received) {
        copy_to(tables.text_begin(edited.id, each.number));
        copied = tables.text_end(edited.id, each.number);
      } else {
        copy_to(tables.end(edited.id));
        for (; separators < each.number; ++separators) out({&received_->delimiters.field, 1});
      }
      out(each.text);
    }
  };
  if (edits_->segments.size() == 1) {
    append_edited(edits_->segments[0]);
  } else {
    for (std::uint32_t slot : edits_->slots) {
      if (slot < Edits::kRemoved) append_edited(edits_->segments[slot]);
    }
  }
  copy_to(static_cast<std::uint32_t>(received_->bytes->size()));
}

template <class Out>
void Message::give_segment(const Out& out, SegmentId segment) const {
  const EditedSegment* edited = edited_segment(segment);
  if (edited == nullptr) {
    out(received_->text(received_->tables.begin(segment), received_->tables.end(segment)));
    return;
  }
  for (std::uint32_t number = 0; number <= edited->separators; ++number) {
    if (number > 0) out({&received_->delimiters.field, 1});
    out(text_at(segment, number));
  }
}

// Each segment takes its terminator and the blank lines behind it along; the trailing bytes of the
// message stay at its end.
template <class Out>
void Message::give_in_order(const Out& out) const {
  const Tables& tables = received_->tables;
  const std::string_view line_end = line_end_of(*received_->bytes, tables.end(0));
  out(received_->text(0, tables.begin(0)));
  for (std::size_t i = 0; i < edits_->order.size(); ++i) {
    const SegmentId segment = edits_->order[i];
    give_segment(out, segment);
    std::string_view terminator = line_end;
    if (segment < tables.size()) {
      const bool last = segment + 1 == tables.size();
      terminator = received_->text(tables.end(segment),
                                   last ? received_->trailer : tables.begin(segment + 1));
      if (terminator.empty() && i + 1 < edits_->order.size()) terminator = line_end;
    }
    out(terminator);
  }
  out(received_->text(received_->trailer, static_cast<std::uint32_t>(received_->bytes->size())));
}

template <class Out>
void Message::give_all(const Out& out) const {
  if (!edits_) {
    out(std::string_view(*received_->bytes));
  } else if (edits_->order.empty()) {
    give_with_edited_fields(out);
  } else {
    give_in_order(out);
  }
}

void Message::encode_to(std::string& out) const {
  out.reserve(out.size() + received_->bytes->size() + (edits_ ? 256 : 0));
  give_all([&](std::string_view piece) { out += piece; });
}

void Message::encode_to(const std::function<void(std::string_view)>& piece) const {
  give_all(piece);
}

std::string Message::text_of(SegmentId segment) const {
  std::string out;
  if (exists(segment)) give_segment([&](std::string_view piece) { out += piece; }, segment);
  return out;
}

}  // namespace cannula::hl7v2
