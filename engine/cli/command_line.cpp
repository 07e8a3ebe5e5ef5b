#include "engine/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "engine/cli/version.h"
#include "parsers/text/diagnostic.h"

namespace cannula::cli {
namespace {

// The verbs whose name begins with these words; a verb "msg show" is found by {"msg", "show"}.
struct Found {
  const Verb* verb = nullptr;
  int words = 0;  // how many of the arguments name it
};

Found find_verb(std::span<const Verb> verbs, const std::vector<std::string>& arguments) {
  Found best;
  for (const Verb& verb : verbs) {
    const int words = 1 + static_cast<int>(std::count(verb.name.begin(), verb.name.end(), ' '));
    if (static_cast<int>(arguments.size()) < words || words <= best.words) continue;
    const std::string named =
        fmt::format("{}", fmt::join(arguments.begin(), arguments.begin() + words, " "));
    if (named == verb.name) best = {&verb, words};
  }
  return best;
}

std::string overview(std::span<const Verb> verbs) {
  std::string text =
      "Cannula, an interface engine for clinical messages.\n\nusage: cannula VERB [OPTION…]\n\n";
  std::size_t width = 0;
  for (const Verb& verb : verbs) {
    if (!verb.hidden) width = std::max(width, verb.name.size());
  }
  // The verbs of one noun stand together; so do those of one word between two nouns.
  const auto noun_of = [](const Verb& verb) {
    const std::size_t space = verb.name.find(' ');
    return space == std::string::npos ? std::string() : verb.name.substr(0, space);
  };
  std::string before = noun_of(verbs.front());
  for (const Verb& verb : verbs) {
    if (verb.hidden) continue;
    if (const std::string noun = noun_of(verb); noun != std::exchange(before, noun)) text += '\n';
    text += fmt::format("  {:<{}}  {}\n", verb.name, width, verb.summary);
  }
  return text +
         "\n`cannula VERB --help` shows a verb's options and an example. SITE defaults to the "
         "nearest folder at or above "
         "this one\nwith a site.toml. Exit codes: 0 fine, 1 the work failed, 2 wrong usage, 78 the "
         "site is not valid.\n";
}

// "msg" is the beginning of "msg list" and "msg show".
std::vector<std::string_view> names_in_group(std::span<const Verb> verbs, std::string_view group) {
  std::vector<std::string_view> names;
  for (const Verb& verb : verbs) {
    if (verb.name.size() > group.size() && verb.name.starts_with(group) &&
        verb.name[group.size()] == ' ') {
      names.push_back(verb.name);
    }
  }
  return names;
}

// The verbs of a group with their summaries; empty when there is no such group.
std::string group_help(std::span<const Verb> verbs, std::string_view group) {
  const auto names = names_in_group(verbs, group);
  if (names.empty()) return {};
  std::size_t width = 0;
  for (const std::string_view name : names) width = std::max(width, name.size());
  std::string text = fmt::format("usage: cannula {} VERB [OPTION\u2026]\n\n", group);
  for (const Verb& verb : verbs) {
    if (std::find(names.begin(), names.end(), verb.name) == names.end()) continue;
    text += fmt::format("  {:<{}}  {}\n", verb.name, width, verb.summary);
  }
  return text +
         fmt::format("\n`cannula {} VERB --help` shows a verb's options and an example.\n", group);
}

// A group has no --help of its own among the verbs: `cannula msg --help`.
bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::find(arguments.begin(), arguments.end(), "--help") != arguments.end() ||
         std::find(arguments.begin(), arguments.end(), "-h") != arguments.end();
}

// The verb, or the first word of several, that was meant: spelled nearly so (`mgs list`, `mgs`), or
// only begun (`stat`).
std::optional<std::string> verb_meant(std::span<const Verb> verbs,
                                      const std::vector<std::string>& arguments) {
  std::vector<std::string_view> names, words;
  for (const Verb& verb : verbs) {
    if (verb.hidden) continue;
    names.push_back(verb.name);
    words.push_back(names.back().substr(0, names.back().find(' ')));
  }
  const std::string& word = arguments[0];
  if (arguments.size() > 1) {
    if (auto near = nearest(word + " " + arguments[1], names)) return near;
  }
  if (auto near = nearest(word, names)) return near;
  if (auto near = nearest(word, words)) return near;
  for (const std::string_view known : words) {
    if (word.size() > 1 && known.starts_with(word)) return std::string(known);
  }
  return std::nullopt;
}

Error unknown_verb(std::span<const Verb> verbs, const std::vector<std::string>& arguments) {
  const auto group = names_in_group(verbs, arguments[0]);
  if (!group.empty() && arguments.size() > 1) {
    const std::string whole = arguments[0] + " " + arguments[1];
    const auto near = nearest(whole, group);
    return {"U101",
            fmt::format("there is no verb `{}`", whole),
            near ? fmt::format("did you mean `{}`?", *near)
                 : fmt::format("there are: {}", fmt::join(group, ", ")),
            {}};
  }
  if (!group.empty()) {
    return {"U101",
            fmt::format("`{}` needs a second word", arguments[0]),
            fmt::format("one of: {}", fmt::join(group, ", ")),
            {}};
  }
  const auto near = verb_meant(verbs, arguments);
  return {"U101",
          fmt::format("there is no verb `{}`", arguments[0]),
          near ? fmt::format("did you mean `{}`?", *near) : "`cannula --help` lists them",
          {}};
}

// What was given for each argument that has one value.
using Given = std::vector<std::pair<const Argument*, std::string>>;

// `cannula msg show my-site ID`: SITE is named before what comes first.
std::optional<Error> swapped_site(const Verb& verb, const Given& given) {
  const std::pair<const Argument*, std::string>* other = nullptr;
  for (const auto& each : given) {
    if (each.first->kind != Argument::Kind::positional) continue;
    if (each.first->name != "SITE") {
      other = &each;
    } else if (other && !is_site(each.second) && is_site(other->second)) {
      return Error{"U103",
                   fmt::format("{} is a site, and {} is none: the two are swapped", other->second,
                               each.second),
                   fmt::format("{} comes first: cannula {} {} {}", other->first->name, verb.name,
                               each.second, other->second),
                   std::nullopt};
    }
  }
  return std::nullopt;
}

void add(CLI::App& app, const Argument& argument, Given& given) {
  const auto take = [&argument, &given](const std::string& text) {
    if (const auto wrong = argument.take(text)) {
      throw CLI::ValidationError(argument.name, *wrong);
    }
    given.emplace_back(&argument, text);
  };
  if (argument.kind == Argument::Kind::flag) {
    app.add_flag_callback(argument.name, [take] { take(""); });
  } else if (argument.repeated) {
    auto* option = app.add_option_function<std::vector<std::string>>(
        argument.name, [take](const std::vector<std::string>& texts) {
          for (const std::string& text : texts) take(text);
        });
    if (argument.kind == Argument::Kind::option) option->expected(1)->take_all();
    if (argument.required) option->required();
  } else {
    auto* option = app.add_option_function<std::string>(argument.name, take);
    if (argument.required) option->required();
  }
}

// What is missing of that which the verb cannot do without, and how it is written.
Error missing(const Verb& verb, const Arguments& arguments, const Given& taken) {
  std::string names;
  for (const Argument& argument : arguments.all()) {
    const bool is_given = std::any_of(taken.begin(), taken.end(),
                                      [&](const auto& each) { return each.first == &argument; });
    if (!argument.required || is_given) continue;
    names += names.empty() ? "" : " and ";
    names += argument.kind == Argument::Kind::option
                 ? fmt::format("{} {}", argument.name, argument.value)
                 : argument.name;
  }
  return {"U102", fmt::format("`cannula {}` needs {}", verb.name, names),
          fmt::format("for example: {}", verb.example.substr(0, verb.example.find('\n'))),
          std::nullopt};
}

// Options nearest to one that is not known: "--cuont" -> "did you mean `--count`?"
std::string option_hint(const Verb& verb, const Arguments& arguments, const CLI::ParseError& error,
                        const std::vector<std::string>& given) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string_view> names;
    for (const Argument& argument : arguments.all()) names.push_back(argument.name);
    for (const std::string& word : given) {
      const std::string name = word.substr(0, word.find('='));
      if (!name.starts_with("--") || std::find(names.begin(), names.end(), name) != names.end()) {
        continue;
      }
      if (const auto near = nearest(name, names)) return fmt::format("did you mean `{}`?", *near);
    }
  }
  return fmt::format("`cannula {} --help` lists its options", verb.name);
}

int run_verb(const Verb& verb, std::vector<std::string> given, Context context) {
  CLI::App app;
  app.set_help_flag();
  Arguments arguments;
  bool help = false;
  if (verb.declare) verb.declare(arguments);
  arguments.flag("--json", context.json, "Print the result as JSON.");
  arguments.flag("--help", help, "Print this.");
  Given taken;
  for (const Argument& argument : arguments.all()) add(app, argument, taken);
  const std::vector<std::string> original = given;
  // Help is given even where other options are missing or wrong.
  if (asks_for_help(given)) {
    print(context.out, help_text(verb));
    return kFine;
  }
  try {
    std::reverse(given.begin(), given.end());  // as the library wants it
    app.parse(std::move(given));
  } catch (const CLI::RequiredError&) {
    print_error(context, missing(verb, arguments, taken));
    return kUsage;
  } catch (const CLI::ParseError& error) {
    print_error(context, {"U102", error.what(), option_hint(verb, arguments, error, original), {}});
    return kUsage;
  }
  if (const auto swapped = swapped_site(verb, taken)) {
    print_error(context, *swapped);
    return kUsage;
  }
  try {
    return verb.run(context);
  } catch (const std::bad_alloc&) {
    print_error(context, {"U109", "there was not enough memory for this",
                          "give the machine or the service more, or the verb less: a smaller file, "
                          "fewer messages at once"});
  } catch (const std::exception& failure) {
    print_error(context, {"U109", fmt::format("this should not have happened: {}", failure.what()),
                          "it is a fault of cannula; report it with what was asked for, without "
                          "messages of patients"});
  }
  return kFailed;
}

}  // namespace

void leave_no_core_dump() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

int run_command_line(int argc, const char* const* argv, std::span<const Verb> verbs,
                     Context context) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  context.verbs = verbs;
  if (arguments.empty()) {
    print(context.err, overview(verbs));
    return kUsage;
  }
  if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    const Found about = find_verb(verbs, {arguments.begin() + 1, arguments.end()});
    const std::string group =
        !about.verb && arguments.size() > 1 ? group_help(verbs, arguments[1]) : std::string();
    print(context.out, about.verb       ? help_text(*about.verb)
                       : !group.empty() ? group
                                        : overview(verbs));
    return kFine;
  }
  if (arguments[0] == "--version") {
    print(context.out, fmt::format("cannula {}\n", kVersion));
    return kFine;
  }
  const Found found = find_verb(verbs, arguments);
  if (!found.verb) {
    const std::string help = group_help(verbs, arguments[0]);
    if (!help.empty() && asks_for_help(arguments)) {
      print(context.out, help);
      return kFine;
    }
    print_error(context, unknown_verb(verbs, arguments));
    return kUsage;
  }
  return run_verb(*found.verb, {arguments.begin() + found.words, arguments.end()}, context);
}

}  // namespace cannula::cli
