#include "engine/cli/message_source.h"

#include <charconv>

#include <fmt/format.h>

#include "engine/cli/input_file.h"
#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/hl7v2/header.h"
#include "parsers/hl7v2/timestamp.h"
#include "parsers/text/utf16.h"

namespace cannula::cli {
namespace {

constexpr std::array kOutcomes{hl7v2::AckOutcome::accepted, hl7v2::AckOutcome::error,
                               hl7v2::AckOutcome::rejected};

Error unusable(std::string_view name, std::string_view why) {
  return {"U106", fmt::format("{}: {}", name, why), "", {}};
}

// Segments end with CR on the wire, whatever an editor made of the file.
std::string with_carriage_returns(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      if (i == 0 || text[i - 1] != '\r') out += '\r';
    } else {
      out += text[i];
    }
  }
  while (out.ends_with("\r\r")) out.pop_back();
  if (!out.empty() && out.back() != '\r') out += '\r';
  return out;
}

// The same in UTF-16, which is sent as what it is.
Result<std::string> with_carriage_returns_utf16(std::string_view name, std::string_view bytes,
                                                Utf16 order, bool varied) {
  if (varied) {
    return Error{"U106",
                 fmt::format("{}: messages in UTF-16 are sent as they are", name),
                 "leave out --unique and --template, or write the file as UTF-8",
                 {}};
  }
  return encode_utf16(with_carriage_returns(decode_utf16(bytes, order)), order);
}

bool any_answer(const hl7v2::Header& header) {
  using hl7v2::AckOutcome;
  const hl7v2::AckDetails details{};
  return std::any_of(kOutcomes.begin(), kOutcomes.end(), [&](AckOutcome outcome) {
    return hl7v2::acknowledge(header, outcome, details).has_value();
  });
}

}  // namespace

// The longer forms first: {{n}} has {n} within it.
MessageSource::Pieces MessageSource::split_at_places(std::string_view text) {
  static constexpr std::pair<std::string_view, Place> kPlaces[] = {
      {"{{n}}", Place::number}, {"{{time}}", Place::time}, {"{n}", Place::number}};
  Pieces pieces;
  std::string piece;
  while (!text.empty()) {
    const auto* const place =
        std::find_if(std::begin(kPlaces), std::end(kPlaces),
                     [&](const auto& one) { return text.starts_with(one.first); });
    if (place == std::end(kPlaces)) {
      piece += text.front();
      text.remove_prefix(1);
      continue;
    }
    pieces.texts.push_back(std::exchange(piece, {}));
    pieces.places.push_back(place->second);
    text.remove_prefix(place->first.size());
  }
  pieces.texts.push_back(std::move(piece));
  return pieces;
}

Result<MessageSource> MessageSource::read(const std::vector<std::string>& files,
                                          Variation variation) {
  MessageSource source;
  for (const std::string& file : files) {
    const std::string text = TRY(read_input(file));
    TRY(source.add(file, text, variation));
  }
  return source;
}

Result<MessageSource> MessageSource::of(std::string_view name, std::string_view text,
                                        Variation variation) {
  MessageSource source;
  TRY(source.add(name, text, variation));
  return source;
}

Result<void> MessageSource::add(std::string_view name, std::string_view text, Variation variation) {
  const auto spans = messages_in(text);
  const Utf16 order = find_utf16(text, "MSH");
  const bool varied = variation.unique || variation.templates;
  if (spans.empty())
    return unusable(name, "there is no HL7 v2 message in it (no line begins with MSH)");
  for (const Span& span : spans) {
    const std::string_view bytes = text.substr(span.begin, span.size());
    std::string message = order == Utf16::none
                              ? with_carriage_returns(bytes)
                              : TRY(with_carriage_returns_utf16(name, bytes, order, varied));
    const auto header = hl7v2::Header::peek(message);
    std::string control_id = header ? std::string(header->control_id) : std::string();
    const bool wants_answer = !header || any_answer(*header);
    // The name of the variation is put in as a place first, then all places are cut out at once.
    if (variation.unique && !control_id.empty()) {
      const auto end =
          static_cast<std::size_t>(header->control_id.data() - message.data()) + control_id.size();
      if (!variation.templates) {
        messages_.push_back({{{message.substr(0, end) + "-", message.substr(end)}, {Place::number}},
                             {{control_id + "-", ""}, {Place::number}},
                             wants_answer});
        continue;
      }
      message.insert(end, "-{{n}}");
      control_id += "-{{n}}";
    }
    if (variation.templates) {
      messages_.push_back({split_at_places(message), split_at_places(control_id), wants_answer});
    } else {
      messages_.push_back({{{std::move(message)}}, {{std::move(control_id)}}, wants_answer});
    }
  }
  return {};
}

void MessageSource::append(std::string& out, const Pieces& pieces, std::int64_t n,
                           std::int64_t time) {
  out += pieces.texts.front();
  for (std::size_t i = 0; i < pieces.places.size(); ++i) {
    if (pieces.places[i] == Place::number) {
      char digits[24];
      const char* end = std::to_chars(digits, digits + sizeof digits, n).ptr;
      out.append(digits, static_cast<std::size_t>(end - digits));
    } else {
      out += hl7v2::format_timestamp(time);
    }
    out += pieces.texts[i + 1];
  }
}

void MessageSource::append_frame(std::string& out, std::int64_t n, std::int64_t time) const {
  out += '\x0B';
  append(out, of_number(n).text, n, time);
  out += "\x1C\r";
}

std::string MessageSource::control_id(std::int64_t n, std::int64_t time) const {
  std::string id;
  append(id, of_number(n).control_id, n, time);
  return id;
}

}  // namespace cannula::cli
