// What laboratories write instead of UCUM. Known are whole texts ("K/uL"), and the parts around `/`
// ("mEq", "MG", "sec"), capital and small letters alike. What UCUM reads as something that no
// clinical message means (Unit::is_clinical) is read as laboratories mean it, or not at all; of two
// readings that laboratories have none is taken.
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
    {"K/MCL", "10*3/uL"},
    {"K/MM3", "10*3/uL"},
    {"K/CMM", "10*3/uL"},
    {"K/CUMM", "10*3/uL"},
    {"K/ML", "10*3/mL"},
    {"M/UL", "10*6/uL"},
    {"M/MCL", "10*6/uL"},
    {"M/MM3", "10*6/uL"},
    {"M/CMM", "10*6/uL"},
    {"M/CUMM", "10*6/uL"},
    {"M/ML", "10*6/mL"},
    {"T/L", "10*12/L"},
    {"C", "Cel"},
    {"DEGC", "Cel"},
    {"°C", "Cel"},
    {"ºC", "Cel"},
    {"CELSIUS", "Cel"},
    {"F", "[degF]"},
    {"DEGF", "[degF]"},
    {"°F", "[degF]"},
    {"ºF", "[degF]"},
    {"MM/H", "mm/h"},
    {"MM/1H", "mm/h"},
    {"MM/HR", "mm/h"},
    {"MM/1HR", "mm/h"},
    {"MM/HOUR", "mm/h"},
    {"PHUNIT", "[pH]"},
    {"PHUNITS", "[pH]"},
    {"MG/100ML", "mg/dL"},
    {"G/100ML", "g/dL"},
    {"UG/100ML", "ug/dL"},
    {"ML/MIN/1.73M2", "mL/min/{1.73_m2}"},
    {"ML/MIN/1.73/M2", "mL/min/{1.73_m2}"},
    {"ML/MIN/1.73SQM", "mL/min/{1.73_m2}"},
    {"ML/MIN/1.73", "mL/min/{1.73_m2}"},
    {"ML/MIN/1.73M^2", "mL/min/{1.73_m2}"},
    {"MOSM/KGH2O", "mosm/kg"},
    {"U/GHB", "U/g{Hb}"},
    {"MG/GCR", "mg/g"},
    {"MG/GCREA", "mg/g"},
    {"MG/GCREAT", "mg/g"},
    {"MCG/MGCREAT", "ug/mg"},
    {"UG/MGCREAT", "ug/mg"},
    {"BPM", "/min"},
    {"BEATS/MIN", "/min"},
    {"BREATHS/MIN", "/min"},
};

// The measures of the laboratory, and the prefixes that they have, in capitals; MC is U as well.
struct Measure {
  std::string_view written;
  std::string_view ucum;
  std::string_view prefixes;
};
constexpr Measure kMeasures[] = {
    {"G", "g", "KMUNPF"},  {"L", "L", "DCMUNPF"},   {"MOL", "mol", "MUNPF"}, {"EQ", "eq", "MUN"},
    {"OSM", "osm", "M"},   {"OSMOL", "osm", "M"},   {"KAT", "kat", "MUN"},   {"U", "U", "KMU"},
    {"IU", "[IU]", "KMU"}, {"[IU]", "[IU]", "KMU"}, {"G%", "g%", "M"},
};

// Other parts.
constexpr Spelling kParts[] = {
    {"GM", "g"},
    {"GMS", "g"},
    {"MVAL", "meq"},
    {"KCAL", "kcal"},
    {"GRAM", "g"},
    {"GRAMS", "g"},
    {"GM%", "g%"},
    {"KGS", "kg"},
    {"MGS", "mg"},
    {"MLS", "mL"},
    {"CC", "mL"},
    {"CMM", "mm3"},
    {"CUMM", "mm3"},
    {"MM3", "mm3"},
    {"MM^3", "mm3"},
    {"UNIT", "U"},
    {"UNITS", "U"},
    {"S", "s"},
    {"SEC", "s"},
    {"SECS", "s"},
    {"SECOND", "s"},
    {"SECONDS", "s"},
    {"MSEC", "ms"},
    {"MIN", "min"},
    {"MINS", "min"},
    {"MINUTE", "min"},
    {"MINUTES", "min"},
    {"H", "h"},
    {"HR", "h"},
    {"HRS", "h"},
    {"HOUR", "h"},
    {"HOURS", "h"},
    {"1HR", "h"},
    {"1H", "h"},
    {"24HR", "d"},
    {"24HRS", "d"},
    {"24H", "d"},
    {"24HOURS", "d"},
    {"DAY", "d"},
    {"DAYS", "d"},
    {"WEEK", "wk"},
    {"WEEKS", "wk"},
    {"MONTH", "mo"},
    {"MONTHS", "mo"},
    {"YR", "a"},
    {"YRS", "a"},
    {"YEAR", "a"},
    {"YEARS", "a"},
    {"CM", "cm"},
    {"MMHG", "mm[Hg]"},
    {"MM[HG]", "mm[Hg]"},
    {"CMH2O", "cm[H2O]"},
    {"CM[H2O]", "cm[H2O]"},
    {"KPA", "kPa"},
    {"LB", "[lb_av]"},
    {"LBS", "[lb_av]"},
    {"OZ", "[oz_av]"},
    {"IN", "[in_i]"},
    {"INCHES", "[in_i]"},
    {"M2", "m2"},
    {"M^2", "m2"},
    {"CEL", "Cel"},
    {"%", "%"},
    {"PERCENT", "%"},
    {"PCT", "%"},
    {"PH", "[pH]"},
    {"HPF", "[HPF]"},
    {"[HPF]", "[HPF]"},
    {"LPF", "[LPF]"},
    {"[LPF]", "[LPF]"},
    {"#", "1"},
    {"CELLS", "1"},
    {"CELL", "1"},
    {"COPIES", "1"},
    {"CFU", "[CFU]"},
    {"RATIO", "1"},
    {"INDEX", "1"},
    {"INR", "1"},
    {"TITER", "1"},
    {"COUNT", "1"},
    {"THOUSAND", "10*3"},
    {"THOU", "10*3"},
    {"THOUS", "10*3"},
    {"TSD", "10*3"},
    {"MILLION", "10*6"},
    {"MILL", "10*6"},
    {"MIO", "10*6"},
    {"GIGA", "10*9"},
    {"GPT", "10*9"},
    {"TERA", "10*12"},
    {"TPT", "10*12"},
    {"FEU", "[FEU]"},
    {"GPL", "[GPL'U]"},
    {"MPL", "[MPL'U]"},
    {"APL", "[APL'U]"},
    {"AU", "[arb'U]"},
};

// What laboratories write for two things. Of MU and MIU see Parts.
struct Ambiguous {
  std::string_view written;  // in capitals
  std::string_view one;
  std::string_view other;
  bool also_small = false;  // "mm" is UCUM and means it; a length by volume is nothing
};
constexpr Ambiguous kAmbiguous[] = {
    {"G/L", "g/L", "10*9/L"},  // leucocytes are counted in Giga/L
    {"M", "m", "mol/L"},
    {"MM", "mm", "mmol/L"},
    {"UM", "um", "umol/L"},
    {"NM", "nm", "nmol/L"},
    {"PM", "pm", "pmol/L"},
    {"M/L", "mol/L", "10*6/L", true},
    {"MM/L", "mmol/L", "10*6/L", true},
    {"UM/L", "umol/L", "um/L", true},
    {"NM/L", "nmol/L", "nm/L", true},
    {"PM/L", "pmol/L", "pm/L", true},
    {"MIL/UL", "10*6/uL", "10*3/uL"},  // a thousand in Spanish
    {"MIL/MCL", "10*6/uL", "10*3/uL"},
    {"MIL/MM3", "10*6/mm3", "10*3/mm3"},
    {"MIL/CUMM", "10*6/mm3", "10*3/mm3"},
    {"MS", "ms", "mS"},
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

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Without blanks, with `u` for both micro signs; empty when one of them has no unit behind it,
// since `u` would be one.
std::string tidy(std::string_view text) {
  std::string tidied(text);
  replace_all(tidied, "\xC2\xA0", "");          // NO-BREAK SPACE
  replace_all(tidied, "\xCE\xBC", "\xC2\xB5");  // GREEK SMALL LETTER MU
  constexpr std::string_view kMicro = "\xC2\xB5";
  for (std::size_t at = 0; (at = tidied.find(kMicro, at)) != std::string::npos; ++at) {
    const std::size_t next = at + kMicro.size();
    if (next == tidied.size() || !(is_letter(tidied[next]) || tidied[next] == '[')) return {};
    tidied.replace(at, kMicro.size(), "u");
  }
  replace_all(tidied, "\xC2\xB2", "2");  // SUPERSCRIPT TWO
  replace_all(tidied, "\xC2\xB3", "3");
  replace_all(tidied, "10^", "10*");
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

// "mM" is mmol/L, and so is "mM/L" to those who write it; the letters as they are, since "MM" is a
// millimetre.
std::string molar(std::string_view text) {
  if (text.ends_with("/L") || text.ends_with("/l")) text.remove_suffix(2);
  constexpr std::string_view kPrefixes = "munpf";
  if (text.size() != 2 || text[1] != 'M') return {};
  if (kPrefixes.find(text[0]) == std::string_view::npos) return {};
  return std::string(1, text[0]) + "mol/L";
}

// The parts around `/`, each as UCUM. M before U or IU is a million as well as a thousandth: which
// of them only shows where another part has capitals that stand for small letters (MIU/ML).
class Parts {
 public:
  // False when a part is no unit.
  bool read(std::string_view text);
  const std::string& ucum() const { return ucum_; }
  // The reading with a million; empty when there is none.
  std::string with_million() const { return million_ && !capitals_only_ ? other_ : std::string(); }

 private:
  bool read_part(std::string_view part);
  bool read_measure(std::string_view part);
  void add(std::string_view ucum, std::string_view with_million = {}) {
    ucum_ += ucum;
    other_ += with_million.empty() ? ucum : with_million;
  }

  std::string ucum_;
  std::string other_;
  bool million_ = false;
  bool capitals_only_ = false;
};

bool Parts::read(std::string_view text) {
  if (text.ends_with('/')) return false;
  for (bool first = true; first || !text.empty(); first = false) {
    const std::size_t end = std::min(text.find('/'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!first) add("/");
    if (part.empty() ? !first : !read_part(part)) return false;
  }
  return true;
}

bool Parts::read_part(std::string_view part) {
  if (part != "K" && Unit::is_clinical(part)) {
    add(part);
    return true;
  }
  const std::string in_capitals = capitals(std::string(part));
  if (const std::string_view known = lookup(kParts, in_capitals); !known.empty()) {
    add(known);
    capitals_only_ = capitals_only_ || !has_small_letters(part);
    return true;
  }
  if (const std::string power = power_of_ten(in_capitals); !power.empty()) {
    add(power);
    return true;
  }
  return read_measure(part);
}

bool Parts::read_measure(std::string_view part) {
  const std::string in_capitals = capitals(std::string(part));
  for (const Measure& measure : kMeasures) {
    if (!in_capitals.ends_with(measure.written)) continue;
    std::string_view prefix(in_capitals);
    prefix.remove_suffix(measure.written.size());
    if (prefix == "MC") prefix = "U";
    if (prefix.size() > 1 || measure.prefixes.find(prefix) == std::string_view::npos) continue;
    std::string ucum(measure.ucum);
    if (!prefix.empty()) ucum.insert(0, 1, static_cast<char>(prefix.front() - 'A' + 'a'));
    const bool is_unit = measure.ucum == "U" || measure.ucum == "[IU]";
    if (is_unit && prefix == "M" && part.front() == 'M') {
      million_ = true;
      add(ucum, "10*6." + std::string(measure.ucum));
    } else {
      add(ucum);
      capitals_only_ = capitals_only_ || (!is_unit && !has_small_letters(part));
    }
    return true;
  }
  return false;
}

// `ucum` is empty when the text is no unit; `other` is not when it may be that as well.
struct Reading {
  std::string ucum;
  std::string other;
};

Reading reading_of(std::string_view text) {
  if (text.size() > kLongest) return {};
  const std::string tidied = tidy(text);
  if (tidied.empty()) return {};
  if (std::string amount = molar(tidied); !amount.empty()) return {std::move(amount), {}};
  const std::string in_capitals = capitals(tidied);
  const bool is_ucum = Unit::is_clinical(tidied);
  for (const Ambiguous& each : kAmbiguous) {
    const bool is_meant = is_ucum && !each.also_small && tidied != "mS";
    if (each.written != in_capitals || is_meant) continue;
    return {std::string(each.one), std::string(each.other)};
  }
  if (const std::string_view whole = lookup(kWhole, in_capitals); !whole.empty()) {
    if (!(has_small_letters(tidied) && tidied.size() == 1)) return {std::string(whole), {}};
  }
  if (is_ucum) return {tidied, {}};
  Parts parts;
  if (!parts.read(tidied) || !Unit::is_clinical(parts.ucum())) return {};
  return {parts.ucum(), parts.with_million()};
}

}  // namespace

std::optional<std::string> Unit::ucum_of(std::string_view text) {
  Reading reading = reading_of(text);
  if (reading.ucum.empty() || !reading.other.empty()) return std::nullopt;
  return std::move(reading.ucum);
}

std::optional<TwoReadings> two_readings(std::string_view text) {
  Reading reading = reading_of(text);
  if (reading.other.empty()) return std::nullopt;
  return TwoReadings{std::move(reading.ucum), std::move(reading.other)};
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
