#include "parsers/hl7v2/header.h"

#include <algorithm>

#include "parsers/text/utf16.h"

namespace cannula::hl7v2 {
namespace {

constexpr std::size_t kLongestConverted = 8192;  // of a message in UTF-16: room for any MSH

std::string_view first_part(std::string_view text, char delimiter) {
  return delimiter == 0 ? text : text.substr(0, text.find(delimiter));
}

}  // namespace

HeaderFields header_fields(std::string_view segment, char separator) {
  HeaderFields fields;
  std::size_t number = 2;
  std::size_t field_begin = 4;
  for (std::size_t at = 4; number < fields.size(); ++at) {
    const bool end = at >= segment.size() || segment[at] == '\r' || segment[at] == '\n';
    if (!end && segment[at] != separator) continue;
    if (field_begin < segment.size())
      fields[number] = segment.substr(field_begin, at - field_begin);
    ++number;
    field_begin = at + 1;
    if (end) break;
  }
  return fields;
}

Result<Header> Header::peek(std::string_view bytes) {
  if (const Utf16 order = find_utf16(bytes.substr(0, kLongestConverted), "MSH");
      order != Utf16::none) {
    auto text = std::make_shared<const std::string>(
        decode_utf16(bytes.substr(0, kLongestConverted), order));
    Header header = TRY(peek(std::string_view(*text)));
    header.converted = std::move(text);
    return header;
  }
  const std::size_t begin = TRY(find_msh(bytes));
  const std::string_view segment = bytes.substr(begin);
  Header header;
  header.delimiters = TRY(read_delimiters(segment));

  const HeaderFields fields = header_fields(segment, header.delimiters.field);
  header.encoding_characters = fields[2];
  header.sending_application = fields[3];
  header.sending_facility = fields[4];
  header.receiving_application = fields[5];
  header.receiving_facility = fields[6];
  header.time = fields[7];
  header.message_type = fields[9];
  header.control_id = fields[10];
  header.processing_id = fields[11];
  header.version = fields[12];
  header.sequence = fields[13];
  header.accept_ack = fields[15];
  header.application_ack = fields[16];
  header.character_set = fields[18];
  return header;
}

std::string_view Header::trigger() const {
  const std::string_view first = first_part(message_type, delimiters.repetition);
  const std::size_t at = first.find(delimiters.component);
  if (at == std::string_view::npos) return {};
  return first_part(first.substr(at + 1), delimiters.component);
}

std::string Header::event() const {
  std::string event(
      first_part(first_part(message_type, delimiters.repetition), delimiters.component));
  if (const std::string_view name = trigger(); !name.empty()) {
    event += '^';
    event += name;
  }
  return event;
}

std::string_view Header::version_id() const {
  return first_part(version, delimiters.component);
}

}  // namespace cannula::hl7v2
