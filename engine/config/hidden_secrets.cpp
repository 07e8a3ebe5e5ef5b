#include "engine/config/hidden_secrets.h"

#include <algorithm>
#include <cctype>

#include "channels/transport/secret_name.h"
#include "engine/security/keys/token_uri.h"

namespace cannula::config {
namespace {

using Names = std::set<std::string, std::less<>>;

constexpr std::string_view kHidden = "…";
constexpr std::string_view kBlanks = " \t";

bool is_key_byte(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

// The parts of a key `a."b".c`, with nothing else behind it but blanks.
std::vector<std::string> parts_of(std::string_view key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      parts.emplace_back();
    } else if (is_key_byte(c)) {
      parts.back() += c;
    }
  }
  return parts;
}

bool is_secret_table(const std::string& name) {
  return name == "keys" || name == "secrets" || name == "audit";
}

// The name of the table that `line` is the header of; nothing for other lines. An item of a list in
// brackets, ["like this"], is no header, so a header in quotes is none either unless it is one that
// hides something.
std::optional<std::string> header_of(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos || line[begin] != '[') return std::nullopt;
  const std::size_t end = line.find(']', begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::size_t name = line.find_first_not_of("[ \t", begin);
  const std::string_view inside = line.substr(name, end - std::min(name, end));
  const std::string first = parts_of(inside).front();
  const bool bare = std::all_of(inside.begin(), inside.end(), [](char c) {
    return is_key_byte(c) || c == '.' || kBlanks.find(c) != std::string_view::npos;
  });
  if (!bare && !is_secret_table(first)) return std::nullopt;
  return first;
}

// Where the first `=` of `line` stands that ends a key; npos when the line begins with something
// else, such as an item of a list.
std::size_t equals_of(std::string_view line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '=') {
      return i;
    } else if (!is_key_byte(c) && c != '.' && kBlanks.find(c) == std::string_view::npos) {
      return std::string_view::npos;
    }
  }
  return std::string_view::npos;
}

bool is_secret_name(std::string_view name, const Names& names) {
  if (names.contains(name)) return true;
  const std::vector<std::string_view> all(names.begin(), names.end());
  return nearest(name, all).has_value();  // a misspelt one has the secret behind it all the same
}

// Whether one of the keys of `line` names a secret: `pin = …`, `keys.pin = …`, `{ pin = …`.
bool names_a_secret(std::string_view line, const Names& names) {
  for (std::size_t at = line.find('='); at != std::string_view::npos; at = line.find('=', at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && (is_key_byte(line[begin - 1]) ||
                         std::string_view(" \t.\"'").find(line[begin - 1]) != std::string::npos)) {
      --begin;
    }
    const auto parts = parts_of(line.substr(begin, at - begin));
    if (is_secret_table(parts.front()) || is_secret_name(parts.back(), names)) return true;
  }
  return false;
}

// `headers = ["Authorization: Bearer …"]`, also where the list goes over many lines: the name of a
// header stands between a quote and a colon.
bool names_a_secret_header(std::string_view line) {
  for (std::size_t colon = line.find(':'); colon != line.npos; colon = line.find(':', colon + 1)) {
    const std::size_t quote = line.find_last_of("\"'", colon);
    const std::size_t begin = quote == line.npos ? 0 : quote + 1;
    if (cannula::is_secret_name(line.substr(begin, colon - begin))) return true;
  }
  return false;
}

bool holds_a_token_uri(std::string_view line) {
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (security::is_token_uri(line.substr(at))) return true;
  }
  return false;
}

bool stands_in_a_secret_table(const Source& source, std::size_t line) {
  while (line-- > 1) {
    if (const auto header = header_of(source.line(line))) return is_secret_table(*header);
  }
  return false;
}

}  // namespace

void add_secret_names(std::span<const Option> options, Names& names) {
  for (const Option& option : options) {
    if (option.type == OptionType::secret) names.emplace(option.name);
    add_secret_names(option.members, names);
  }
}

void hide_secrets(Diagnostic& finding, const Names& names) {
  if (!finding.source || !finding.span || !finding.source->name().ends_with(".toml")) return;
  const Source& source = *finding.source;
  const Position at = source.position(finding.span->begin);
  const std::string_view line = source.line(at.line);
  const bool about_a_secret =
      finding.code == "C123" || finding.code == "C147" || finding.code == "C148";
  if (!about_a_secret && header_of(line)) return;
  if (!about_a_secret && !stands_in_a_secret_table(source, at.line) &&
      !names_a_secret(line, names) && !names_a_secret_header(line) &&
      secret_parameter_of(line).empty() && !holds_a_token_uri(line)) {
    return;
  }
  const std::size_t equals = equals_of(line);
  std::size_t value = line.find_first_not_of(kBlanks, equals == line.npos ? 0 : equals + 1);
  value = std::min(value, line.size());

  const std::size_t line_begin = finding.span->begin - (at.column - 1);
  std::string text(source.text().substr(0, line_begin + value));
  // Blanks, so that the column stays.
  if (text.size() < finding.span->begin) text.resize(finding.span->begin, ' ');
  const std::size_t end = text.size();
  text += kHidden;
  finding.span->end = finding.span->begin == end ? text.size() : std::min(finding.span->end, end);
  finding.source = std::make_shared<const Source>(source.name(), std::move(text));
}

}  // namespace cannula::config
