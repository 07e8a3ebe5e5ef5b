// ED, a document inside a message (2.A.24): its bytes, from OBX-5 where OBX-2 is ED.
#pragma once

#include <string>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {

struct Encapsulated {
  std::string source;    // ED.1, as encoded
  std::string type;      // ED.2: Application, Image, TEXT … (table 0834)
  std::string subtype;   // ED.3: PDF, JPEG … (table 0291)
  std::string encoding;  // ED.4: Base64, Hex or A for none (table 0299)
  std::string bytes;     // ED.5, decoded
};

// `place` names the field or one repetition. Linear in its size; the encoded text is read where it
// stands in the received bytes. A data component that holds delimiters of components, as senders
// forget to escape them, is taken to its end. An empty ED.4 is taken for Base64 when the data is
// Base64, else for A. Fails (H502, D205) when there is no data, the encoding is not known or the
// data is not in it.
Result<Encapsulated> read_encapsulated(const Message& message, const Place& place);

// Base64 in any leaf, with the line breaks that senders put into it: bytes, \X0D0A\ or \.br\.
// Fails (D205).
Result<std::string> base64_of(std::string_view encoded, const Delimiters& delimiters);

}  // namespace cannula::hl7v2
