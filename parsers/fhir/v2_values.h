// Texts of HL7 v2 as FHIR wants them: dates, numbers, codes of small tables, names of code systems.
// The mappings follow the HL7 v2-to-FHIR implementation guide (http://hl7.org/fhir/uv/v2mappings);
// what it leaves open is left out.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "parsers/text/time_zone.h"

namespace cannula::fhir {

// "19610615" or "1961-06-15T…" as "1961-06-15"; the precision stays: "1961", "1961-06". nullopt
// when it is no date.
std::optional<std::string> date_of(std::string_view text);

// Where a clock stood whose time carries no offset: that of the message goes before the zone.
struct Clock {
  std::optional<std::chrono::minutes> offset;  // hl7v2::default_offset
  const TimeZone* zone = nullptr;              // may be null; not owned
};
// DTM (2.A.22) or ISO 8601 as dateTime. To the day it has no offset; a time without one is what
// `clock` showed. FHIR wants seconds: they are filled up with zeros. nullopt when it is no time.
// `needs_zone` when the clock has neither and it would be needed: then nullopt too.
std::optional<std::string> date_time_of(std::string_view text, const Clock& clock,
                                        bool* needs_zone);

// A number of HL7 v2 (NM, 2.A.46: "+7.10", "007", ".5") as JSON writes it, with the same digits
// behind the point. nullopt when it is none.
std::optional<std::string> number_of(std::string_view text);

// The URI of a code system by its name in HL7 table 0396: "LN" is http://loinc.org, "HL70078" a v2
// table, an OID urn:oid:…, anything else urn:id:NAME. Empty for an empty name.
std::string code_system_uri(std::string_view name);
// Of an assigning authority (HD): `universal_id` of `type` ISO, UUID, URI …, else the name.
std::string authority_uri(std::string_view name, std::string_view universal_id,
                          std::string_view type);

std::string_view gender_of(std::string_view code);       // table 0001; "unknown" for others
std::string_view name_use_of(std::string_view code);     // table 0200; empty for others
std::string_view address_use_of(std::string_view code);  // table 0190; empty for others
// The name that a code of table 0078 has in FHIR's ObservationInterpretation; empty for others.
std::string_view interpretation_of(std::string_view code);
// Tables 0201 (use) and 0202 (equipment) together.
struct Telecom {
  std::string_view system;  // "phone"; never empty
  std::string_view use;     // may be empty
};
Telecom telecom_of(std::string_view use, std::string_view equipment);

// Blanks at the ends taken off and those inside made one, as the type `code` wants it.
std::string code_of(std::string_view text);

}  // namespace cannula::fhir
