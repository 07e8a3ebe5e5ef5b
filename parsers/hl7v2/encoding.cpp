#include "parsers/hl7v2/encoding.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace cannula::hl7v2 {
namespace {

constexpr Place kCharacterSet{0, 18, Place::kWholeField, 0, 0};  // MSH-18
constexpr Place kSwitching{0, 20, Place::kWholeField, 0, 0};     // MSH-20, table 0356

Diagnostic warning(std::string code, std::string message, std::string hint) {
  return {Severity::warning, std::move(code), std::move(message), nullptr, std::nullopt,
          std::move(hint),   "MSH-18"};
}

Diagnostic note(std::string code, std::string message, std::string hint) {
  Diagnostic finding = warning(std::move(code), std::move(message), std::move(hint));
  finding.severity = Severity::note;
  return finding;
}

struct Label {
  std::string_view first;           // the default set; empty when there is none
  std::optional<CharacterSet> set;  // nullopt: not named, or not known
  std::optional<Error> unknown;
};

// The sets that MSH-18 names. A further repetition of the ISO 2022 family says that the default set
// is left by escape sequences (2.14.9.18, 2.A.46); only ASCII is left so here.
Label read_label(std::string_view field, char repetition) {
  Label label;
  const auto part = [&field, repetition] {
    const std::size_t end = repetition == 0 ? std::string_view::npos : field.find(repetition);
    const std::string_view text = field.substr(0, end);
    field.remove_prefix(end == std::string_view::npos ? field.size() : end + 1);
    return text;
  };
  label.first = part();
  if (!label.first.empty()) {
    auto set = CharacterSet::find(label.first);
    if (set) {
      label.set = *set;
    } else {
      label.unknown = std::move(set).error();
    }
  }
  const bool ascii = !label.set || *label.set == CharacterSet::windows_1252();
  while (ascii && !field.empty()) {
    const auto further = CharacterSet::find(part());
    if (further && further->uses_escapes()) label.set = *further;
  }
  return label;
}

bool names_ascii(std::string_view name) {
  return name.find("ASCII") != std::string_view::npos || name == "ISO IR6";
}

// The set that a message with bytes above 0x7F is in.
CharacterSet judge(const Label& label, std::string_view bytes, Origin origin,
                   std::vector<Diagnostic>& findings) {
  const bool valid_utf8 = is_utf8(bytes);
  if (label.unknown) {
    findings.push_back(warning("D201", label.unknown->message,
                               valid_utf8 ? "the message is read as UTF-8, which it is"
                                          : "the message is read as windows-1252"));
  }
  if (!label.set) {
    if (valid_utf8 && label.first.empty() && origin == Origin::received) {
      findings.push_back(note("D206",
                              "MSH-18 is empty, which means ASCII, but the message is UTF-8",
                              "it is read as UTF-8; the sender should write UNICODE UTF-8 into "
                              "MSH-18"));
    }
    return valid_utf8 ? CharacterSet::utf8() : CharacterSet::windows_1252();
  }
  if (origin == Origin::written || label.set->is_utf8() || label.set->uses_escapes()) {
    return *label.set;
  }
  if (valid_utf8 && label.set->is_single_byte()) {
    findings.push_back(warning(
        "D203", fmt::format("MSH-18 says {}, but the message is UTF-8", std::string(label.first)),
        "it is read as UTF-8; the sender should write UNICODE UTF-8 into MSH-18"));
    return CharacterSet::utf8();
  }
  if (names_ascii(label.first)) {
    findings.push_back(
        warning("D203", "MSH-18 says ASCII, but the message has other characters",
                "it is read as windows-1252; the sender should name its character set in MSH-18"));
  }
  return *label.set;
}

void report_undecodable(std::size_t count, CharacterSet set, std::vector<Diagnostic>& findings) {
  if (count == 0) return;
  findings.push_back(
      warning("D202",
              fmt::format("{} {} nothing in {}, the character set of the message: read as U+FFFD",
                          count, count == 1 ? "byte is" : "bytes are", set.name()),
              "the sender's character set is another than MSH-18 says, or a text was cut"));
}

// The switches that further repetitions of MSH-18 name.
Switches switches_named(std::string_view field, char repetition) {
  Switches named = 0;
  while (repetition != 0 && field.find(repetition) != std::string_view::npos) {
    field.remove_prefix(field.find(repetition) + 1);
    named |= switch_named(field.substr(0, field.find(repetition)));
  }
  return named;
}

// Whether parts of the message are in other sets by \C..\ and \M..\. Only where MSH says that
// there may be: elsewhere they are left as they stand.
bool is_switched(const Message& parsed) {
  const Delimiters& delimiters = parsed.delimiters();
  const bool repeats =
      delimiters.repetition != 0 &&
      parsed.raw(kCharacterSet).find(delimiters.repetition) != std::string_view::npos;
  return (repeats || parsed.raw(kSwitching) == "2.3") &&
         has_switches(*parsed.received(), delimiters);
}

// `text` in the set of a message.
Result<std::string> written_in(CharacterSet set, std::string_view text, const Message& message,
                               const Encoding& encoding) {
  if (encoding.switches == 0 || is_ascii(text)) return set.encode(text);
  return encode_switched(text, set, encoding.switches, message.delimiters());
}

// Writes a message piece by piece where some of what was received is kept. What was edited is
// compared with what stood there, because an edit of one repetition writes the whole field anew:
// the bytes of the others stay.
class KeepingWriter {
 public:
  KeepingWriter(const Message& message, const Encoding& encoding)
      : message_(message), encoding_(encoding), received_(*message.received()) {}

  Result<void> add(std::string_view piece) {
    const bool stands = piece.data() >= received_.data() &&
                        piece.data() + piece.size() <= received_.data() + received_.size();
    if (!stands) {
      edited_ += piece;
      return {};
    }
    const auto offset = static_cast<std::size_t>(piece.data() - received_.data());
    TRY(add_edited(offset));
    TRY(add_received(piece, offset));
    written_to_ = offset + piece.size();
    return {};
  }

  Result<std::string> take() {
    TRY(add_edited(received_.size()));
    return std::move(out_);
  }

 private:
  static bool is_within_character(std::string_view text, std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  }

  Result<void> add_edited(std::size_t up_to) {
    const std::string_view now = edited_;
    const std::size_t from = written_to_;
    const std::string_view before =
        up_to > from ? received_.substr(from, up_to - from) : std::string_view();
    const std::size_t shorter = std::min(now.size(), before.size());
    std::size_t same = 0;
    while (same < shorter && now[same] == before[same]) ++same;
    while (same > 0 && (is_within_character(now, same) || is_within_character(before, same))) {
      --same;
    }
    std::size_t end = 0;
    while (end < shorter - same && now[now.size() - 1 - end] == before[before.size() - 1 - end]) {
      ++end;
    }
    while (end > 0 && is_within_character(now, now.size() - end)) --end;
    TRY(add_received(now.substr(0, same), from));
    TRY(add_new(now.substr(same, now.size() - same - end)));
    TRY(add_received(now.substr(now.size() - end), from + before.size() - end));
    edited_.clear();
    return {};
  }

  Result<void> add_new(std::string_view text) {
    out_ += TRY(written_in(encoding_.set, text, message_, encoding_));
    return {};
  }

  // What stood at `offset`, with what is kept put back.
  Result<void> add_received(std::string_view piece, std::size_t offset) {
    auto next = std::lower_bound(encoding_.kept.begin(), encoding_.kept.end(), offset,
                                 [](const Kept& each, std::size_t at) { return each.offset < at; });
    // A switch that no text follows takes no room: it stands at the end of one piece and at the
    // beginning of the next.
    if (offset == put_back_to_) next = std::max(next, not_put_back_);
    while (next != encoding_.kept.end() && next->offset + next->size <= offset + piece.size()) {
      const std::size_t before = next->offset - offset;
      TRY(add_new(piece.substr(0, before)));
      out_ += next->bytes;
      piece.remove_prefix(before + next->size);
      offset += before + next->size;
      ++next;
    }
    put_back_to_ = offset + piece.size();
    not_put_back_ = next;
    return add_new(piece);
  }

  const Message& message_;
  const Encoding& encoding_;
  std::string_view received_;
  std::size_t written_to_ = 0;                        // of `received_`
  std::size_t put_back_to_ = std::string_view::npos;  // and what is kept after that:
  std::vector<Kept>::const_iterator not_put_back_{};
  std::string edited_;  // stands behind that in place of what was received
  std::string out_;
};

// The set to write in: the message's own, or the one that MSH-18 was changed to.
struct Target {
  CharacterSet set;
  bool changed;
};
Result<Target> target_of(const Message& message, const Encoding& encoding) {
  const std::string_view label = message.raw(kCharacterSet);
  if (label == encoding.label || label.empty() || label == "\"\"")
    return Target{encoding.set, false};
  const Label wanted = read_label(label, message.delimiters().repetition);
  if (wanted.set) return Target{*wanted.set, *wanted.set != encoding.set};
  if (wanted.unknown) return *wanted.unknown;
  return Target{encoding.set, false};
}

}  // namespace

bool is_plain(const Message& parsed) {
  const std::string_view bytes = *parsed.received();
  return is_ascii(bytes) && bytes.find('\x1B') == std::string_view::npos && !is_switched(parsed);
}

namespace {

// Of a message with switches: `decoded` has the findings and the label already. The default set is
// the first that MSH-18 names, never one with escape sequences of its own.
Result<Decoded> decode_with_switches(Decoded decoded, const Message& parsed, const Label& label,
                                     std::optional<CharacterSet> told) {
  const std::string_view bytes = *parsed.received();
  CharacterSet set = told ? *told : label.set.value_or(CharacterSet::windows_1252());
  if (set.uses_escapes()) set = CharacterSet::windows_1252();
  Switched text = decode_switched(bytes, set, parsed.delimiters());
  report_undecodable(text.undecodable, set, decoded.findings);
  decoded.message = TRY(Message::parse(make_bytes(std::move(text.text))));
  Encoding& encoding = decoded.encoding;
  encoding.set = set;
  encoding.kept = std::move(text.kept);
  encoding.label = decoded.message.raw(kCharacterSet);
  encoding.switches =
      text.used | switches_named(parsed.raw(kCharacterSet), parsed.delimiters().repetition);
  return decoded;
}

}  // namespace

Result<Decoded> decode(const Message& parsed, Origin origin, std::optional<CharacterSet> told) {
  const std::string_view bytes = *parsed.received();
  const std::string_view field = parsed.raw(kCharacterSet);
  Decoded decoded{parsed, {CharacterSet::utf8(), std::string(field)}, {}};
  const bool ascii = is_ascii(bytes);
  const bool switched = origin == Origin::received && is_switched(parsed);
  // What is written into a message without a label will be UTF-8.
  if (ascii && field.empty() && !told && !switched) return decoded;
  Label label = read_label(field, parsed.delimiters().repetition);
  if (told) {
    if (!ascii && label.set && *label.set != *told) {
      decoded.findings.push_back(note("D207",
                                      fmt::format("MSH-18 says {}, and the channel reads {}",
                                                  std::string(label.first), told->name()),
                                      "the channel's charset goes before MSH-18"));
    }
    label = Label{label.first, *told, std::nullopt};
  }
  if (switched) return decode_with_switches(std::move(decoded), parsed, label, told);
  CharacterSet& set = decoded.encoding.set;
  if (ascii) {
    if (label.unknown) {
      decoded.findings.push_back(
          note("D201", label.unknown->message, "the message is ASCII, so nothing is lost"));
    }
    if (label.set) set = *label.set;
    if (set.reads_as_it_stands(bytes)) return decoded;
  } else {
    set = told ? *told : judge(label, bytes, origin, decoded.findings);
    if (origin == Origin::written && is_utf8(bytes)) return decoded;
    if (set.reads_as_it_stands(bytes)) return decoded;
  }
  CharacterSet::Decoded text = set.decode(bytes);
  report_undecodable(text.undecodable.size(), set, decoded.findings);
  decoded.message = TRY(Message::parse(make_bytes(std::move(text.text))));
  for (const CharacterSet::Undecodable& each : text.undecodable) {
    constexpr std::size_t kReplacementSize = 3;  // U+FFFD in UTF-8
    decoded.encoding.kept.push_back({each.offset, kReplacementSize, std::string(1, each.byte)});
  }
  decoded.encoding.label = decoded.message.raw(kCharacterSet);  // decoded, too
  return decoded;
}

bool is_utf16(std::string_view bytes) {
  return find_utf16(bytes, "MSH") != Utf16::none;
}

Result<Decoded> decode(Bytes bytes, Origin origin, std::optional<CharacterSet> told) {
  const Utf16 order = find_utf16(*bytes, "MSH");
  if (order == Utf16::none) {
    return decode(TRY(Message::parse(std::move(bytes))), origin, told);
  }
  Message message = TRY(Message::parse(make_bytes(decode_utf16(*bytes, order))));
  std::string label(message.raw(kCharacterSet));
  return Decoded{std::move(message),
                 {CharacterSet::utf8(), std::move(label), {}, order, 0},
                 {note("D208", "the message is in UTF-16",
                       "it is read, and what is sent on unchanged stays UTF-16; most receivers "
                       "want UTF-8")}};
}

Result<std::string> encode(const Message& message, const Encoding& encoding) {
  if (encoding.utf16 != Utf16::none) return encode_utf16(message.encode(), encoding.utf16);
  const Target target = TRY(target_of(message, encoding));
  const bool whole = target.changed || encoding.kept.empty();
  if (whole) {
    std::string text = message.encode();
    if (target.set.is_utf8() || is_ascii(text)) return text;
    return target.changed ? target.set.encode(text)
                          : written_in(target.set, text, message, encoding);
  }
  KeepingWriter writer(message, encoding);
  std::optional<Error> failure;
  message.encode_to([&](std::string_view piece) {
    if (failure) return;
    if (const Result<void> added = writer.add(piece); !added) failure = added.error();
  });
  if (failure) return *failure;
  return writer.take();
}

Result<void> check_encodable(const Message& message, const Encoding& encoding,
                             std::string_view text) {
  if (is_ascii(text)) return {};
  const Target target = TRY(target_of(message, encoding));
  TRY(target.changed ? target.set.encode(text) : written_in(target.set, text, message, encoding));
  return {};
}

}  // namespace cannula::hl7v2
