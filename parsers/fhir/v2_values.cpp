#include "parsers/fhir/v2_values.h"

#include <algorithm>
#include <chrono>

#include "parsers/fhir/primitive.h"
#include "parsers/hl7v2/date_time.h"
#include "parsers/hl7v2/values.h"
#include "parsers/tree/document.h"

namespace cannula::fhir {
namespace {

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

void append_two_digits(std::string& out, char before, int number) {
  out += {before, static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
}

void append_offset(std::string& out, std::chrono::minutes offset) {
  const int minutes = static_cast<int>(offset.count());
  const int size = minutes < 0 ? -minutes : minutes;
  append_two_digits(out, minutes < 0 ? '-' : '+', size / 60);
  append_two_digits(out, ':', size % 60);
}

struct Pair {
  std::string_view from;
  std::string_view to;
};

std::string_view look_up(std::span<const Pair> table, std::string_view wanted) {
  for (const Pair& pair : table) {
    if (pair.from == wanted) return pair.to;
  }
  return "";
}

// http://hl7.org/fhir/R4/terminologies-systems.html, names of HL7 table 0396.
constexpr Pair kCodeSystems[] = {
    {"LN", "http://loinc.org"},
    {"SCT", "http://snomed.info/sct"},
    {"SNM", "http://snomed.info/sct"},
    {"UCUM", "http://unitsofmeasure.org"},
    {"I10", "http://hl7.org/fhir/sid/icd-10"},
    {"I10C", "http://hl7.org/fhir/sid/icd-10-cm"},
    {"I10P", "http://www.cms.gov/Medicare/Coding/ICD10"},
    {"I9", "http://hl7.org/fhir/sid/icd-9-cm"},
    {"I9C", "http://hl7.org/fhir/sid/icd-9-cm"},
    {"RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"},
    {"CVX", "http://hl7.org/fhir/sid/cvx"},
    {"MVX", "http://hl7.org/fhir/sid/mvx"},
    {"NDC", "http://hl7.org/fhir/sid/ndc"},
    {"C4", "http://www.ama-assn.org/go/cpt"},
    {"ATC", "http://www.whocc.no/atc"},
};

bool is_oid(std::string_view text) {
  return text.find('.') != std::string_view::npos &&
         !wrong_form(Primitive::oid, "urn:oid:" + std::string(text));
}

std::string name_uri(std::string_view name) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string uri = "urn:id:";
  for (const char letter : name) {
    const auto code = static_cast<unsigned char>(letter);
    if (code > 0x20) {
      uri += letter;
    } else {
      uri += {'%', kDigits[code >> 4], kDigits[code & 15]};
    }
  }
  return uri;
}

}  // namespace

std::optional<std::string> date_of(std::string_view text) {
  const auto time = hl7v2::DateTime::parse(text);
  if (!time) return std::nullopt;
  std::string date = time->iso_date();
  if (wrong_form(Primitive::date, date)) return std::nullopt;
  return date;
}

std::optional<std::string> date_time_of(std::string_view text, const Clock& clock,
                                        bool* needs_zone) {
  *needs_zone = false;
  const auto time = hl7v2::DateTime::parse(text);
  if (!time) return std::nullopt;
  std::string out = time->iso_date();
  if (time->precision <= hl7v2::DateTime::Precision::day) {
    if (wrong_form(Primitive::date, out)) return std::nullopt;
    return out;
  }
  append_two_digits(out, 'T', time->hour);
  append_two_digits(out, ':', time->minute);
  append_two_digits(out, ':', time->second);
  if (!time->fraction.empty()) out += "." + time->fraction;
  if (time->offset) {
    append_offset(out, *time->offset);
  } else if (clock.offset) {
    append_offset(out, *clock.offset);
  } else if (clock.zone != nullptr) {
    append_offset(out, clock.zone->offset_at_local(time->clock_seconds() * 1'000'000));
  } else {
    *needs_zone = true;
    return std::nullopt;
  }
  if (wrong_form(Primitive::date_time, out)) return std::nullopt;
  return out;
}

std::optional<std::string> number_of(std::string_view text) {
  if (const auto number = hl7v2::read_number(text)) return number->text;
  // Lua writes large numbers with an exponent, and so does JSON.
  text = trimmed(text);
  if (!tree::is_number(text)) return std::nullopt;
  return std::string(text);
}

std::string code_system_uri(std::string_view name) {
  name = trimmed(name);
  if (name.empty()) return "";
  if (const auto known = look_up(kCodeSystems, name); !known.empty()) return std::string(known);
  if (name.starts_with("HL7") && name.size() == 7 &&
      std::all_of(name.begin() + 3, name.end(), is_digit)) {
    return "http://terminology.hl7.org/CodeSystem/v2-" + std::string(name.substr(3));
  }
  if (is_oid(name)) return "urn:oid:" + std::string(name);
  if (name.find("://") != std::string_view::npos || name.starts_with("urn:")) {
    return std::string(name);
  }
  return name_uri(name);
}

std::string authority_uri(std::string_view name, std::string_view universal_id,
                          std::string_view type) {
  if (!universal_id.empty()) {
    if (type == "ISO" || is_oid(universal_id)) return "urn:oid:" + std::string(universal_id);
    if (type == "UUID" || type == "GUID") return "urn:uuid:" + std::string(universal_id);
    if (type == "URI" || type == "URL") return std::string(universal_id);
  }
  if (!name.empty()) return name_uri(trimmed(name));
  return universal_id.empty() ? "" : name_uri(trimmed(universal_id));
}

std::string_view interpretation_of(std::string_view code) {
  constexpr Pair kNames[] = {{"N", "Normal"},
                             {"H", "High"},
                             {"L", "Low"},
                             {"A", "Abnormal"},
                             {"HH", "Critical high"},
                             {"LL", "Critical low"},
                             {"AA", "Critical abnormal"},
                             {"HU", "Significantly high"},
                             {"LU", "Significantly low"},
                             {"<", "Off scale low"},
                             {">", "Off scale high"},
                             {"U", "Significant change up"},
                             {"D", "Significant change down"},
                             {"B", "Better"},
                             {"W", "Worse"},
                             {"S", "Susceptible"},
                             {"I", "Intermediate"},
                             {"R", "Resistant"},
                             {"SDD", "Susceptible-dose dependent"},
                             {"SYN-S", "Synergy - susceptible"},
                             {"SYN-R", "Synergy - resistant"},
                             {"NS", "Non-susceptible"},
                             {"NCL", "No CLSI defined breakpoint"},
                             {"IE", "Insufficient evidence"},
                             {"POS", "Positive"},
                             {"NEG", "Negative"},
                             {"IND", "Indeterminate"},
                             {"E", "Equivocal"},
                             {"DET", "Detected"},
                             {"ND", "Not detected"},
                             {"RR", "Reactive"},
                             {"WR", "Weakly reactive"},
                             {"NR", "Non-reactive"},
                             {"EXP", "Expected"},
                             {"UNE", "Unexpected"},
                             {"EX", "Outside threshold"},
                             {"HX", "Above high threshold"},
                             {"LX", "Below low threshold"},
                             {"HM", "Hold for Medical Review"},
                             {"CAR", "Carrier"},
                             {"QCF", "Quality control failure"},
                             {"TOX", "Cytotoxic substance present"}};
  return look_up(kNames, trimmed(code));
}

std::string_view gender_of(std::string_view code) {
  constexpr Pair kGenders[] = {{"F", "female"},      {"M", "male"},    {"O", "other"},
                               {"A", "other"},       {"N", "other"},   {"X", "other"},
                               {"female", "female"}, {"male", "male"}, {"other", "other"}};
  const std::string_view found = look_up(kGenders, trimmed(code));
  return found.empty() ? "unknown" : found;
}

std::string_view name_use_of(std::string_view code) {
  constexpr Pair kUses[] = {{"L", "official"}, {"D", "usual"},     {"M", "maiden"},
                            {"N", "nickname"}, {"S", "anonymous"}, {"TEMP", "temp"}};
  return look_up(kUses, code);
}

std::string_view address_use_of(std::string_view code) {
  constexpr Pair kUses[] = {{"H", "home"}, {"P", "home"}, {"B", "work"}, {"O", "work"},
                            {"C", "temp"}, {"V", "temp"}, {"BA", "old"}};
  return look_up(kUses, code);
}

Telecom telecom_of(std::string_view use, std::string_view equipment) {
  constexpr Pair kSystems[] = {{"PH", "phone"},       {"CP", "phone"},    {"SAT", "phone"},
                               {"FX", "fax"},         {"BP", "pager"},    {"MD", "other"},
                               {"Internet", "email"}, {"X.400", "email"}, {"TDD", "other"},
                               {"TTY", "other"}};
  constexpr Pair kUses[] = {
      {"PRN", "home"}, {"ORN", "home"}, {"VHN", "temp"}, {"WPN", "work"}, {"PRS", "mobile"}};
  Telecom telecom{look_up(kSystems, equipment), look_up(kUses, use)};
  if (telecom.system.empty()) {
    telecom.system = use == "NET" ? "email" : use == "BPN" ? "pager" : "phone";
  }
  if (equipment == "CP") telecom.use = "mobile";
  return telecom;
}

std::string code_of(std::string_view text) {
  std::string out;
  for (const char letter : trimmed(text)) {
    if (letter != ' ' || out.back() != ' ') out += letter;
  }
  return out;
}

}  // namespace cannula::fhir
