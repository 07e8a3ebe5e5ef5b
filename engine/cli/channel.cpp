// Pausing and resuming parts of a channel, and who did what.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/site_question.h"
#include "engine/cli/verb.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

struct PauseOptions {
  std::string channel, site, reason;
  bool intake = false, work = false;
  std::vector<std::string> destinations;
};

Verb pause_verb(bool paused, std::string summary, std::string example) {
  auto options = std::make_shared<PauseOptions>();
  return {.name = paused ? "channel pause" : "channel resume",
          .summary = std::move(summary),
          .example = std::move(example),
          .declare =
              [options, paused](Arguments& arguments) {
                arguments.positional("CHANNEL", options->channel, "The channel's name.", true);
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.flag("--intake", options->intake,
                               paused ? "What comes in: senders are told to try again."
                                      : "Take messages in again.");
                arguments.flag("--work", options->work,
                               paused ? "Its script: messages wait for it."
                                      : "Run its script again, on what waits for it first.");
                arguments.texts("--destination", "NAME", options->destinations,
                                paused ? "Deliveries to it; may be given several times."
                                       : "Deliver to it again; may be given several times.");
                arguments.required_text("--reason", "TEXT", options->reason, "Why; recorded.");
              },
          .run =
              [options, paused](const Context& context) {
                json parts = json::array();
                if (options->intake) parts.push_back("intake");
                if (options->work) parts.push_back("work");
                for (const std::string& name : options->destinations) parts.push_back("to:" + name);
                const json request{{"channel", options->channel},
                                   {"parts", parts},
                                   {"paused", paused},
                                   {"reason", options->reason},
                                   {"actor", acting_user()}};
                return answer_question(
                    options->site, "pause", request, context, [&](const json& answer) {
                      std::string text;
                      for (const json& part : answer["parts"])
                        text += fmt::format("{} {}\n", paused ? "paused" : "resumed",
                                            part.get<std::string>());
                      if (text.empty()) text = "nothing was paused\n";
                      if (answer.contains("note")) text += answer.value("note", "") + "\n";
                      return text;
                    });
              }};
}

}  // namespace

Verb channel_pause_verb() {
  return pause_verb(
      true,
      "Pause a channel, or its intake, its script or single destinations; survives a "
      "restart.",
      "cannula channel pause lab-results my-site --destination ehr --reason \"upgrade "
      "of the EHR\"");
}

Verb channel_resume_verb() {
  return pause_verb(false, "Let what was paused of a channel go on; all of it unless told which.",
                    "cannula channel resume lab-results my-site --reason \"the EHR is upgraded\"");
}

Verb channel_acts_verb() {
  struct Options {
    std::string site, channel;
    std::int64_t limit = 50;
  };
  auto options = std::make_shared<Options>();
  return {.name = "channel acts",
          .summary = "List who paused, resumed or ended what, and why; the newest first.",
          .example = "cannula channel acts my-site",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.text("--channel", "NAME", options->channel, "Only about this channel.");
                arguments.number("--limit", "N", options->limit, 1, 10'000, "At most so many.");
              },
          .run =
              [options](const Context& context) {
                return answer_question(
                    options->site, "acts",
                    json{{"limit", options->limit}, {"channel", options->channel}}, context,
                    [](const json& answer) {
                      std::string text;
                      for (const json& act : answer["acts"]) {
                        text += fmt::format(
                            "{}  {} {} {} by {}: {}\n", act.value("at", ""), act.value("what", ""),
                            act.value("channel", ""), act.value("part", act.value("detail", "")),
                            visible(act.value("actor", "")), visible(act.value("reason", "")));
                      }
                      return text.empty() ? "nothing yet\n" : text;
                    });
              }};
}

}  // namespace cannula::cli
