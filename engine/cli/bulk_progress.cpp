#include "engine/cli/bulk_progress.h"

#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/cli/acting_user.h"
#include "engine/cli/operated_site.h"
#include "engine/ops/text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kLookAgain{200};

volatile std::sig_atomic_t interrupted = 0;

// Ctrl-C is for what is followed, not for us, as long as this lives.
class Interrupts {
 public:
  Interrupts() {
    interrupted = 0;
    before_ = std::signal(SIGINT, [](int) { interrupted = 1; });
  }
  ~Interrupts() { std::signal(SIGINT, before_); }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  void (*before_)(int);
};

void show(const Context& context, const json& progress) {
  if (context.json || ::isatty(::fileno(context.err)) == 0) return;
  print(context.err, fmt::format("\r{} of {} ", progress["done"].get<std::uint64_t>(),
                                 progress["total"].get<std::uint64_t>()));
  std::fflush(context.err);
}

Result<json> follow(const OperatedSite& site, json progress, const Context& context) {
  const json which{{"replay", progress["replay"]},
                   {"actor", acting_user()},
                   {"reason", "interrupted where it was begun"}};
  while (progress["state"] == "running") {
    show(context, progress);
    if (interrupted) return site.ask("replay_cancel", which);
    std::this_thread::sleep_for(kLookAgain);
    const json rows = TRY(site.ask("replays", which));
    if (rows["replays"].empty()) {
      return Error{
          "P321", "the engine knows nothing of it any more: it was started anew",
          "`cannula channel acts` says what was begun; what it did not come to is as it was",
          std::nullopt};
    }
    progress = rows["replays"][0];
  }
  show(context, progress);
  return progress;
}

}  // namespace

int follow_bulk_act(const std::string& site, const std::string& question, const json& request,
                    bool detach, const Context& context,
                    const std::function<std::string(const json&)>& as_text) {
  const auto operated = OperatedSite::open(site, context);
  if (!operated) return kUsage;
  const Interrupts interrupts;
  auto progress = operated->ask(question, request);
  if (progress && !detach) progress = follow(*operated, *std::move(progress), context);
  if (!progress) return operated->fail(progress.error());
  if (!context.json && !detach && ::isatty(::fileno(context.err)) != 0) print(context.err, "\r");
  print(context.out, context.json ? ops::dump(*progress) + "\n" : as_text(*progress));
  const std::string state = progress->value("state", "");
  return state == "done" || state == "running" ? kFine : kFailed;
}

}  // namespace cannula::cli
