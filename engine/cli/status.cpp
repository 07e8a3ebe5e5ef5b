#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/site_question.h"
#include "engine/cli/verb.h"
#include "parsers/text/terminal_text.h"

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

// Why a destination does not deliver just now, if it does not, and what went wrong last.
std::string standing_text(const nlohmann::json& channel, const std::string& destination) {
  if (!channel.contains("standing") || !channel["standing"].contains(destination)) return {};
  const nlohmann::json& standing = channel["standing"][destination];
  std::string text;
  const std::string breaker = standing.value("breaker", "closed");
  const double seconds = standing.value("quiet_ms", std::int64_t{0}) / 1000.0;
  const int failures = standing.value("failures_in_a_row", 0);
  const std::string in_a_row =
      fmt::format("since {}: {} failure{} in a row", standing.value("failing_since", "?"), failures,
                  failures == 1 ? "" : "s");
  if (breaker != "closed") {
    text += fmt::format("  AWAY {}, breaker {}", in_a_row, breaker);
    if (seconds > 0) text += fmt::format(", next probe in {:.0f} s", seconds);
  } else {
    if (failures > 0) text += fmt::format("  FAILING {}", in_a_row);
    if (seconds > 0) text += fmt::format("  asked to wait {:.0f} s", seconds);
  }
  if (standing.value("paused", false)) text += "  PAUSED";
  if (standing.value("window_closed", false)) {
    text += fmt::format("  outside its window until {}", standing.value("window_opens_at", "?"));
  }
  if (failures > 0)
    text += fmt::format("\n              {}", visible(standing.value("last_failure", "")));
  return text;
}

// What waits because an earlier message of its key is parked, dead or held, and which are.
std::string held_back_text(const nlohmann::json& holder, const std::string& site) {
  if (!holder.contains("held_back")) return {};
  const nlohmann::json& held = holder["held_back"];
  const auto count = [](const nlohmann::json& object, const char* name) {
    return object.value(name, std::uint64_t{0});
  };
  const auto keys = count(held, "keys");
  const auto messages = count(held, "messages");
  std::string text = fmt::format(
      "              HELD BACK: {} wait{} behind an earlier message of {} that is parked, dead or "
      "held\n",
      messages, messages == 1 ? "s" : "",
      keys == 1 ? "their order key" : fmt::format("one of {} order keys", keys));
  const auto oldest = held.value("oldest", nlohmann::json::array());
  for (const nlohmann::json& one : oldest) {
    const std::string id = one.value("message", "");
    text += fmt::format("              {0} holds {1}: `cannula msg show {0} SITE`\n", id,
                        count(one, "holds"));
  }
  if (oldest.size() < keys) {
    text += fmt::format(
        "              {}: `cannula msg dead SITE`, `--state held`, `--state parked` count them\n",
        oldest.empty() ? "what holds them" : "and others");
  }
  return with_site(std::move(text), site);
}

// Its certificates, of the source where `destination` is empty.
std::string certificates_text(const nlohmann::json& status, const std::string& channel,
                              const std::string& destination) {
  constexpr int kSoon = 30;  // days
  std::string text;
  for (const nlohmann::json& one : status.value("certificates", nlohmann::json::array())) {
    if (one.value("channel", "") != channel || one.value("destination", "") != destination)
      continue;
    const std::string file = visible(one.value("file", ""));
    const std::string at = one.value("expires_at", "");
    const auto days = one.value("days_left", std::int64_t{0});
    if (one.contains("trouble")) {
      text += fmt::format("  certificate {} CANNOT BE READ: {}\n", file,
                          visible(one.value("trouble", "")));
    } else if (days < 0) {
      text += fmt::format(
          "  certificate {} FAILING: it EXPIRED at {}, and who checks it will not connect; put a "
          "new one in its place\n",
          file, at);
    } else if (days < kSoon) {
      text +=
          fmt::format("  certificate {} EXPIRES IN {} DAY{}, at {}: put a new one in its place\n",
                      file, days, days == 1 ? "" : "S", at);
    } else {
      text += fmt::format("  certificate {} is good for {} days\n", file, days);
    }
  }
  return text;
}

// Since when the message came that waits longest for a destination.
std::string oldest_text(const nlohmann::json& channel, const std::string& destination) {
  if (!channel.contains("oldest_waiting")) return {};
  const std::string since = channel["oldest_waiting"].value(destination, "");
  return since.empty() ? "" : ", the oldest of " + since;
}

std::string status_text(const nlohmann::json& status, const std::string& site) {
  std::string text = status.value("running", false)
                         ? "running\n"
                         : "not running: these are the counts of the store\n";
  if (status.value("disk_low", false))
    text += "THE DISK IS NEARLY FULL: nothing new is taken until there is room\n";
  else if (status.contains("not_ready") && status["not_ready"].is_string())
    text += fmt::format("NOT READY: {}\n", visible(status.value("not_ready", "")));
  if (status.contains("index_trouble") && status["index_trouble"].is_string()) {
    text += fmt::format("THE INDEX CANNOT FOLLOW: {}: what is counted below is of before\n",
                        visible(status.value("index_trouble", "")));
  }
  if (status.contains("audit") && status["audit"].is_object()) {
    const std::string trouble = status["audit"].value("trouble", "");
    if (!trouble.empty()) {
      text += fmt::format("THE AUDIT TRAIL CANNOT BE WRITTEN: {}: acts of people are refused\n",
                          visible(trouble));
    }
  }
  if (status.contains("failed_reload") && status["failed_reload"].is_object()) {
    const nlohmann::json& failed = status["failed_reload"];
    text += fmt::format("THE RELOAD AT {} FAILED: an older configuration is in use\n{}",
                        failed.value("at", "?"), failed.value("findings", ""));
  }
  if (status.contains("refused_files") && status["refused_files"].is_object()) {
    const nlohmann::json& refused = status["refused_files"];
    text += fmt::format(
        "TABLES OR RULES READ AT {} WERE NOT TAKEN IN: what they said before is in use\n{}",
        refused.value("at", "?"), refused.value("findings", ""));
  }
  for (const auto& [name, channel] : status["channels"].items()) {
    text += fmt::format("\nchannel {}", name);
    if (const std::string address = channel.value("address", ""); !address.empty()) {
      text += fmt::format("  listens on {}", address);
    }
    if (!channel.value("enabled", true))
      text += "  DISABLED: takes nothing, and what waits goes on when it is enabled again";
    else if (!channel.value("configured", true))
      text += "  NOT CONFIGURED: what waits goes on when it is again";
    if (channel.value("paused", false) && channel.value("enabled", true)) {
      text += "  PAUSED";
      const std::string why = channel.value("paused_because", "");  // else by a person, said below
      if (!why.empty()) text += ": " + visible(why.substr(0, why.find('\n')));
    }
    if (channel.contains("not_taking")) {
      const std::string since = channel.value("not_taking_since", "");
      text += fmt::format("\n  TAKES NOTHING{}: {}", since.empty() ? "" : " since " + since,
                          visible(channel.value("not_taking", "")));
    }
    if (channel.contains("source_not_reached")) {
      const nlohmann::json& trouble = channel["source_not_reached"];
      text += fmt::format("\n  SOURCE NOT REACHED since {}: {}", trouble.value("since", ""),
                          visible(trouble.value("why", "")));
    }
    text += fmt::format("\n  messages    {}",
                        counts_text(channel.value("messages", nlohmann::json::object())));
    if (channel.contains("last_received"))
      text += ", the last at " + channel.value("last_received", "");
    text += "\n";
    text += held_back_text(channel, site);
    text += certificates_text(status, name, "");
    if (channel.contains("messages") && channel["messages"].value("parked", 0) > 0) {
      text += with_site(
          "              parked ones wait: `cannula table unmapped SITE` lists codes without a\n"
          "              row, `cannula msg list SITE --state parked` the messages\n",
          site);
    }
    const auto destinations = channel.value("destinations", nlohmann::json::object());
    const auto standings = channel.value("standing", nlohmann::json::object());
    for (const auto& [destination, counts] : destinations.items()) {
      const auto gone = channel.value("not_configured", std::vector<std::string>());
      const bool is_gone = std::find(gone.begin(), gone.end(), destination) != gone.end();
      text += fmt::format("  to {:<9}{}{}{}{}\n", destination, counts_text(counts),
                          oldest_text(channel, destination), standing_text(channel, destination),
                          is_gone ? "  NOT CONFIGURED any more" : "");
      if (standings.contains(destination)) text += held_back_text(standings[destination], site);
      text += certificates_text(status, name, destination);
    }
    for (const nlohmann::json& pause : channel.value("pauses", nlohmann::json::array())) {
      text += fmt::format("  {} paused at {} by {}: {}\n", pause.value("part", ""),
                          pause.value("at", ""), visible(pause.value("actor", "")),
                          visible(pause.value("reason", "")));
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
                return answer_question(
                    *site, "status", nlohmann::json::object(), context,
                    [site](const nlohmann::json& status) { return status_text(status, *site); });
              }};
}

}  // namespace cannula::cli
