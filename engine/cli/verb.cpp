#include "engine/cli/verb.h"

#include <charconv>

#include <fmt/format.h>

#include "engine/config/site.h"
#include "parsers/text/diagnostic.h"
#include "parsers/text/shell_word.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {

void Arguments::flag(std::string name, bool& target, std::string description) {
  all_.push_back({Argument::Kind::flag, std::move(name), "", std::move(description), "", false,
                  false, [&target](const std::string&) -> std::optional<std::string> {
                    target = true;
                    return std::nullopt;
                  }});
}

void Arguments::text(std::string name, std::string value, std::string& target,
                     std::string description) {
  all_.push_back({Argument::Kind::option, std::move(name), std::move(value), std::move(description),
                  target, false, false,
                  [&target](const std::string& text) -> std::optional<std::string> {
                    target = text;
                    return std::nullopt;
                  }});
}

void Arguments::required_text(std::string name, std::string value, std::string& target,
                              std::string description) {
  text(std::move(name), std::move(value), target, std::move(description));
  all_.back().required = true;
  all_.back().take =
      [take = all_.back().take](const std::string& given) -> std::optional<std::string> {
    if (given.find_first_not_of(" \t") == std::string::npos) return "is empty";
    return take(given);
  };
}

void Arguments::texts(std::string name, std::string value, std::vector<std::string>& target,
                      std::string description) {
  all_.push_back({Argument::Kind::option, std::move(name), std::move(value), std::move(description),
                  "", false, true,
                  [&target](const std::string& text) -> std::optional<std::string> {
                    target.push_back(text);
                    return std::nullopt;
                  }});
}

void Arguments::number(std::string name, std::string value, std::int64_t& target,
                       std::int64_t minimum, std::int64_t maximum, std::string description) {
  all_.push_back(
      {Argument::Kind::option, std::move(name), std::move(value), std::move(description),
       target == 0 ? "" : std::to_string(target), false, false,
       [&target, minimum, maximum](const std::string& text) -> std::optional<std::string> {
         std::int64_t number = 0;
         const char* end = text.data() + text.size();
         const auto [stopped, error] = std::from_chars(text.data(), end, number);
         if (error != std::errc() || stopped != end || number < minimum || number > maximum) {
           return maximum == INT64_MAX
                      ? fmt::format("takes a whole number of {} or more, not `{}`", minimum, text)
                      : fmt::format("takes a whole number from {} to {}, not `{}`", minimum,
                                    maximum, text);
         }
         target = number;
         return std::nullopt;
       }});
}

void Arguments::duration(std::string name, std::chrono::milliseconds& target,
                         std::string description) {
  all_.push_back({Argument::Kind::option, std::move(name), "DURATION", std::move(description),
                  target.count() == 0 ? "" : duration_text(target), false, false,
                  [&target](const std::string& text) -> std::optional<std::string> {
                    const auto duration = parse_duration(text);
                    if (!duration) {
                      return fmt::format("takes a duration such as 250ms, 30s or 5m, not `{}`",
                                         text);
                    }
                    target = *duration;
                    return std::nullopt;
                  }});
}

void Arguments::choice(std::string name, std::string& target, std::vector<std::string> choices,
                       std::string description) {
  std::string value = fmt::format("{}", fmt::join(choices, "|"));
  all_.push_back({Argument::Kind::option, std::move(name), value, std::move(description), target,
                  false, false,
                  [&target, choices, value](const std::string& text) -> std::optional<std::string> {
                    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
                      return fmt::format("takes one of {}, not `{}`", value, text);
                    }
                    target = text;
                    return std::nullopt;
                  }});
}

void Arguments::positional(const std::string& name, std::string& target, std::string description,
                           bool required) {
  text(name, name, target, std::move(description));
  all_.back().kind = Argument::Kind::positional;
  all_.back().required = required;
}

void Arguments::positionals(const std::string& name, std::vector<std::string>& target,
                            std::string description, bool required) {
  texts(name, name, target, std::move(description));
  all_.back().kind = Argument::Kind::positional;
  all_.back().required = required;
}

namespace {

std::string usage_line(const Verb& verb, const Arguments& arguments) {
  std::string line = "cannula " + verb.name;
  for (const Argument& argument : arguments.all()) {
    if (argument.kind != Argument::Kind::positional) continue;
    const std::string word = argument.name + (argument.repeated ? "…" : "");
    line += argument.required ? " " + word : " [" + word + "]";
  }
  for (const Argument& argument : arguments.all()) {
    if (argument.kind == Argument::Kind::option && argument.required)
      line += fmt::format(" {} {}", argument.name, argument.value);
  }
  return line + " [OPTION…]";
}

}  // namespace

std::string help_text(const Verb& verb) {
  Arguments arguments;
  bool unused = false;
  if (verb.declare) verb.declare(arguments);
  arguments.flag("--json", unused, "Print the result as JSON.");
  arguments.flag("--help", unused, "Print this.");

  std::string text = fmt::format("{}\n\nusage: {}\n\n", verb.summary, usage_line(verb, arguments));
  std::vector<std::string> lefts;
  std::size_t width = 0;
  for (const Argument& argument : arguments.all()) {
    const bool named = argument.kind == Argument::Kind::option;
    lefts.push_back(named ? fmt::format("{} {}", argument.name, argument.value) : argument.name);
    if (lefts.back().size() <= 24) width = std::max(width, lefts.back().size());
  }
  for (std::size_t i = 0; i < lefts.size(); ++i) {
    const Argument& argument = arguments.all()[i];
    std::string right = argument.description;
    if (!argument.default_text.empty()) right += fmt::format(" [{}]", argument.default_text);
    text += lefts[i].size() > width
                ? fmt::format("  {}\n  {:<{}}  {}\n", lefts[i], "", width, right)
                : fmt::format("  {:<{}}  {}\n", lefts[i], width, right);
  }
  text += "\nexample:\n";
  std::string_view example = verb.example;
  while (!example.empty()) {
    const std::size_t end = std::min(example.find('\n'), example.size());
    text += fmt::format("  {}\n", example.substr(0, end));
    example.remove_prefix(std::min(end + 1, example.size()));
  }
  return text;
}

bool is_site(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::filesystem::exists(folder / "site.toml", ignored);
}

namespace {

// The sites beside a folder that is none, by name.
std::vector<std::string> sites_beside(const std::filesystem::path& named) {
  std::vector<std::string> names;
  const std::filesystem::path parent = named.parent_path();
  std::error_code failed;
  for (std::filesystem::directory_iterator at(parent.empty() ? "." : parent, failed), end;
       !failed && at != end; at.increment(failed)) {
    if (is_site(at->path())) names.push_back(at->path().filename().string());
  }
  return names;
}

// What else the name is, within the site around the working directory.
std::optional<std::string> not_a_site_but(const std::string& named) {
  std::error_code failed;
  const auto here = std::filesystem::current_path(failed);
  const auto site = failed ? std::nullopt : config::find_site(here);
  if (!site || named.find('/') != std::string::npos) return std::nullopt;
  const char* what = nullptr;
  if (std::filesystem::is_directory(*site / "channels" / named, failed)) what = "channel";
  if (std::filesystem::exists(*site / "tables" / (named + ".csv"), failed)) what = "table";
  if (what == nullptr) return std::nullopt;
  return fmt::format(
      "{} is a {} of the site here; SITE is a folder with a site.toml, and may be left out. "
      "`--help` says whether the verb takes a {}",
      named, what, what);
}

Error no_such_site(std::filesystem::path named) {
  if (!named.has_filename()) named = named.parent_path();  // "my-sit/"
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(named, ignored);
  Error error{"U103",
              is_folder ? fmt::format("{} is not a site: it has no site.toml", named.string())
                        : fmt::format("there is no such site folder: {}", named.string()),
              fmt::format("`cannula new {}` makes a site; an empty site.toml is enough for one",
                          named.string()),
              std::nullopt};
  const std::vector<std::string> sites = sites_beside(named);
  const std::vector<std::string_view> names(sites.begin(), sites.end());
  if (const auto near = nearest(named.filename().string(), names)) {
    error.hint = fmt::format("did you mean {}?", (named.parent_path() / *near).string());
  } else if (auto other = not_a_site_but(named.string())) {
    error.hint = *std::move(other);
  } else if (const auto around = is_folder ? config::find_site(named) : std::nullopt) {
    error.hint = fmt::format("the site is the folder around it: {}", around->string());
  }
  return error;
}

}  // namespace

Result<std::filesystem::path> site_folder(const std::string& named) {
  if (!named.empty()) {
    if (is_site(named)) return std::filesystem::path(named);
    return no_such_site(named);
  }
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  const auto found = error ? std::nullopt : config::find_site(here);
  if (!found) {
    return Error{"U103",
                 "no folder at or above this one holds a site.toml",
                 "name the site, or make one with `cannula new`",
                 {}};
  }
  auto relative = std::filesystem::relative(*found, here, error);
  return error ? *found : relative;
}

std::string with_site(std::string text, const std::string& named) {
  constexpr std::string_view kCommand = "`cannula ", kSite = " SITE";
  const std::string site = named.empty() ? "" : " " + shell_word(named);
  std::size_t at = 0;
  while ((at = text.find(kCommand, at)) != std::string::npos) {
    const std::size_t end = text.find('`', at + 1);
    const std::size_t place = text.find(kSite, at);
    at = end;
    if (end == std::string::npos) break;
    if (place >= end) {
      ++at;
      continue;
    }
    text.replace(place, kSite.size(), site);
    at = end - kSite.size() + site.size() + 1;
  }
  return text;
}

void print_error(const Context& context, const Error& error) {
  std::string text = "cannula: error";
  if (!error.code.empty()) text += fmt::format("[{}]", error.code);
  text += fmt::format(": {}\n", visible(error.message));
  if (!error.hint.empty()) text += fmt::format("      = hint: {}\n", visible(error.hint));
  print(context.err, text);
}

void print(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

}  // namespace cannula::cli
