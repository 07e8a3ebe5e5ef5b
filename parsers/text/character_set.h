// Character sets by the names that messages give them: bytes to UTF-8 and back.
//
// Only sets that hold ASCII at its places are known here, because the delimiters of HL7 v2, JSON
// and CSV are ASCII: UTF-16 and EBCDIC are refused. Two names mean more than they say, as on the
// Web (WHATWG Encoding): ISO 8859-1 and ASCII with 8-bit bytes are read as windows-1252, whose
// quotation marks and euro sign stand where ISO 8859-1 has control characters that nobody sends.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/result.h"

namespace cannula {

// Whether all bytes are below 0x80. At the speed of memory.
bool is_ascii(std::string_view bytes);
bool is_utf8(std::string_view bytes);

// A small value; any thread.
class CharacterSet {
 public:
  // A name of HL7 table 0211 ("8859/1", "UNICODE UTF-8", "ISO IR87", "GB 18030-2000") or of IANA
  // ("ISO-8859-15", "windows-1250"), in capitals or not. Fails (D201) with the nearest known name.
  static Result<CharacterSet> find(std::string_view name);
  static CharacterSet utf8();
  static CharacterSet windows_1252();
  // Japanese text that switches between ASCII and JIS X 0208 or 0212 by escape sequences
  // (ISO-2022-JP-2): its bytes are all below 0x80.
  static CharacterSet iso_2022_jp();

  std::string_view name() const;  // the IANA name; of static storage
  bool is_utf8() const;
  bool is_single_byte() const;  // one byte a character
  bool uses_escapes() const;    // ASCII bytes may mean other characters (ISO-2022-…)
  // Whether such bytes read the same in this set and in UTF-8: then nothing has to be converted.
  bool reads_as_it_stands(std::string_view bytes) const;

  // A byte that is nothing in this set, and became U+FFFD.
  struct Undecodable {
    std::size_t offset;  // of the U+FFFD in the text
    char byte;
  };
  struct Decoded {
    std::string text;  // valid UTF-8
    std::vector<Undecodable> undecodable;
  };
  Decoded decode(std::string_view bytes) const;

  // Fails (D204) naming the first character that the set does not have. Text for UTF-8 is taken as
  // it stands.
  Result<std::string> encode(std::string_view text) const;

  friend bool operator==(CharacterSet, CharacterSet) = default;

 private:
  struct Entry;
  struct Table;
  explicit CharacterSet(const Entry* entry) : entry_(entry) {}
  const Entry* entry_;  // of static storage, one for each set
};

}  // namespace cannula
