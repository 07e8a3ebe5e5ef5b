// `cannula store prune`, and legal holds.
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/cli/acting_user.h"
#include "engine/cli/operated_site.h"
#include "engine/cli/site_question.h"
#include "engine/cli/time_range.h"
#include "engine/cli/verb.h"
#include "engine/ops/control.h"
#include "engine/ops/text.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kLookAgain{200};

std::uint64_t number(const json& object, const char* name) {
  return object.value(name, std::uint64_t{0});
}

std::string megabytes(std::uint64_t bytes) {
  return bytes < 1'000'000 ? fmt::format("{:.1f} KB", static_cast<double>(bytes) / 1e3)
                           : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

void show(const Context& context, const json& run) {
  if (context.json || ::isatty(::fileno(context.err)) == 0) return;
  print(context.err,
        fmt::format("\r{} messages, bodies of {}, {} given back ", number(run, "messages"),
                    number(run, "bodies"), megabytes(number(run, "bytes_freed"))));
  std::fflush(context.err);
}

// A running engine does it by itself; we look on.
Result<json> follow(const config::Site& site, json run, const Context& context) {
  while (run.value("state", "") == "running") {
    show(context, run);
    std::this_thread::sleep_for(kLookAgain);
    auto next = TRY(ops::ask_engine(site, "pruning", json::object()));
    if (!next) {
      return Error{"U202", "the engine stopped; what was forgotten so far stays so",
                   "the next run does the rest"};
    }
    run = *std::move(next);
  }
  show(context, run);
  return run;
}

std::string prune_text(const json& run) {
  const bool dry = run.value("dry_run", false);
  std::string text;
  for (const auto& [name, channel] : run["channels"].items()) {
    text += fmt::format("{:<20} {:>9} messages, bodies of {:>9}, about {} in the journal\n",
                        visible(name), number(channel, "messages"), number(channel, "bodies"),
                        megabytes(number(channel, "bytes")));
  }
  for (const auto& [why, count] : run["held"].items()) {
    text += fmt::format("{:>30} messages are due and kept: {}\n", count.get<std::uint64_t>(),
                        visible(why));
  }
  text += fmt::format("{} messages {}, bodies of {}\n", number(run, "messages"),
                      dry ? "would be forgotten" : "forgotten", number(run, "bodies"));
  if (dry) return text;
  const json& segments = run["segments"];
  text += fmt::format("{} of the disk given back: {} segments written anew, {} removed\n",
                      megabytes(number(run, "bytes_freed")), number(segments, "packed"),
                      number(segments, "removed"));
  const std::pair<const char*, const char*> left[] = {
      {"pinned", "are being copied by a backup: the next run does them"},
      {"damaged", "are damaged and were left as they are: see `cannula store check`"},
      {"without_room", "found no room for what is to stay of them: free some of the disk"}};
  for (const auto& [name, why] : left) {
    if (number(segments, name) == 0) continue;
    text += fmt::format("{} segments {}\n", number(segments, name), why);
  }
  return text;
}

int prune(const std::string& named, bool dry_run, const Context& context) {
  const auto site = OperatedSite::open(named, context);
  if (!site) return kUsage;
  auto run = site->ask("prune", {{"dry_run", dry_run}, {"actor", acting_user()}});
  if (run) run = follow(site->site(), *std::move(run), context);
  if (!run) return site->fail(run.error());
  if (!context.json && ::isatty(::fileno(context.err)) != 0) print(context.err, "\r");
  if (const auto error = run->find("error"); error != run->end() && !context.json) {
    print_error(context, Error{error->value("code", ""), error->value("message", ""),
                               error->value("hint", "")});
    return kFailed;
  }
  print(context.out, context.json ? ops::dump(*run) + "\n" : prune_text(*run));
  return run->value("state", "") == "done" ? kFine : kFailed;
}

std::string hold_text(const json& hold) {
  std::string text =
      fmt::format("{:<5} {}  by {}: {}\n", hold.value("hold", ""), visible(hold.value("what", "")),
                  visible(hold.value("actor", "")), visible(hold.value("reason", "")));
  if (hold.contains("from"))
    text += fmt::format("      received from {}\n", hold.value("from", ""));
  if (hold.contains("to")) text += fmt::format("      received before {}\n", hold.value("to", ""));
  return text;
}

}  // namespace

Verb store_prune_verb() {
  struct Options {
    std::string site;
    bool dry_run = false;
  };
  auto options = std::make_shared<Options>();
  return {.name = "store prune",
          .summary = "Forget now what [retention] says, and give its room on the disk back.",
          .example =
              "cannula store prune my-site --dry-run\n"
              "cannula store prune my-site",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.flag("--dry-run", options->dry_run,
                               "Only say what would be forgotten, and what is held.");
              },
          .run =
              [options](const Context& context) {
                return prune(options->site, options->dry_run, context);
              }};
}

Verb store_hold_verb() {
  struct Options {
    std::string site, message, mrn, accession, name, channel, reason;
    TimeRange received;
  };
  auto options = std::make_shared<Options>();
  return {
      .name = "store hold",
      .summary = "Keep messages whatever [retention] says, until they are released: a legal hold.",
      .example = "cannula store hold my-site --mrn 4711 --reason \"case 12/2026\"",
      .declare =
          [options](Arguments& arguments) {
            arguments.positional("SITE", options->site, "The site's folder.");
            arguments.text("--message", "ID", options->message, "This message.");
            arguments.text("--mrn", "NUMBER", options->mrn,
                           "Of the patient with this number (PID-3).");
            arguments.text("--accession", "NUMBER", options->accession,
                           "With this accession or filler number (OBR-3, OBR-18, ORC-3).");
            arguments.text("--name", "NAME", options->name,
                           "Of patients with this family name, or \"FAMILY, GIVEN\"; case makes no "
                           "difference.");
            arguments.text("--channel", "NAME", options->channel, "Of this channel.");
            options->received.declare(arguments, "what was received");
            arguments.required_text("--reason", "TEXT", options->reason,
                                    "Why; kept with the hold.");
          },
      .run =
          [options](const Context& context) {
            json range = json::object();
            if (!options->received.put_into(range, context)) return static_cast<int>(kUsage);
            const json request{
                {"id", options->message},          {"mrn", options->mrn},
                {"accession", options->accession}, {"name", options->name},
                {"channel", options->channel},     {"from", range.value("since", "")},
                {"to", range.value("until", "")},  {"reason", options->reason},
                {"actor", acting_user()}};
            return answer_question(options->site, "hold", request, context, [](const json& answer) {
              const auto messages = number(answer, "messages");
              return fmt::format("{}it covers {}{} messages now, and those to come\n",
                                 hold_text(answer["hold"]), messages,
                                 messages >= 10'000 ? " or more" : "");
            });
          }};
}

Verb store_holds_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "store holds",
          .summary = "List the legal holds in force.",
          .example = "cannula store holds my-site",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run =
              [site](const Context& context) {
                return answer_question(*site, "holds", json::object(), context,
                                       [](const json& answer) {
                                         std::string text;
                                         for (const json& hold : answer["holds"])
                                           text += hold_text(hold);
                                         return text.empty() ? std::string("none\n") : text;
                                       });
              }};
}

Verb store_release_verb() {
  struct Options {
    std::string hold, site, reason;
  };
  auto options = std::make_shared<Options>();
  return {.name = "store release",
          .summary = "End a legal hold: what it covered is kept as [retention] says again.",
          .example = "cannula store release H1 my-site --reason \"case 12/2026 is closed\"",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("HOLD", options->hold, "Its name, such as H1.", true);
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.required_text("--reason", "TEXT", options->reason,
                                        "Why; kept with the hold.");
              },
          .run =
              [options](const Context& context) {
                const json request{
                    {"hold", options->hold}, {"reason", options->reason}, {"actor", acting_user()}};
                return answer_question(
                    options->site, "release", request, context,
                    [](const json& answer) { return "released " + hold_text(answer["released"]); });
              }};
}

}  // namespace cannula::cli
