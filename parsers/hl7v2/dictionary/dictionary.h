// What the standard says about segments, fields, data types, tables and message structures, for
// versions 2.1 to 2.8.
//
//   const Dictionary& words = dictionary(Version::v2_5_1);
//   const SegmentDefinition* pid = words.segment("PID");
//   pid->field(8)->name;                      // "Administrative Sex"
//   table("0001")->meaning("F");              // "Female"
//
// The text comes from published packages (generator/, NOTICE) and stands compact in the program; it
// is read once, when first asked for (about two milliseconds). All of it is of static storage.
//
// Threads: everything here may be used from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace cannula::hl7v2 {

enum class Version : std::uint8_t {
  v2_1,
  v2_2,
  v2_3,
  v2_3_1,
  v2_4,
  v2_5,
  v2_5_1,
  v2_6,
  v2_7,
  v2_7_1,
  v2_8
};

std::string_view name_of(Version version);  // "2.5.1"
// What MSH-12.1 says: a version the dictionary knows, else the newest that is not newer ("2.5.2" is
// read as 2.5.1, "2.9" as 2.8). nullopt for what is no version from 2.1 on.
std::optional<Version> version_of(std::string_view text);

enum class Usage : char {
  required = 'R',
  optional = 'O',
  conditional = 'C',
  backward = 'B',   // kept for older receivers only
  withdrawn = 'W',  // from 2.7 on; the package gives it as backward
};

// A field of a segment or a component of a data type.
struct PartDefinition {
  std::string_view name;          // "Patient Identifier List"
  std::string_view type;          // "CX"; "VARIES" for OBX-5
  std::uint32_t length = 0;       // in characters; 0 where the standard leaves it open
  std::uint32_t repetitions = 1;  // 0: any number
  Usage usage = Usage::optional;
  std::string_view table;  // "0001", or empty
};

struct SegmentDefinition {
  std::string_view name;  // "PID"
  std::string_view text;  // "Patient Identification"
  std::span<const PartDefinition* const> fields;

  // Counted from 1; null beyond the last.
  const PartDefinition* field(std::uint32_t number) const {
    return number == 0 || number > fields.size() ? nullptr : fields[number - 1];
  }
};

struct TypeDefinition {
  std::string_view name;                              // "CX"
  std::string_view text;                              // "Extended Composite ID with Check Digit"
  std::span<const PartDefinition* const> components;  // none: a primitive type

  const PartDefinition* component(std::uint32_t number) const {
    return number == 0 || number > components.size() ? nullptr : components[number - 1];
  }
};

// A message structure, as structure.h reads it: "MSH [{SFT}] {ORDER: ORC [OBR]}".
struct StructureDefinition {
  std::string_view name;  // "ORU_R01"
  std::string_view text;  // "Unsolicited transmission of an observation message"
  std::string_view definition;
};

struct Code {
  std::string_view code;
  std::string_view text;
};

struct TableDefinition {
  std::string_view number;  // "0001"
  std::string_view text;    // "Administrative Sex"
  std::span<const Code> codes;

  // What the code means; nullopt for one the table does not have.
  std::optional<std::string_view> meaning(std::string_view code) const;
};

// What one version says. Names are found in constant time or by bisection; null when unknown.
class Dictionary {
 public:
  const SegmentDefinition* segment(std::string_view name) const;
  const TypeDefinition* data_type(std::string_view name) const;
  // By its name ("ADT_A01"), or by what MSH-9.1 and MSH-9.2 say (`ADT`, `A04` -> ADT_A01).
  const StructureDefinition* structure(std::string_view name) const;
  const StructureDefinition* structure(std::string_view type, std::string_view event) const;

  std::span<const SegmentDefinition* const> segments() const { return segments_; }
  std::span<const TypeDefinition* const> data_types() const { return types_; }
  std::span<const StructureDefinition* const> structures() const { return structures_; }

 private:
  friend class DictionaryReader;
  struct Event {
    std::string_view event;      // "ADT^A04"
    std::string_view structure;  // "ADT_A01"
  };

  // Each in the order of names.
  std::vector<const SegmentDefinition*> segments_;
  std::vector<const TypeDefinition*> types_;
  std::vector<const StructureDefinition*> structures_;
  std::vector<Event> events_;
};

const Dictionary& dictionary(Version version);
inline constexpr std::size_t kVersions = 11;

// A table by its number, with or without leading zeros. Codes are those of 2.6 and the versions
// before it; null for a table that the standard leaves to the sites or that is not known.
const TableDefinition* table(std::string_view number);
std::span<const TableDefinition> tables();

}  // namespace cannula::hl7v2
