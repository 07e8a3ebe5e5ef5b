#include "rules/language/lexer.h"

#include <algorithm>

#include "rules/language/syntax.h"

namespace cannula::rules {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word_character(char c) {
  return is_letter(c) || is_digit(c) || c == '_';
}

// Words that begin or continue something; sorted.
constexpr std::string_view kReserved[] = {
    "above",   "acknowledge", "age",      "and",       "any",     "at",     "below",     "between",
    "charge",  "code",        "critical", "effective", "expect",  "fire",   "flag",      "given",
    "hold",    "icd10",       "ignore",   "in",        "info",    "is",     "known",     "least",
    "loinc",   "mass",        "measured", "missing",   "molar",   "most",   "not",       "nothing",
    "on",      "or",          "outside",  "owner",     "patient", "range",  "reference", "repeat",
    "result",  "route",       "rule",     "rxnorm",    "sex",     "snomed", "source",    "specimen",
    "status",  "term",        "test",     "text",      "then",    "unless", "until",     "value",
    "version", "warning",     "when",     "within"};

}  // namespace

bool is_reserved(std::string_view word) {
  return std::binary_search(std::begin(kReserved), std::end(kReserved), word);
}

Place skip_blanks(Place at, Place end) {
  while (at != end) {
    if (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n') {
      ++at;
    } else if (*at == '#') {
      while (at != end && *at != '\n' && *at != '\r') ++at;
    } else {
      break;
    }
  }
  return at;
}

std::string_view word_at(Place at, Place end) {
  Place to = at;
  while (to != end) {
    const bool inner_hyphen = *to == '-' && to != at && end - to > 1 && is_word_character(to[1]);
    if (!is_word_character(*to) && !inner_hyphen) break;
    ++to;
  }
  return {at, static_cast<std::size_t>(to - at)};
}

Place match_word(Place at, Place end, std::string_view word) {
  return word_at(at, end) == word ? at + word.size() : nullptr;
}

Place match_sign(Place at, Place end, std::string_view sign) {
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  return rest.starts_with(sign) ? at + sign.size() : nullptr;
}

Place match_name(Place at, Place end) {
  const std::string_view word = word_at(at, end);
  if (word.empty() || !is_letter(word.front()) || is_reserved(word)) return nullptr;
  return at + word.size();
}

Place match_text(Place at, Place end) {
  if (at == end || *at != '"') return nullptr;
  for (Place to = at + 1; to != end && *to != '\n' && *to != '\r'; ++to) {
    if (*to == '"') return to + 1;
    if (*to == '\\' && end - to > 1) ++to;
  }
  return nullptr;
}

Place match_number(Place at, Place end) {
  if (at != end && *at == '-') ++at;
  const Place digits = at;
  while (at != end && is_digit(*at)) ++at;
  if (at == digits || at - digits > 15) return nullptr;
  if (end - at > 1 && *at == '.' && is_digit(at[1])) {
    const Place fraction = ++at;
    while (at != end && is_digit(*at)) ++at;
    if (at - fraction > 15) return nullptr;
  }
  return at;
}

Place match_date(Place at, Place end) {
  constexpr std::string_view kForm = "0000-00-00";
  if (end - at < static_cast<std::ptrdiff_t>(kForm.size())) return nullptr;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == '-' ? at[i] != '-' : !is_digit(at[i])) return nullptr;
  }
  return at + kForm.size();
}

// Up to a blank, a comma, or a parenthesis that was not opened in it; no word of the language.
Place match_unit(Place at, Place end) {
  int open = 0;
  Place to = at;
  for (; to != end; ++to) {
    const char c = *to;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == '"' || c == '<' ||
        c == '>' || c == '=')
      break;
    if (c == '(') ++open;
    if (c == ')' && --open < 0) break;
  }
  const std::string_view unit(at, static_cast<std::size_t>(to - at));
  if (unit.empty() || unit.front() == '#' || unit.front() == '-' || unit.front() == '(')
    return nullptr;
  if (is_reserved(word_at(at, end)) && word_at(at, end) == unit) return nullptr;
  return to;
}

std::string plain_text(std::string_view quoted) {
  std::string plain;
  quoted = quoted.substr(1, quoted.size() - 2);
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] == '\\' && i + 1 < quoted.size() &&
        (quoted[i + 1] == '"' || quoted[i + 1] == '\\'))
      ++i;
    plain += quoted[i];
  }
  return plain;
}

}  // namespace cannula::rules
