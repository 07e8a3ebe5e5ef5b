#include "parsers/hl7v2/diff.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/dictionary_names.h"
#include "engine/cli/input_file.h"
#include "engine/cli/verb.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using hl7v2::Difference;
using hl7v2::Message;
using nlohmann::ordered_json;

constexpr std::size_t kLongestValue = 160;  // bytes shown of a value

struct DiffVerbOptions {
  std::string before;
  std::string after;
  std::vector<std::string> ignore;
  bool ignore_header = false;
};

Result<Message> read_message(const std::string& file) {
  auto decoded = TRY(hl7v2::decode(make_bytes(TRY(read_input(file)))));
  return std::move(decoded.message);
}

std::string_view word_for(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::added:
      return "added";
    case Difference::Kind::removed:
      return "removed";
    case Difference::Kind::changed:
      break;
  }
  return "changed";
}

std::string line_of(const Difference& difference, std::string_view name) {
  const char mark = difference.kind == Difference::Kind::added     ? '+'
                    : difference.kind == Difference::Kind::removed ? '-'
                                                                   : '~';
  std::string line = fmt::format("{} {}", mark, difference.path.text());
  if (!name.empty()) line += fmt::format(" ({})", name);
  line += ": ";
  if (difference.kind != Difference::Kind::added) line += visible(difference.before, kLongestValue);
  if (difference.kind == Difference::Kind::changed) line += " -> ";
  if (difference.kind != Difference::Kind::removed)
    line += visible(difference.after, kLongestValue);
  return line + "\n";
}

Result<std::vector<hl7v2::Path>> ignored(const DiffVerbOptions& options) {
  std::vector<hl7v2::Path> paths;
  for (const std::string& text : options.ignore) paths.push_back(TRY(hl7v2::Path::parse(text)));
  if (options.ignore_header) {
    paths.push_back(TRY(hl7v2::Path::parse("MSH-7")));
    paths.push_back(TRY(hl7v2::Path::parse("MSH-10")));
  }
  return paths;
}

int compare(const DiffVerbOptions& options, const Context& context) {
  const auto before = read_message(options.before);
  if (!before) return print_error(context, before.error()), kUsage;
  const auto after = read_message(options.after);
  if (!after) return print_error(context, after.error()), kUsage;
  auto paths = ignored(options);
  if (!paths) return print_error(context, paths.error()), kUsage;

  const auto differences = hl7v2::diff(*before, *after, {std::move(*paths)});
  const DictionaryNames names(after->raw(hl7v2::Place{after->segment_at(0), 12, 1, 1}));
  ordered_json list = ordered_json::array();
  for (const Difference& each : differences) {
    const std::string name = each.path.field == 0
                                 ? std::string(names.segment(each.path.segment_name()))
                                 : names.value(each.path, "");
    if (context.json) {
      list.push_back({{"path", each.path.text()},
                      {"name", name},
                      {"kind", word_for(each.kind)},
                      {"before", each.before},
                      {"after", each.after}});
    } else {
      print(context.out, line_of(each, name));
    }
  }
  if (context.json) {
    print(context.out, ordered_json{{"differences", std::move(list)}}.dump(
                           2, ' ', false, ordered_json::error_handler_t::replace) +
                           "\n");
  }
  return differences.empty() ? kFine : kFailed;
}

}  // namespace

Verb diff_verb() {
  auto options = std::make_shared<DiffVerbOptions>();
  return {.name = "diff",
          .summary =
              "Show what differs between two HL7 v2 messages, value by value. Exit code 1 when "
              "anything does.",
          .example =
              "cannula diff before.hl7 after.hl7\n"
              "cannula diff --ignore-header --ignore PV1-44 before.hl7 after.hl7",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("BEFORE", options->before, "A file with a message.", true);
                arguments.positional("AFTER", options->after, "A file with a message.", true);
                arguments.texts("--ignore", "PATH", options->ignore,
                                "A segment, field or component that is not compared.");
                arguments.flag("--ignore-header", options->ignore_header,
                               "Do not compare time and control id (MSH-7 and MSH-10).");
              },
          .run = [options](const Context& context) { return compare(*options, context); }};
}

}  // namespace cannula::cli
