// Messages by the hundred: what has died and why, sending a group of it again, at a rate.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/bulk_progress.h"
#include "engine/cli/site_question.h"
#include "engine/cli/time_range.h"
#include "engine/cli/verb.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

struct Selected {
  std::string site, channel, destination, code, place, state = "dead";
  TimeRange range;

  // Nothing: the times are not as they should be, and that has been printed.
  std::optional<json> query(const Context& context) const {
    json request{{"channel", channel},
                 {"destination", destination},
                 {"code", code},
                 {"place", place},
                 {"state", state}};
    return range.put_into(request, context) ? std::optional(std::move(request)) : std::nullopt;
  }
  bool narrowed() const {
    return !channel.empty() || !destination.empty() || !code.empty() || !place.empty() ||
           range.given();
  }
};

void declare(Arguments& arguments, const std::shared_ptr<Selected>& selected) {
  arguments.positional("SITE", selected->site, "The site's folder.");
  arguments.text("--channel", "NAME", selected->channel, "Only of this channel.");
  arguments.text("--destination", "NAME", selected->destination,
                 "Only deliveries to it; else to all, and messages whose script failed.");
  arguments.text("--code", "CODE", selected->code, "Only of this cause, such as T353.");
  arguments.text("--place", "PLACE", selected->place,
                 "Only of this place of a cause, such as main.lua:12 or \"status 422\".");
  selected->range.declare(arguments, "what came into its state");
}

std::string groups_text(const json& answer) {
  std::string text;
  for (const json& group : answer["groups"]) {
    const std::string destination = group.value("destination", "");
    const std::string place = group.value("place", "");
    text += fmt::format(
        "{:>7}  {} {}  {}{}  {} to {}  such as {}\n", group["count"].get<std::uint64_t>(),
        group.value("channel", ""), destination.empty() ? "(its script)" : "to " + destination,
        group.value("code", ""), place.empty() ? "" : " at " + visible(place),
        group.value("first_at", ""), group.value("last_at", ""), group.value("sample", ""));
  }
  return text.empty() ? "none\n" : text;
}

std::string progress_text(const json& progress) {
  const auto number = [&](const char* name) { return progress[name].get<std::uint64_t>(); };
  const std::string state = progress.value("state", "");
  std::string text = fmt::format("{} of {} {}", number("done"), number("total"),
                                 progress["act"] == "discard" ? "discarded" : "sent again");
  if (number("passed_over") > 0) {
    text += fmt::format(
        ", {} passed over: they had gone on, their destination is gone, or their bodies are not "
        "kept any more (`cannula msg resend` of one says which)",
        number("passed_over"));
  }
  if (const auto under_way = progress.value("under_way", std::uint64_t{0}); under_way > 0) {
    text += fmt::format(
        ", {} of them under way at that moment: what the other side takes of those counts as "
        "delivered",
        under_way);
  }
  if (state == "cancelled") text += ", cancelled by " + visible(progress.value("cancelled_by", ""));
  if (state == "failed") text += ", then it failed: " + visible(progress.value("failure", ""));
  if (state == "running") {
    text += fmt::format(
        ": goes on as number {}; `cannula msg replays` says how far it is, `cannula msg "
        "replay-cancel {} --reason TEXT` stops it",
        number("replay"), number("replay"));
  }
  if (progress.contains("note")) text += "; " + progress.value("note", "");
  return text + "\n";
}

std::string replays_text(const json& answer) {
  std::string text;
  for (const json& one : answer["replays"]) {
    text += fmt::format("{}  {}, by {}: {}\n", one.value("began_at", ""),
                        visible(one.value("about", "")), visible(one.value("actor", "")),
                        visible(one.value("reason", "")));
  }
  return text.empty() ? "none since the engine started\n" : text;
}

}  // namespace

Verb msg_dead_verb() {
  auto selected = std::make_shared<Selected>();
  return {.name = "msg dead",
          .summary = "Count what has died, or is held, by channel, destination, cause and place.",
          .example = "cannula msg dead my-site --channel lab-results",
          .declare =
              [selected](Arguments& arguments) {
                declare(arguments, selected);
                arguments.choice("--state", selected->state, {"dead", "held", "parked"},
                                 "What is counted.");
              },
          .run =
              [selected](const Context& context) {
                const auto query = selected->query(context);
                if (!query) return static_cast<int>(kUsage);
                return answer_question(selected->site, "causes", *query, context, groups_text);
              }};
}

Verb msg_replay_verb() {
  struct Options {
    std::string reason;
    std::int64_t rate = 100;
    bool all = false, detach = false;
  };
  auto selected = std::make_shared<Selected>();
  auto options = std::make_shared<Options>();
  return {
      .name = "msg replay",
      .summary =
          "Send many again: what has died of one cause, or in a time; Ctrl-C stops it and says "
          "how far it came.",
      .example =
          "cannula msg replay my-site --destination ehr --code T353 --rate 20 --reason \"the EHR "
          "knows the ward now\"\n"
          "cannula msg replay my-site --destination ehr --state delivered --since "
          "2026-11-23T10:00 --reason \"the EHR lost the morning\"",
      .declare =
          [selected, options](Arguments& arguments) {
            declare(arguments, selected);
            arguments.choice(
                "--state", selected->state,
                {"dead", "held", "delivered", "parked", "filtered", "done"},
                "Those in this state. dead, held and delivered ones are delivered again as they "
                "are; parked, filtered and done ones, and those whose script failed, run through "
                "the script again.");
            arguments.number("--rate", "N", options->rate, 0, 100'000,
                             "At most so many a second; 0: as fast as it goes.");
            arguments.flag("--all", options->all,
                           "All in that state: needed when nothing narrows it.");
            arguments.flag("--detach", options->detach, "Do not wait for its end.");
            arguments.required_text("--reason", "TEXT", options->reason,
                                    "Why; kept with each message.");
          },
      .run =
          [selected, options](const Context& context) {
            if (!selected->narrowed() && !options->all) {
              print_error(context, {"U201", "that would send everything again",
                                    "narrow it by --channel, --destination, --code, --place, "
                                    "--since or --until, or say --all",
                                    std::nullopt});
              return static_cast<int>(kUsage);
            }
            auto request = selected->query(context);
            if (!request) return static_cast<int>(kUsage);
            (*request)["rate"] = options->rate;
            (*request)["reason"] = options->reason;
            (*request)["actor"] = acting_user();
            return follow_bulk_act(selected->site, "replay", *request, options->detach, context,
                                   progress_text);
          }};
}

Verb msg_replays_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "msg replays",
          .summary = "List the replays and discards of many that run or ran, and how far they are.",
          .example = "cannula msg replays my-site",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run =
              [site](const Context& context) {
                return answer_question(*site, "replays", json::object(), context, replays_text);
              }};
}

Verb msg_replay_cancel_verb() {
  struct Options {
    std::string number, site, reason;
  };
  auto options = std::make_shared<Options>();
  return {.name = "msg replay-cancel",
          .summary = "Stop a replay or a discard of many that runs; what is done stays done.",
          .example = "cannula msg replay-cancel 3 my-site --reason \"the EHR is overloaded\"",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("N", options->number, "Its number, of `cannula msg replays`.",
                                     true);
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.required_text("--reason", "TEXT", options->reason,
                                        "Why; kept in the audit trail.");
              },
          .run =
              [options](const Context& context) {
                const json request{{"replay", std::atoll(options->number.c_str())},
                                   {"reason", options->reason},
                                   {"actor", acting_user()}};
                return answer_question(options->site, "replay_cancel", request, context,
                                       progress_text);
              }};
}

Verb channel_discard_verb() {
  struct Options {
    std::string reason;
    bool detach = false;
  };
  auto selected = std::make_shared<Selected>();
  selected->state = "waiting";
  auto options = std::make_shared<Options>();
  return {.name = "channel discard",
          .summary = "End all that waits in a channel, or of one destination of it, or has died.",
          .example =
              "cannula channel discard old-lab my-site --destination archive --reason \"the "
              "archive is gone\"",
          .declare =
              [selected, options](Arguments& arguments) {
                arguments.positional("CHANNEL", selected->channel, "The channel's name.", true);
                arguments.positional("SITE", selected->site, "The site's folder.");
                arguments.text("--destination", "NAME", selected->destination,
                               "Only deliveries to it; else messages.");
                arguments.choice("--state", selected->state, {"waiting", "dead", "held", "parked"},
                                 "Those in this state; waiting: all that is not done.");
                arguments.text("--code", "CODE", selected->code,
                               "Only of this cause, such as T353.");
                arguments.text("--place", "PLACE", selected->place,
                               "Only of this place of a cause, such as main.lua:12.");
                selected->range.declare(arguments, "what came into its state");
                arguments.flag("--detach", options->detach, "Do not wait for its end.");
                arguments.required_text("--reason", "TEXT", options->reason,
                                        "Why; kept with each message.");
              },
          .run =
              [selected, options](const Context& context) {
                auto request = selected->query(context);
                if (!request) return static_cast<int>(kUsage);
                (*request)["reason"] = options->reason;
                (*request)["actor"] = acting_user();
                return follow_bulk_act(selected->site, "discard_waiting", *request, options->detach,
                                       context, progress_text);
              }};
}

}  // namespace cannula::cli
