#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/site_question.h"
#include "engine/cli/verb.h"

namespace cannula::cli {
namespace {

std::string counts_text(const nlohmann::json& counts) {
  std::string text;
  for (const auto& [state, count] : counts.items()) {
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.get<std::uint64_t>(), state);
  }
  return text.empty() ? "none" : text;
}

std::string status_text(const nlohmann::json& status) {
  std::string text = status.value("running", false)
                         ? "running\n"
                         : "not running: these are the counts of the store\n";
  for (const auto& [name, channel] : status["channels"].items()) {
    text += fmt::format("\nchannel {}", name);
    if (const std::string address = channel.value("address", ""); !address.empty()) {
      text += fmt::format("  listens on {}", address);
    }
    if (!channel.value("configured", true))
      text += "  NOT CONFIGURED: what waits goes on when it is again";
    if (channel.value("paused", false))
      text += "  PAUSED: its script keeps running into its limits";
    text += fmt::format("\n  messages    {}\n",
                        counts_text(channel.value("messages", nlohmann::json::object())));
    if (channel.contains("messages") && channel["messages"].value("parked", 0) > 0) {
      text +=
          "              parked ones wait: `cannula table unmapped SITE` lists codes without a\n"
          "              row, `cannula msg list SITE --state parked` the messages\n";
    }
    const auto destinations = channel.value("destinations", nlohmann::json::object());
    for (const auto& [destination, counts] : destinations.items()) {
      const bool away = channel.contains("away") && channel["away"].value(destination, false);
      text +=
          fmt::format("  to {:<9}{}{}\n", destination, counts_text(counts), away ? "  AWAY" : "");
    }
  }
  return text;
}

}  // namespace

Verb status_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "status",
          .summary = "Count a site's messages and deliveries by channel and state.",
          .example = "cannula status my-site --json",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run =
              [site](const Context& context) {
                return answer_question(*site, "status", nlohmann::json::object(), context,
                                       status_text);
              }};
}

}  // namespace cannula::cli
