#include "engine/trial/payload.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "engine/trial/json_leaves.h"
#include "engine/trial/lines.h"
#include "parsers/hl7v2/encoding.h"

namespace cannula::trial {
namespace {

constexpr std::size_t kMostDifferences = 20;

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\v");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

std::string decoded(std::string_view bytes) {
  if (auto message = hl7v2::decode(make_bytes(std::string(bytes)))) {
    return message->message.encode();
  }
  return std::string(bytes);
}

std::string joined(const std::vector<std::string_view>& lines) {
  std::string text;
  for (const std::string_view line : lines) text += std::string(line) + "\n";
  return text;
}

std::vector<std::string_view> fields_of(std::string_view segment) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t end = segment.find('|');
    fields.push_back(segment.substr(0, end));
    if (end == std::string_view::npos) return fields;
    segment.remove_prefix(end + 1);
  }
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 300;
  if (text.size() <= kLongest) return std::string(text);
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}… ({} bytes)", text.substr(0, end), text.size());
}

// One segment against another of the same name, field by field.
void compare_segments(std::string_view expected, std::string_view actual, const std::string& name,
                      std::vector<std::string>& found) {
  const auto wanted = fields_of(expected);
  const auto came = fields_of(actual);
  const std::size_t shift = expected.starts_with("MSH") ? 1 : 0;  // MSH-1 is the separator
  for (std::size_t at = 1; at < std::max(wanted.size(), came.size()); ++at) {
    const std::string_view want = at < wanted.size() ? wanted[at] : "";
    const std::string_view got = at < came.size() ? came[at] : "";
    if (want == got) continue;
    found.push_back(fmt::format("{}-{}: expected {}, got {}", name, at + shift,
                                want.empty() ? "nothing" : fmt::format("\"{}\"", shown(want)),
                                got.empty() ? "nothing" : fmt::format("\"{}\"", shown(got))));
  }
}

// The longest common subsequence of lines tells which were added and which are missing.
struct Edit {
  enum class Kind { same, missing, added } kind;
  std::size_t line;  // of the expected text for same and missing, of the actual one for added
};
std::vector<Edit> edits_between(const std::vector<std::string_view>& expected,
                                const std::vector<std::string_view>& actual) {
  const std::size_t rows = expected.size(), columns = actual.size();
  std::vector<Edit> edits;
  if (rows * columns > 4'000'000) {
    for (std::size_t at = 0; at < rows; ++at) edits.push_back({Edit::Kind::missing, at});
    for (std::size_t at = 0; at < columns; ++at) edits.push_back({Edit::Kind::added, at});
    return edits;
  }
  std::vector<std::uint32_t> length((rows + 1) * (columns + 1), 0);
  const auto at = [&](std::size_t row, std::size_t column) -> std::uint32_t& {
    return length[row * (columns + 1) + column];
  };
  for (std::size_t row = rows; row-- > 0;) {
    for (std::size_t column = columns; column-- > 0;) {
      at(row, column) = expected[row] == actual[column]
                            ? at(row + 1, column + 1) + 1
                            : std::max(at(row + 1, column), at(row, column + 1));
    }
  }
  std::size_t row = 0, column = 0;
  while (row < rows || column < columns) {
    if (row < rows && column < columns && expected[row] == actual[column]) {
      edits.push_back({Edit::Kind::same, row++});
      ++column;
    } else if (row < rows && (column == columns || at(row + 1, column) >= at(row, column + 1))) {
      edits.push_back({Edit::Kind::missing, row++});
    } else {
      edits.push_back({Edit::Kind::added, column++});
    }
  }
  return edits;
}

// A missing line and an added one in its place, both segments of one name, are one changed segment.
std::vector<std::string> compare_lines(std::string_view expected, std::string_view actual,
                                       bool segments) {
  const auto wanted = lines_of(expected);
  const auto came = lines_of(actual);
  std::vector<std::string> found;
  std::map<std::string, int, std::less<>> seen;
  const auto edits = edits_between(wanted, came);
  std::vector<std::string_view> missing, added;
  const auto name_of = [](std::string_view line) { return line.substr(0, line.find('|')); };
  const auto flush = [&] {
    std::size_t next = 0;
    for (const std::string_view line : missing) {
      const std::string name(name_of(line));
      const int nth = ++seen[name];
      const bool pair = segments && next < added.size() && name_of(added[next]) == name;
      if (pair) {
        compare_segments(line, added[next++], nth == 1 ? name : fmt::format("{}[{}]", name, nth),
                         found);
      } else {
        found.push_back("missing: " + shown(line));
      }
    }
    for (; next < added.size(); ++next) found.push_back("not expected: " + shown(added[next]));
    missing.clear();
    added.clear();
  };
  for (const Edit& edit : edits) {
    if (edit.kind == Edit::Kind::missing) missing.push_back(wanted[edit.line]);
    if (edit.kind == Edit::Kind::added) added.push_back(came[edit.line]);
    if (edit.kind == Edit::Kind::same) {
      flush();
      ++seen[std::string(name_of(wanted[edit.line]))];
    }
  }
  flush();
  return found;
}

std::vector<std::string> compare_json(const std::vector<Leaf>& expected,
                                      const std::vector<Leaf>& actual) {
  std::map<std::string_view, const Leaf*> came;
  for (const Leaf& leaf : actual) came[leaf.path] = &leaf;
  std::vector<std::string> found;
  std::map<std::string_view, const Leaf*> wanted;
  for (const Leaf& leaf : expected) {
    wanted[leaf.path] = &leaf;
    const auto other = came.find(leaf.path);
    if (other == came.end()) {
      found.push_back(fmt::format("{}: expected {}, got nothing", leaf.path, shown(leaf.json())));
    } else if (*other->second != leaf) {
      found.push_back(fmt::format("{}: expected {}, got {}", leaf.path, shown(leaf.json()),
                                  shown(other->second->json())));
    }
  }
  for (const Leaf& leaf : actual) {
    if (wanted.contains(leaf.path)) continue;
    found.push_back(fmt::format("{}: expected nothing, got {}", leaf.path, shown(leaf.json())));
  }
  return found;
}

void shorten(std::vector<std::string>& found) {
  if (found.size() <= kMostDifferences + 1) return;
  const std::size_t more = found.size() - kMostDifferences;
  found.resize(kMostDifferences);
  found.push_back(fmt::format("… and {} more", more));
}

Error bad_path(std::string message) {
  return {"V105", std::move(message),
          "of HL7 v2 a path is written PID-3.1, of JSON entry[1].resource.status"};
}

}  // namespace

Format format_of(std::string_view bytes) {
  const std::string_view text = without_blanks(bytes);
  if (text.starts_with("MSH") || text.starts_with("FHS") || text.starts_with("BHS")) {
    return Format::hl7v2;
  }
  return text.starts_with('{') || text.starts_with('[') ? Format::json : Format::text;
}

std::string readable(std::string_view bytes) {
  switch (format_of(bytes)) {
    case Format::hl7v2:
      return joined(lines_of(decoded(bytes)));
    case Format::json:
      return indented_json(bytes).value_or(std::string(bytes));
    case Format::text:
      break;
  }
  return std::string(bytes);
}

std::string as_message(std::string_view text) {
  if (format_of(text) != Format::hl7v2 || text.find('\r') != std::string_view::npos) {
    return std::string(text);
  }
  std::string message(without_blanks(text));
  std::replace(message.begin(), message.end(), '\n', '\r');
  return message;
}

std::vector<std::string> differences(std::string_view expected, std::string_view actual) {
  if (expected == actual) return {};
  const Format format = format_of(actual);
  std::vector<std::string> found;
  if (format == Format::hl7v2) {
    found = compare_lines(decoded(expected), decoded(actual), true);
  } else if (const auto came = json_leaves(actual); format == Format::json && came) {
    const auto wanted = json_leaves(expected);
    found = wanted ? compare_json(*wanted, *came)
                   : std::vector<std::string>{"expected a text, got JSON"};
  } else {
    found = compare_lines(expected, actual, false);
  }
  shorten(found);
  return found;
}

Result<std::vector<std::string>> pick(std::string_view bytes, std::string_view path) {
  const Format format = format_of(bytes);
  if (format == Format::hl7v2) {
    const auto parsed = hl7v2::Path::parse(path);
    if (!parsed) return bad_path(parsed.error().message);
    const auto message = hl7v2::decode(make_bytes(std::string(bytes)));
    if (!message) return bad_path(message.error().message);
    if (parsed->field == 0) {
      std::vector<std::string> segments;
      for (const auto segment : message->message.each(parsed->segment_name())) {
        segments.push_back(message->message.text_of(segment));
      }
      return segments;
    }
    return message->message.get_all(*parsed);
  }
  const auto leaves = json_leaves(bytes);
  if (format != Format::json || !leaves) {
    return bad_path("the payload is neither HL7 v2 nor JSON, so it has no paths");
  }
  return pick_leaves(*leaves, path);
}

}  // namespace cannula::trial
