#include "engine/config/document.h"

// Some of the library's assertions are wrong: "[[[" fails one, although the code behind it reports
// a proper error. With NDEBUG, clang would even be told to rely on them. So they are taken out in
// every build.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

namespace cannula::config {
namespace {

// The library counts lines by LF and columns by code point; a Span counts bytes.
class Offsets {
 public:
  explicit Offsets(std::string_view text) : text_(text) {
    line_starts_.push_back(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') line_starts_.push_back(i + 1);
    }
  }

  std::size_t offset(const toml::source_position& at) const {
    if (at.line == 0) return 0;
    if (at.line > line_starts_.size()) return text_.size();
    std::size_t offset = line_starts_[at.line - 1];
    for (toml::source_index column = 1; column < at.column && offset < text_.size(); ++column) {
      do {
        ++offset;
      } while (offset < text_.size() && (static_cast<unsigned char>(text_[offset]) & 0xC0) == 0x80);
    }
    return offset;
  }

  Span span(const toml::source_region& region) const {
    Span span{offset(region.begin), offset(region.end)};
    span.end = std::max(span.begin, span.end);
    return span;
  }

  std::string_view text(Span span) const { return text_.substr(span.begin, span.size()); }

  // A table under a header is given the place of the header: what follows on other lines is cut,
  // and so is the blank that the library counts with some regions.
  Span trimmed(Span span) const {
    const std::string_view whole = text(span);
    std::size_t length = std::min(whole.size(), whole.find('\n'));
    while (length > 0 && (whole[length - 1] == ' ' || whole[length - 1] == '\r')) --length;
    return {span.begin, span.begin + length};
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> line_starts_;
};

Node::Kind kind_of(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return Node::Kind::table;
    case toml::node_type::array:
      return Node::Kind::array;
    case toml::node_type::string:
      return Node::Kind::text;
    case toml::node_type::integer:
      return Node::Kind::integer;
    case toml::node_type::floating_point:
      return Node::Kind::number;
    case toml::node_type::boolean:
      return Node::Kind::boolean;
    default:
      return Node::Kind::date;
  }
}

Node convert(const toml::node& from, const Offsets& offsets) {
  Node node;
  node.kind = kind_of(from.type());
  node.span = offsets.span(from.source());
  switch (node.kind) {
    case Node::Kind::text:
      node.text = from.ref<std::string>();
      break;
    case Node::Kind::table:
      for (const auto& [key, value] : *from.as_table()) {
        node.members.push_back(
            {std::string(key.str()), offsets.span(key.source()), convert(value, offsets)});
      }
      std::sort(node.members.begin(), node.members.end(), [](const Member& a, const Member& b) {
        return a.name_span.begin < b.name_span.begin;
      });
      node.span = offsets.trimmed(node.span);
      break;
    case Node::Kind::array:
      for (const toml::node& item : *from.as_array()) node.items.push_back(convert(item, offsets));
      node.span = offsets.trimmed(node.span);
      break;
    default:
      if (from.is_integer()) node.integer = from.ref<std::int64_t>();
      if (from.is_boolean()) node.boolean = from.ref<bool>();
      node.text = std::string(offsets.text(node.span));
      break;
  }
  return node;
}

// "Error while parsing key-value pair: expected value, saw '\n'" -> "expected value, saw the end of
// the line"
std::string readable_reason(std::string_view description) {
  const std::size_t colon = description.find(": ");
  if (description.starts_with("Error while parsing") && colon != std::string_view::npos) {
    description.remove_prefix(colon + 2);
  }
  std::string reason(description);
  if (const std::size_t at = reason.find("saw '\\n'"); at != std::string::npos) {
    reason.replace(at, 8, "saw the end of the line");
  }
  return reason;
}

Diagnostic syntax_error(const std::shared_ptr<const Source>& source, const toml::parse_error& error,
                        const Offsets& offsets) {
  Span span = offsets.span(error.source());
  if (span.size() == 0 && span.begin < source->text().size()) span.end = span.begin + 1;
  const std::string_view line = source->line(source->position(span.begin).line);
  const std::size_t equals = line.find('=');
  std::string hint = "see https://toml.io for the syntax";
  if (equals != std::string_view::npos) {
    const std::size_t value = line.find_first_not_of(' ', equals + 1);
    if (value == std::string_view::npos) {
      hint = "a value follows `=`; delete the line if the key is not used";
    } else if (std::isalpha(static_cast<unsigned char>(line[value]))) {
      hint = "text stands in double quotes: \"like this\"";
    } else if (error.description().find("control characters") != std::string_view::npos) {
      hint = "the closing quote is missing";
    }
  }
  if (error.description().find("utf-8") != std::string_view::npos) {
    hint = "save the file as UTF-8";
  } else if (error.description().find("cannot redefine") != std::string_view::npos) {
    hint = "each key stands once in its table";
  }
  return {Severity::error,
          "C101",
          "this is not TOML: " + readable_reason(error.description()),
          source,
          span,
          std::move(hint),
          {}};
}

// The last quote of the text that begins with the quote at `at`; the end where it is not closed.
std::size_t end_of_text(std::string_view text, std::size_t at) {
  const std::string_view three = text.substr(at, 3);
  const bool many_lines = three == "\"\"\"" || three == "'''";
  const std::string_view quote = many_lines ? three : three.substr(0, 1);
  const bool escapes = text[at] == '"';
  for (at += quote.size(); at < text.size(); ++at) {
    if (escapes && text[at] == '\\') {
      ++at;
    } else if (text.substr(at, quote.size()) == quote) {
      return at + quote.size() - 1;
    }
  }
  return text.size();
}

// Where a key has more parts than any has, nothing when none does: each part is a table in a table,
// and the library frees those by recursion, which takes the program down. Texts in quotes are
// passed over, so what is counted are dots of keys (and of numbers, which have one).
std::optional<std::size_t> endless_key(std::string_view text) {
  constexpr std::size_t kMostParts = 32;  // in each of 256 values inside each other
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char letter = text[at];
    if (letter == '"' || letter == '\'') {
      at = end_of_text(text, at);
    } else if (letter == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (letter == '.') {
      if (++dots > kMostParts) return at;
    } else if (letter == '=' || letter == '\n' || letter == ',') {
      dots = 0;
    }
  }
  return std::nullopt;
}

}  // namespace

const Member* Node::find(std::string_view name) const {
  for (const Member& member : members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

std::string_view name_of(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::text:
      return "a string";
    case Node::Kind::integer:
      return "a whole number";
    case Node::Kind::number:
      return "a decimal number";
    case Node::Kind::boolean:
      return "true or false";
    case Node::Kind::date:
      return "a date or time";
    case Node::Kind::array:
      return "a list";
    case Node::Kind::table:
      return "a table";
  }
  return "a value";
}

Document parse_document(const std::shared_ptr<const Source>& source,
                        std::vector<Diagnostic>& findings) {
  const Offsets offsets(source->text());
  if (const auto at = endless_key(source->text())) {
    findings.push_back({Severity::error,
                        "C101",
                        "this is not TOML: a key has more than 32 parts",
                        source,
                        Span{*at, *at + 1},
                        "quote what is meant as a text",
                        {}});
    return {};
  }
  const toml::parse_result result = toml::parse(source->text());
  if (!result) {
    findings.push_back(syntax_error(source, result.error(), offsets));
    return {};
  }
  return {convert(result.table(), offsets), true};
}

Span inside_text(const Source& source, const Node& text, Span part) {
  const std::string_view written = source.text().substr(text.span.begin, text.span.size());
  const std::size_t quotes = written.starts_with("\"\"\"") || written.starts_with("'''") ? 3 : 1;
  if (written.size() != text.text.size() + 2 * quotes ||
      written.substr(quotes, text.text.size()) != text.text) {
    return text.span;
  }
  const std::size_t begin = text.span.begin + quotes + std::min(part.begin, text.text.size());
  return {begin, std::min(begin + std::max<std::size_t>(1, part.size()), text.span.end)};
}

}  // namespace cannula::config
