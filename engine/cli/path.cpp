#include "parsers/hl7v2/path.h"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/input_file.h"
#include "engine/cli/verb.h"
#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::ordered_json;

struct PathOptions {
  std::string path;
  std::vector<std::string> files;
};

// One that names a file was written behind it.
Result<hl7v2::Path> path_of(const PathOptions& options) {
  auto path = hl7v2::Path::parse(options.path);
  std::error_code ignored;
  if (path || !std::filesystem::is_regular_file(options.path, ignored)) return path;
  return Error{path.error().code, fmt::format("`{}` is a file, and no path", options.path),
               fmt::format("the path comes first: cannula path PID-3.1 {}", options.path),
               std::nullopt};
}

int read_paths(const PathOptions& options, const Context& context) {
  const auto path = path_of(options);
  if (!path) return print_error(context, path.error()), kUsage;
  if (path->segment_name().empty()) {
    print_error(
        context,
        Error{
            "U133", fmt::format("`{}` names no segment", options.path), "write it as PID-3.1", {}});
    return kUsage;
  }
  ordered_json list = ordered_json::array();
  bool found = false;
  bool fine = true;
  for (const std::string& file : options.files) {
    const auto bytes = read_input(file);
    if (!bytes) {
      print_error(context, bytes.error());
      fine = false;
      continue;
    }
    for (const Span span : messages_in(*bytes)) {
      const auto decoded = hl7v2::decode(make_bytes(bytes->substr(span.begin, span.size())));
      if (!decoded) {
        print_error(context, decoded.error());
        fine = false;
        continue;
      }
      const hl7v2::Message& message = decoded->message;
      for (const hl7v2::Place& place : message.locate_all(*path)) {
        const auto text =
            place.field == 0 ? std::optional(message.text_of(place.segment)) : message.get(place);
        if (!text) continue;
        found = true;
        if (context.json) {
          list.push_back(
              {{"file", file}, {"path", message.path_of(place).text()}, {"text", *text}});
        } else {
          print(context.out, visible(*text) + "\n");
        }
      }
    }
  }
  if (context.json) {
    print(context.out, ordered_json{{"values", std::move(list)}}.dump(
                           2, ' ', false, ordered_json::error_handler_t::replace) +
                           "\n");
  }
  return found && fine ? kFine : kFailed;
}

}  // namespace

Verb path_verb() {
  auto options = std::make_shared<PathOptions>();
  return {
      .name = "path",
      .summary =
          "Print what stands at a place of HL7 v2 messages, a line each. Exit code 1 when there "
          "is nothing.",
      .example =
          "cannula path PID-3.1 message.hl7\n"
          "cannula path 'OBX[*]-5' feed.hl7\n"
          "cannula path 'PID-3[*].4' - < message.hl7",
      .declare =
          [options](Arguments& arguments) {
            arguments.positional("PATH", options->path,
                                 "PID-3, PID-3[2].1, OBX[*]-5 or PID-3[*]: all of them.", true);
            arguments.positionals("FILE", options->files,
                                  "Files with one or more messages; - is the standard input.",
                                  true);
          },
      .run = [options](const Context& context) { return read_paths(*options, context); }};
}

}  // namespace cannula::cli
