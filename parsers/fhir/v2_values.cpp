#include "parsers/fhir/v2_values.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "parsers/fhir/primitive.h"
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

// The parts of a DTM or ISO 8601 text.
struct Moment {
  std::string digits;         // YYYYMMDDhhmmss, as far as written
  std::string_view fraction;  // ".123"
  std::string_view offset;    // "+0100", "+01:00", "Z"

  std::string_view part(std::size_t begin, std::size_t size) const {
    return std::string_view(digits).substr(begin, size);
  }
  int number(std::size_t begin, std::size_t size) const {
    int value = 0;
    for (const char digit : part(begin, size)) value = value * 10 + (digit - '0');
    return value;
  }
};

std::optional<Moment> read_moment(std::string_view text) {
  text = trimmed(text);
  Moment moment;
  std::size_t at = 0;
  const bool iso = text.size() > 4 && text[4] == '-' && text.size() != 9;
  while (at < text.size() && moment.digits.size() < 14) {
    const std::size_t done = moment.digits.size();
    const bool boundary = iso && done >= 4 && done % 2 == 0;
    if (is_digit(text[at])) {
      moment.digits += text[at];
    } else if (!(boundary && ((done < 8 && text[at] == '-') || (done == 8 && text[at] == 'T') ||
                              (done > 8 && text[at] == ':')))) {
      break;
    }
    ++at;
  }
  const std::size_t size = moment.digits.size();
  if (size < 4 || size % 2 != 0) return std::nullopt;
  if (size == 14 && at < text.size() && text[at] == '.') {
    std::size_t end = at + 1;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end > at + 1) moment.fraction = text.substr(at, end - at);
    at = end;
  }
  moment.offset = text.substr(at);
  if (!moment.offset.empty() && !parse_offset(moment.offset)) return std::nullopt;
  return moment;
}

std::string date_text(const Moment& moment) {
  std::string text(moment.part(0, 4));
  for (const std::size_t begin : {4u, 6u}) {
    if (moment.digits.size() >= begin + 2) text += "-" + std::string(moment.part(begin, 2));
  }
  return text;
}

std::string offset_text(std::chrono::minutes offset) {
  const auto minutes = offset.count();
  const auto size = minutes < 0 ? -minutes : minutes;
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%c%02d:%02d", minutes < 0 ? '-' : '+',
                static_cast<int>(size / 60), static_cast<int>(size % 60));
  return text.data();
}

std::chrono::minutes local_offset(const Moment& moment, const TimeZone& zone) {
  using namespace std::chrono;
  const auto day = sys_days(year(moment.number(0, 4)) / moment.number(4, 2) / moment.number(6, 2));
  const auto second = day.time_since_epoch() / 1s + moment.number(8, 2) * 3600LL +
                      moment.number(10, 2) * 60LL + moment.number(12, 2);
  return zone.offset_at_local(second * 1'000'000LL);
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
  const auto moment = read_moment(text);
  if (!moment) return std::nullopt;
  std::string date = date_text(*moment);
  if (wrong_form(Primitive::date, date)) return std::nullopt;
  return date;
}

std::optional<std::string> date_time_of(std::string_view text, const TimeZone* zone,
                                        bool* needs_zone) {
  *needs_zone = false;
  auto moment = read_moment(text);
  if (!moment) return std::nullopt;
  std::string out = date_text(*moment);
  if (wrong_form(Primitive::date, out)) return std::nullopt;
  if (moment->digits.size() <= 8) return out;
  moment->digits.resize(14, '0');
  out += "T" + std::string(moment->part(8, 2)) + ":" + std::string(moment->part(10, 2)) + ":" +
         std::string(moment->part(12, 2)) + std::string(moment->fraction);
  if (wrong_form(Primitive::date_time, out + "Z")) return std::nullopt;
  if (!moment->offset.empty()) {
    out += offset_text(*parse_offset(moment->offset));
  } else if (zone != nullptr) {
    out += offset_text(local_offset(*moment, *zone));
  } else {
    *needs_zone = true;
    return std::nullopt;
  }
  if (wrong_form(Primitive::date_time, out)) return std::nullopt;
  return out;
}

std::optional<std::string> number_of(std::string_view text) {
  text = trimmed(text);
  std::string out;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    if (text.front() == '-') out = "-";
    text.remove_prefix(1);
  }
  while (text.size() > 1 && text[0] == '0' && is_digit(text[1])) text.remove_prefix(1);
  if (!text.empty() && text.front() == '.') out += '0';
  if (text.size() > 1 && text.back() == '.') text.remove_suffix(1);
  out += text;
  if (!tree::is_number(out)) return std::nullopt;
  return out;
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
