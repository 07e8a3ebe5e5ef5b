// What an intake needs to know of a message before it is stored: its MSH segment, and nothing
// behind it.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "parsers/hl7v2/delimiters.h"
#include "parsers/text/result.h"

namespace cannula::hl7v2 {

// The fields of MSH, FHS or BHS, all three divided alike: [n] is field n, empty when it is not
// there; [0] and [1] are not used. `segment` begins with the name; only the first segment is read.
using HeaderFields = std::array<std::string_view, 19>;
HeaderFields header_fields(std::string_view segment, char separator);

// Views point into the bytes given to peek() and live as long as they do. Fields are encoded text
// as they stand, empty when not populated.
struct Header {
  Delimiters delimiters;
  std::string_view encoding_characters;    // MSH-2 as it stands
  std::string_view sending_application;    // MSH-3
  std::string_view sending_facility;       // MSH-4
  std::string_view receiving_application;  // MSH-5
  std::string_view receiving_facility;     // MSH-6
  std::string_view time;                   // MSH-7
  std::string_view message_type;           // MSH-9
  std::string_view control_id;             // MSH-10
  std::string_view processing_id;          // MSH-11
  std::string_view version;                // MSH-12
  std::string_view sequence;               // MSH-13, of the sequence number protocol (2.9.1)
  std::string_view accept_ack;             // MSH-15: AL, NE, ER, SU
  std::string_view application_ack;        // MSH-16: the same
  std::string_view character_set;          // MSH-18
  // Of a message in UTF-16, the text that the views point into.
  std::shared_ptr<const std::string> converted{};

  // "ORU^R01": MSH-9.1 and MSH-9.2; "ACK" where MSH-9.2 is empty.
  std::string event() const;
  std::string_view trigger() const;     // MSH-9.2
  std::string_view version_id() const;  // MSH-12.1
  // Enhanced acknowledgement mode: MSH-15 or MSH-16 is valued (2.8.2).
  bool enhanced() const { return !accept_ack.empty() || !application_ack.empty(); }

  // Reads the first segment only. Fails (H1xx) when the bytes do not begin with an MSH that names
  // its delimiters; the error says what stood there instead in at most a few printable characters,
  // never the content of a message.
  static Result<Header> peek(std::string_view bytes);
};

}  // namespace cannula::hl7v2
