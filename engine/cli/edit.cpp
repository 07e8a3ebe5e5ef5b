// A new message made of one that is on record.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/input_file.h"
#include "engine/cli/site_question.h"
#include "engine/cli/verb.h"
#include "parsers/text/base64.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

struct EditOptions {
  std::string id, file, site, reason;
  std::vector<std::string> set;
  bool force = false;
};

Error usage(std::string what, std::string hint) {
  return Error{"U102", std::move(what), std::move(hint), std::nullopt};
}

Result<json> request_of(const EditOptions& options) {
  json request{{"id", options.id}, {"reason", options.reason}, {"actor", acting_user()}};
  if (options.force) request["force"] = true;
  if (options.file.empty() == options.set.empty()) {
    return usage("an edit needs either a file or --set",
                 "`--file FILE` is the whole new message, `--set PATH=VALUE` changes the old one");
  }
  if (!options.file.empty()) {
    request["body_base64"] = encode_base64(TRY(read_input(options.file)));
    return request;
  }
  request["set"] = json::array();
  for (const std::string& wish : options.set) {
    const std::size_t equals = wish.find('=');
    if (equals == 0 || equals == std::string::npos)
      return usage("\"" + wish + "\" is not of the form PATH=VALUE", "such as --set PV1-3.1=WARD2");
    request["set"].push_back({wish.substr(0, equals), wish.substr(equals + 1)});
  }
  return request;
}

}  // namespace

Verb msg_edit_verb() {
  auto options = std::make_shared<EditOptions>();
  return {
      .name = "msg edit",
      .summary =
          "Make a new message of one that is on record, with what was wrong put right, and work "
          "it; both name each other.",
      .example =
          "cannula msg edit 0K2H8ZQ4R7T1C my-site --set PV1-3.1=WARD2 --reason \"the ward was "
          "misspelt\"\n"
          "cannula msg edit 0K2H8ZQ4R7T1C my-site --file corrected.hl7 --reason \"as agreed with "
          "the laboratory\"",
      .declare =
          [options](Arguments& arguments) {
            arguments.positional("ID", options->id, "The message's id.", true);
            arguments.positional("SITE", options->site, "The site's folder.");
            arguments.text("--file", "FILE", options->file,
                           "The whole new message; - is the standard input.");
            arguments.texts("--set", "PATH=VALUE", options->set,
                            "Of HL7 v2: changes this place of it; may be given several times. An "
                            "empty VALUE clears it.");
            arguments.required_text("--reason", "TEXT", options->reason,
                                    "Why; kept with the message.");
            arguments.flag("--force", options->force,
                           "Takes the message although it looks as if it had a mistake (a segment "
                           "that no version of HL7 has, a lost MSH or control id), or another one "
                           "has been made of the same before.");
          },
      .run =
          [options](const Context& context) {
            const auto request = request_of(*options);
            if (!request) {
              print_error(context, request.error());
              return static_cast<int>(kUsage);
            }
            return answer_question(
                options->site, "edit", *request, context, [&](const json& answer) {
                  std::string text = fmt::format("edited {} as {}", answer.value("edited", ""),
                                                 answer.value("as", ""));
                  if (answer.contains("differs")) text += ", with " + answer.value("differs", "");
                  if (answer.contains("note")) text += ": " + answer.value("note", "");
                  return text + "\n";
                });
          }};
}

}  // namespace cannula::cli
