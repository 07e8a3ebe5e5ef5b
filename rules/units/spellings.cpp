// What laboratories write instead of UCUM. Known are whole texts ("K/uL"), and the parts around `/`
// ("mEq", "MG", "sec"), capital and small letters alike.
#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "parsers/text/diagnostic.h"
#include "rules/units/unit.h"

namespace cannula::units {
namespace {

struct Spelling {
  std::string_view written;  // in capitals, without blanks
  std::string_view ucum;
};

// Whole texts, where the parts alone would mean something else.
constexpr Spelling kWhole[] = {
    {"K/UL", "10*3/uL"},
    {"K/MM3", "10*3/uL"},
    {"K/CUMM", "10*3/uL"},
    {"M/UL", "10*6/uL"},
    {"M/MM3", "10*6/uL"},
    {"M/CUMM", "10*6/uL"},
    {"C", "Cel"},
    {"DEGC", "Cel"},
    {"°C", "Cel"},
    {"CELSIUS", "Cel"},
    {"F", "[degF]"},
    {"DEGF", "[degF]"},
    {"°F", "[degF]"},
    {"ML/MIN/1.73M2", "mL/min/{1.73_m2}"},
    {"ML/MIN/1.73SQM", "mL/min/{1.73_m2}"},
    {"ML/MIN/1.73", "mL/min/{1.73_m2}"},
    {"ML/MIN/1.73M^2", "mL/min/{1.73_m2}"},
    {"MOSM/KGH2O", "mosm/kg"},
    {"MG/GCREAT", "mg/g"},
    {"MCG/MGCREAT", "ug/mg"},
    {"BPM", "/min"},
    {"BEATS/MIN", "/min"},
    {"BREATHS/MIN", "/min"},
};

// Parts.
constexpr Spelling kParts[] = {
    {"KG", "kg"},       {"G", "g"},           {"GM", "g"},         {"GMS", "g"},
    {"GRAM", "g"},      {"GRAMS", "g"},       {"MG", "mg"},        {"MGS", "mg"},
    {"UG", "ug"},       {"MCG", "ug"},        {"NG", "ng"},        {"PG", "pg"},
    {"L", "L"},         {"DL", "dL"},         {"ML", "mL"},        {"UL", "uL"},
    {"MCL", "uL"},      {"CC", "mL"},         {"CUMM", "mm3"},     {"MM3", "mm3"},
    {"MM^3", "mm3"},    {"FL", "fL"},         {"MOL", "mol"},      {"MMOL", "mmol"},
    {"UMOL", "umol"},   {"MCMOL", "umol"},    {"NMOL", "nmol"},    {"PMOL", "pmol"},
    {"EQ", "eq"},       {"MEQ", "meq"},       {"UEQ", "ueq"},      {"OSM", "osm"},
    {"MOSM", "mosm"},   {"OSMOL", "osm"},     {"MOSMOL", "mosm"},  {"U", "U"},
    {"UNIT", "U"},      {"UNITS", "U"},       {"KU", "kU"},        {"IU", "[IU]"},
    {"MIU", "m[IU]"},   {"UIU", "u[IU]"},     {"MCIU", "u[IU]"},   {"KIU", "k[IU]"},
    {"S", "s"},         {"SEC", "s"},         {"SECS", "s"},       {"SECOND", "s"},
    {"SECONDS", "s"},   {"MIN", "min"},       {"MINS", "min"},     {"MINUTE", "min"},
    {"MINUTES", "min"}, {"HR", "h"},          {"HRS", "h"},        {"HOUR", "h"},
    {"HOURS", "h"},     {"1HR", "h"},         {"1H", "h"},         {"24HR", "d"},
    {"24HRS", "d"},     {"24H", "d"},         {"DAY", "d"},        {"DAYS", "d"},
    {"WEEK", "wk"},     {"WEEKS", "wk"},      {"MONTH", "mo"},     {"MONTHS", "mo"},
    {"YR", "a"},        {"YRS", "a"},         {"YEAR", "a"},       {"YEARS", "a"},
    {"MM", "mm"},       {"CM", "cm"},         {"MMHG", "mm[Hg]"},  {"CMH2O", "cm[H2O]"},
    {"KPA", "kPa"},     {"LB", "[lb_av]"},    {"LBS", "[lb_av]"},  {"OZ", "[oz_av]"},
    {"IN", "[in_i]"},   {"INCHES", "[in_i]"}, {"M2", "m2"},        {"%", "%"},
    {"PERCENT", "%"},   {"PCT", "%"},         {"PH", "[pH]"},      {"HPF", "[HPF]"},
    {"LPF", "[LPF]"},   {"#", "1"},           {"CELLS", "1"},      {"CELL", "1"},
    {"COPIES", "1"},    {"CFU", "[CFU]"},     {"RATIO", "1"},      {"INDEX", "1"},
    {"INR", "1"},       {"TITER", "1"},       {"COUNT", "1"},      {"10^3", "10*3"},
    {"10^6", "10*6"},   {"10^9", "10*9"},     {"10^12", "10*12"},  {"THOUSAND", "10*3"},
    {"THOU", "10*3"},   {"THOUS", "10*3"},    {"MILLION", "10*6"}, {"MILL", "10*6"},
    {"MIL", "10*6"},    {"FEU", "[FEU]"},     {"GPL", "[GPL'U]"},  {"MPL", "[MPL'U]"},
    {"APL", "[APL'U]"}, {"AU", "[AU]"},
};

constexpr std::size_t kLongest = 64;

bool ends_with_digit_run(std::string_view text, std::size_t from) {
  return from < text.size() && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(from),
                                           text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "X10E9", "10**9", "X10(9)", "10E+3": powers of ten in all their forms, as "10*9"; empty
// otherwise.
std::string power_of_ten(std::string_view part) {
  if (part.starts_with("X")) part.remove_prefix(1);
  for (std::string_view start : {"10**", "10E+", "10E", "10EXP", "10(", "10^", "10*"}) {
    if (!part.starts_with(start)) continue;
    if (start == "10(" && part.ends_with(")")) part.remove_suffix(1);
    if (ends_with_digit_run(part, start.size()))
      return "10*" + std::string(part.substr(start.size()));
  }
  return {};
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

// Without blanks, with `u` for both micro signs.
std::string tidy(std::string_view text) {
  std::string tidied(text);
  replace_all(tidied, "\xC2\xB5", "u");  // MICRO SIGN
  replace_all(tidied, "\xCE\xBC", "u");  // GREEK SMALL LETTER MU
  replace_all(tidied, "\xC2\xB2", "2");  // SUPERSCRIPT TWO
  replace_all(tidied, "\xC2\xB3", "3");
  std::erase_if(tidied, [](char c) { return c == ' ' || c == '\t' || c == '\xA0'; });
  return tidied;
}

std::string capitals(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

bool has_small_letters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

std::string_view lookup(std::span<const Spelling> spellings, std::string_view written) {
  for (const Spelling& spelling : spellings) {
    if (spelling.written == written) return spelling.ucum;
  }
  return {};
}

// Part by part; a part that is not known is kept when it is UCUM as it stands. Empty when a part is
// neither.
std::string by_parts(std::string_view text) {
  if (text.ends_with('/')) return {};
  std::string ucum;
  for (bool first = true; first || !text.empty(); first = false) {
    const std::size_t end = std::min(text.find('/'), text.size());
    const std::string part(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!first) ucum += '/';
    if (part.empty()) {
      if (!first) return {};
      continue;
    }
    std::string_view known = lookup(kParts, capitals(part));
    const std::string power = known.empty() ? power_of_ten(capitals(part)) : std::string();
    if (!power.empty()) {
      ucum += power;
    } else if (!known.empty() && (!has_small_letters(part) || !Unit::parse(part))) {
      ucum += known;
    } else if (Unit::parse(part)) {
      ucum += part;
    } else {
      return {};
    }
  }
  return ucum;
}

}  // namespace

std::optional<std::string> Unit::ucum_of(std::string_view text) {
  if (text.size() > kLongest) return std::nullopt;
  const std::string tidied = tidy(text);
  if (tidied.empty()) return std::nullopt;
  // "C" is a coulomb and "K/uL" kelvin by volume: what laboratories mean goes first.
  if (const std::string_view whole = lookup(kWhole, capitals(tidied)); !whole.empty()) {
    if (!(has_small_letters(tidied) && tidied.size() == 1)) return std::string(whole);
  }
  if (has_small_letters(tidied) && Unit::parse(tidied)) return tidied;
  if (std::string ucum = by_parts(tidied); !ucum.empty() && Unit::parse(ucum)) return ucum;
  if (Unit::parse(tidied)) return tidied;
  return std::nullopt;
}

std::optional<Unit> Unit::read(std::string_view text) {
  if (text.empty()) return Unit{};
  const auto ucum = ucum_of(text);
  if (!ucum) return std::nullopt;
  return *Unit::parse(*ucum);
}

std::optional<std::string> nearest_unit(std::string_view text) {
  static constexpr std::string_view kCommon[] = {
      "mmol/L", "umol/L",  "nmol/L", "pmol/L", "mg/dL", "ug/dL", "g/dL",   "g/L",     "mg/L",
      "ug/L",   "ng/L",    "ng/mL",  "pg/mL",  "U/L",   "mEq/L", "10*9/L", "10*3/uL", "10*12/L",
      "fL",     "pg",      "mm[Hg]", "Cel",    "kg",    "cm",    "min",    "mosm/kg", "mm/h",
      "%",      "m[IU]/L", "mL/min", "g/24.h", "mg/g",  "ug/mL", "kPa"};
  return nearest(text, kCommon);
}

namespace {

struct KnownKind {
  std::string_view example;
  std::string_view words;
};

constexpr KnownKind kKinds[] = {
    {"mmol/L", "an amount of substance per volume"},
    {"g/L", "a mass per volume"},
    {"/L", "a number per volume"},
    {"U/L", "an enzyme activity per volume"},
    {"[IU]/L", "international units per volume"},
    {"osm/kg", "an amount of substance per mass"},
    {"g/mol", "a molar mass"},
    {"mmol", "an amount of substance"},
    {"meq/L", "an amount of charge per volume"},
    {"meq", "an amount of charge"},
    {"g", "a mass"},
    {"L", "a volume"},
    {"m", "a length"},
    {"m2", "an area"},
    {"s", "a time"},
    {"/min", "a frequency"},
    {"Pa", "a pressure"},
    {"K", "a temperature"},
    {"U", "an enzyme activity"},
    {"[IU]", "international units"},
    {"mL/min", "a volume per time"},
    {"mm/h", "a speed"},
    {"g/s", "a mass per time"},
    {"kg/m2", "a mass per area"},
    {"1", "a plain number"},
};

}  // namespace

std::string kind_of(const Unit& unit) {
  for (const KnownKind& kind : kKinds) {
    if (Unit::parse(kind.example)->dimension == unit.dimension) return std::string(kind.words);
  }
  static constexpr std::string_view kNames[] = {"m", "s", "g", "rad", "K", "C", "cd", "mol", "eq"};
  std::string text;
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    const int exponent{unit.dimension[slot]};
    if (exponent == 0) continue;
    if (!text.empty()) text += '.';
    text += slot < kFirstArbitrary ? kNames[slot] : std::string_view("{arbitrary unit}");
    if (exponent != 1 && slot < kFirstArbitrary) text += std::to_string(exponent);
  }
  return "a quantity in " + text;
}

}  // namespace cannula::units
