#include "engine/config/schema.h"

#include <charconv>

#include <fmt/format.h>

namespace cannula::config {
namespace {

constexpr std::size_t kLongestQuote = 60;

std::vector<std::string_view> names_of(std::span<const Option> options) {
  std::vector<std::string_view> names;
  for (const Option& option : options) names.push_back(option.name);
  return names;
}

std::string described(const Node& node) {
  if (node.is(Node::Kind::table) || node.is(Node::Kind::array)) {
    return std::string(name_of(node.kind));
  }
  return fmt::format("{} {}", name_of(node.kind), in_quotes(node.text));
}

// Reads the value of one key; `place` is "`listen` of [source]".
class ValueReader {
 public:
  ValueReader(const File& file, const Option& option, std::string place,
              const std::filesystem::path& site)
      : file_(file), option_(option), place_(std::move(place)), site_(site) {}

  std::optional<Values::Value> read(const Node& node) const {
    switch (option_.type) {
      case OptionType::text:
      case OptionType::file:
        return text(node);
      case OptionType::integer:
        return integer(node);
      case OptionType::boolean:
        if (!node.is(Node::Kind::boolean)) return wrong_type(node);
        return node.boolean;
      case OptionType::duration:
        return duration(node);
      case OptionType::size:
        return size(node);
      case OptionType::endpoint:
        return endpoint(node);
      case OptionType::texts:
        return texts(node);
      case OptionType::secret:
        return secret(node);
      case OptionType::table:
        if (!node.is(Node::Kind::table)) return wrong_type(node);
        return std::make_shared<const Values>(
            read_table(file_, node, option_.members, fmt::format("`{}`", option_.name), site_));
    }
    return std::nullopt;
  }

 private:
  // A secret that was written out, such as a PIN without quotes, is not repeated.
  std::string shown(const Node& node) const {
    const bool secret =
        option_.type == OptionType::secret || option_.name == "master" || option_.name == "former";
    return secret ? std::string(name_of(node.kind)) : described(node);
  }

  std::nullopt_t wrong_type(const Node& node) const {
    file_.error(
        "C104", node.span,
        fmt::format("{} must be {}, not {}", place_, description_of(option_.type), shown(node)));
    return std::nullopt;
  }

  std::nullopt_t malformed(const Node& node, std::string hint) const {
    file_.error("C108", node.span,
                fmt::format("{} must be {}, not {}", place_, description_of(option_.type),
                            in_quotes(node.text)),
                std::move(hint));
    return std::nullopt;
  }

  std::optional<Values::Value> text(const Node& node) const {
    // A TOML date is taken as its text, for keys that are dates.
    if (!node.is(Node::Kind::text) && !node.is(Node::Kind::date)) return wrong_type(node);
    if (!option_.choices.empty() && std::find(option_.choices.begin(), option_.choices.end(),
                                              node.text) == option_.choices.end()) {
      file_.error("C106", node.span,
                  fmt::format("{} must be one of {}, not {}", place_,
                              fmt::format("\"{}\"", fmt::join(option_.choices, "\", \"")),
                              in_quotes(node.text)),
                  suggestion(node.text, option_.choices));
      return std::nullopt;
    }
    if (option_.type == OptionType::file && node.text.empty()) {
      return malformed(node, "name a file or folder");
    }
    return node.text;
  }

  std::optional<Values::Value> integer(const Node& node) const {
    if (!node.is(Node::Kind::integer)) return wrong_type(node);
    if (node.integer < option_.minimum || node.integer > option_.maximum) {
      file_.error(
          "C107", node.span,
          option_.maximum == INT64_MAX
              ? fmt::format("{} must be {} or more, not {}", place_, option_.minimum, node.integer)
              : fmt::format("{} must be from {} to {}, not {}", place_, option_.minimum,
                            option_.maximum, node.integer));
      return std::nullopt;
    }
    return node.integer;
  }

  std::optional<Values::Value> duration(const Node& node) const {
    if (node.is(Node::Kind::integer)) {
      return malformed(node,
                       fmt::format("say the unit: \"{}s\" or \"{}ms\"", node.text, node.text));
    }
    if (!node.is(Node::Kind::text)) return wrong_type(node);
    if (const auto duration = parse_duration(node.text)) return *duration;
    return malformed(node, "a whole number and ms, s, m, h or d");
  }

  std::optional<Values::Value> size(const Node& node) const {
    if (node.is(Node::Kind::integer) && node.integer >= 0) return node.integer;
    if (!node.is(Node::Kind::text)) return wrong_type(node);
    if (const auto size = parse_size(node.text)) return *size;
    return malformed(node, "a whole number and KB, MB or GB, or a number of bytes");
  }

  std::optional<Values::Value> endpoint(const Node& node) const {
    if (node.is(Node::Kind::integer)) {
      return malformed(node, fmt::format("say the address too: \"127.0.0.1:{}\"", node.text));
    }
    if (!node.is(Node::Kind::text)) return wrong_type(node);
    if (auto endpoint = Endpoint::parse(node.text)) return *std::move(endpoint);
    const bool many_colons = std::count(node.text.begin(), node.text.end(), ':') > 1;
    return malformed(node, many_colons && !node.text.starts_with('[')
                               ? "an IPv6 address stands in brackets: \"[::1]:2575\""
                               : "a host, a colon and a port from 0 to 65535");
  }

  std::optional<Values::Value> texts(const Node& node) const {
    if (node.is(Node::Kind::text)) return std::vector<std::string>{node.text};
    if (!node.is(Node::Kind::array)) return wrong_type(node);
    std::vector<std::string> values;
    for (const Node& item : node.items) {
      if (!item.is(Node::Kind::text)) return wrong_item(item);
      values.push_back(item.text);
    }
    return values;
  }

  std::nullopt_t wrong_item(const Node& item) const {
    file_.error("C104", item.span,
                fmt::format("{} must hold strings only, not {}", place_, shown(item)));
    return std::nullopt;
  }

  std::optional<Values::Value> secret(const Node& node) const {
    if (!node.is(Node::Kind::text)) return wrong_type(node);
    if (auto reference = parse_secret_reference(node.text, site_)) return *std::move(reference);
    // The text may be the secret itself: it is not repeated.
    file_.error(
        "C123", node.span,
        fmt::format("{} must say where the secret is, \"env:NAME\" or \"file:PATH\"; it must "
                    "not be the secret itself",
                    place_),
        "put the secret into a file outside the site or into an environment variable");
    return std::nullopt;
  }

  const File& file_;
  const Option& option_;
  std::string place_;
  const std::filesystem::path& site_;
};

void report_unknown(const File& file, const Member& member, std::span<const Option> options,
                    std::string_view place) {
  const auto names = names_of(options);
  file.error("C103", member.name_span,
             fmt::format("{} has no key {}", place, in_quotes(member.name)),
             suggestion(member.name, names));
}

}  // namespace

void File::add(Severity severity, std::string code, std::optional<Span> at, std::string message,
               std::string hint) const {
  findings_->push_back(
      {severity, std::move(code), std::move(message), source_, at, std::move(hint), {}});
}

Schema schema(std::initializer_list<std::span<const Option>> parts) {
  Schema joined;
  for (std::span<const Option> part : parts) joined.insert(joined.end(), part.begin(), part.end());
  return joined;
}

Values read_table(const File& file, const Node& table, std::span<const Option> options,
                  std::string_view place, const std::filesystem::path& site) {
  Values values;
  for (const Option& option : options) {
    const Member* member = table.find(option.name);
    if (member && option.type == OptionType::table && option.members.empty()) continue;
    if (member) {
      ValueReader reader(file, option, fmt::format("`{}`", option.name), site);
      if (auto value = reader.read(member->value)) {
        values.set(std::string(option.name), *std::move(value));
        continue;
      }
    } else if (option.required) {
      file.error("C105", table.span, fmt::format("{} needs the key `{}`", place, option.name),
                 fmt::format("{}: {}", option.name, option.description));
    }
    if (auto value = parse_default(option)) {
      values.set(std::string(option.name), *std::move(value));
    }
  }
  for (const Member& member : table.members) {
    const bool known = std::any_of(options.begin(), options.end(), [&](const Option& option) {
      return option.name == member.name;
    });
    if (!known) report_unknown(file, member, options, place);
  }
  return values;
}

std::string_view description_of(OptionType type) {
  switch (type) {
    case OptionType::text:
      return "a string";
    case OptionType::integer:
      return "a whole number";
    case OptionType::boolean:
      return "true or false";
    case OptionType::duration:
      return "a duration such as \"30s\"";
    case OptionType::size:
      return "a size such as \"64MB\"";
    case OptionType::endpoint:
      return "\"host:port\" such as \"127.0.0.1:2575\"";
    case OptionType::file:
      return "a path, relative to the site folder";
    case OptionType::texts:
      return "a string or a list of strings";
    case OptionType::secret:
      return "\"env:NAME\" or \"file:PATH\"";
    case OptionType::table:
      return "a table";
  }
  return "a value";
}

std::optional<SecretReference> parse_secret_reference(std::string_view text,
                                                      const std::filesystem::path& site) {
  if (text.starts_with("env:")) {
    const std::string_view name = text.substr(4);
    const bool usable = !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
                        std::all_of(name.begin(), name.end(),
                                    [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (!usable) return std::nullopt;
    return SecretReference{SecretReference::Kind::environment, std::string(name)};
  }
  if (text.starts_with("file:") && text.size() > 5 && text.find('\0') == std::string_view::npos) {
    const std::filesystem::path path(text.substr(5));
    return SecretReference{SecretReference::Kind::file, (site / path).lexically_normal().string()};
  }
  return std::nullopt;
}

std::optional<Values::Value> parse_default(const Option& option) {
  const std::string_view text = option.default_value;
  if (text.empty()) return std::nullopt;
  switch (option.type) {
    case OptionType::text:
    case OptionType::file:
      return std::string(text);
    case OptionType::integer: {
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
      return number;
    }
    case OptionType::boolean:
      return text == "true";
    case OptionType::duration:
      if (const auto duration = parse_duration(text)) return *duration;
      return std::nullopt;
    case OptionType::size:
      if (const auto size = parse_size(text)) return *size;
      return std::nullopt;
    case OptionType::endpoint:
      if (auto endpoint = Endpoint::parse(text)) return *std::move(endpoint);
      return std::nullopt;
    case OptionType::texts:
      return std::vector<std::string>{std::string(text)};
    case OptionType::secret:
    case OptionType::table:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string in_quotes(std::string_view text) {
  const bool cut = text.size() > kLongestQuote;
  if (cut) {
    std::size_t length = kLongestQuote;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    text = text.substr(0, length);
  }
  std::string shown(text);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return fmt::format("`{}{}`", shown, cut ? "…" : "");
}

std::string suggestion(std::string_view name, std::span<const std::string_view> candidates) {
  if (candidates.empty()) return {};
  if (const auto near = nearest(name, candidates)) return fmt::format("did you mean `{}`?", *near);
  std::vector<std::string_view> sorted(candidates.begin(), candidates.end());
  std::sort(sorted.begin(), sorted.end());
  return fmt::format("there is: {}", fmt::join(sorted, ", "));
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
}

std::string canonical_text(const Node& node) {
  switch (node.kind) {
    case Node::Kind::text:
      return fmt::format("{}\"{}\"", node.text.size(), node.text);
    case Node::Kind::integer:
      return fmt::format("{}", node.integer);
    case Node::Kind::array: {
      std::string text = "[";
      for (const Node& item : node.items) text += canonical_text(item) + ",";
      return text + "]";
    }
    case Node::Kind::table: {
      std::map<std::string_view, const Node*> sorted;
      for (const Member& member : node.members) sorted[member.name] = &member.value;
      std::string text = "{";
      for (const auto& [name, value] : sorted) {
        text += fmt::format("{}={},", name, canonical_text(*value));
      }
      return text + "}";
    }
    default:
      return node.text;
  }
}

}  // namespace cannula::config
