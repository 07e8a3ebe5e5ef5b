// The primitive types of FHIR R4 and the form of their values
// (http://hl7.org/fhir/R4/datatypes.html#primitive).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cannula::fhir {

enum class Primitive : std::uint8_t {
  none,  // not a primitive type
  boolean,
  integer,
  decimal,
  positive_int,
  unsigned_int,
  string,
  markdown,
  xhtml,
  code,
  id,
  uri,
  url,
  canonical,
  oid,
  uuid,
  date,
  date_time,
  instant,
  time,
  base64_binary,
};

std::optional<Primitive> primitive_named(std::string_view name);  // "dateTime"
std::string_view name_of(Primitive type);
// Written as a JSON number.
bool is_numeric(Primitive type);

// What a text of this type must look like, when `text` does not: "a date: YYYY, YYYY-MM or
// YYYY-MM-DD". Of numeric types, `text` is the number's text.
std::optional<std::string_view> wrong_form(Primitive type, std::string_view text);

}  // namespace cannula::fhir
