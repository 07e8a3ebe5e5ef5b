#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/cli/log.h"
#include "engine/cli/progress_bar.h"
#include "engine/cli/verb.h"
#include "engine/config/site.h"
#include "engine/ops/control.h"
#include "engine/pipeline/engine.h"

namespace cannula::cli {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAgain{100};
constexpr int kMostTimes = 100;  // that a store is asked for which another process has

struct RunOptions {
  std::string site;
  std::string log_level = "info";
};

// One descriptor a connection: as many as the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Signals are taken by sigwait() in one place; every thread started afterwards inherits the mask.
sigset_t block_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int one : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, one);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

bool is_in_use(const std::vector<Diagnostic>& findings) {
  return findings.size() == 1 && findings.front().code == "J101";
}

bool engine_answers(const config::Site& site) {
  const auto answer = ops::ask_engine(site, "status", nlohmann::json::object());
  return !answer || *answer;
}

// A site that runs: the engine and what goes over to a changed configuration. reload() may be asked
// for by a signal and over the control socket at once.
class RunningSite {
 public:
  RunningSite(std::filesystem::path root, std::shared_ptr<const config::Site> site,
              const Context& context)
      : root_(std::move(root)),
        transports_(context.transports),
        engine_(std::move(site), context.transports) {}

  pipeline::Engine& engine() { return engine_; }

  std::vector<Diagnostic> reload() {
    std::scoped_lock lock(reloading_);
    std::vector<Diagnostic> findings = go_over();
    engine_.note_reload(findings);
    return findings;
  }

 private:
  std::vector<Diagnostic> go_over() {
    const auto in_use = engine_.resources();
    config::LoadedSite loaded = config::load_site(root_, transports_, {.in_use = in_use.get()});
    if (!loaded.site) {
      log_error_lines("reload: the configuration has errors; the old one stays in use",
                      render(loaded.findings));
      return loaded.findings;
    }
    for (const Diagnostic& finding : loaded.findings) {
      if (finding.severity == Severity::warning) spdlog::warn("reload: {}", render(finding));
    }
    std::vector<Diagnostic> findings =
        engine_.reload(std::make_shared<const config::Site>(*std::move(loaded.site)));
    if (findings.empty()) {
      spdlog::info("reload: the new configuration is in use");
    } else {
      log_error_lines("reload: the old configuration stays in use", render(findings));
    }
    return findings;
  }

  const std::filesystem::path root_;
  const std::span<const Transport> transports_;
  std::mutex reloading_;
  pipeline::Engine engine_;
};

void wait_for_the_end(RunningSite& running, const sigset_t& signals) {
  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGHUP) {
      spdlog::info("stopping ({})", signal == SIGTERM ? "SIGTERM" : "SIGINT");
      return;
    }
    running.reload();
  }
}

int run(const RunOptions& options, const Context& context) {
  const auto begun = steady_clock::now();
  const auto folder = site_folder(options.site);
  if (!folder) {
    print_error(context, folder.error());
    return kUsage;
  }
  config::LoadedSite loaded = config::load_site(*folder, context.transports);
  print(context.err, render(loaded.findings));
  if (!loaded.site) return kInvalidSite;

  const sigset_t signals = block_signals();
  raise_descriptor_limit();
  set_up_log(options.log_level);
  auto site = std::make_shared<const config::Site>(*std::move(loaded.site));
  RunningSite running(*folder, site, context);
  std::vector<Diagnostic> findings;
  {
    // Can take a minute where a million messages are kept.
    ProgressBar progress(context.err, "indexing the journal", [](int percent, double left) {
      spdlog::info("store: bringing the index up to the journal: {} %, {:.0f} s left", percent,
                   left);
    });
    const auto show = [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); };
    findings = running.engine().start(show);
    // A verb that asks the store at rest is done in a moment: it keeps no engine from its start.
    for (int time = 0; is_in_use(findings) && time < kMostTimes && !engine_answers(*site); ++time) {
      if (time == 0) spdlog::info("store: another process has it; waiting for that to end");
      std::this_thread::sleep_for(kLookAgain);
      findings = running.engine().start(show);
    }
  }
  if (!findings.empty()) {
    print(context.err, render(findings));
    return has_errors(findings) && findings.front().source ? kInvalidSite : kFailed;
  }
  auto server = std::make_unique<ops::HttpServer>();  // a thread each, so that probes are answered
                                                      // during a reload
  auto admin_server = std::make_unique<ops::HttpServer>();
  auto listening =
      server->listen(ops::control_socket(*site),
                     ops::control_handler(running.engine(), [&] { return running.reload(); }));
  if (listening && site->admin.listen) {
    auto admin = admin_server->listen(*site->admin.listen, ops::admin_handler(running.engine()));
    if (admin) {
      spdlog::info("admin listens on {}", *admin);
    } else {
      listening = admin.error();
    }
  }
  if (!listening) {
    print_error(context, listening.error());
    return kFailed;
  }
  running.engine().each_channel([](const pipeline::ChannelView& view) {
    if (!view.address.empty())
      spdlog::info("channel {} listens on {}", view.channel.name(), view.address);
  });
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begun);
  print(context.out, context.json ? nlohmann::json{{"ready_ms", took.count()}}.dump() + "\n"
                                  : fmt::format("ready in {} ms\n", took.count()));
  std::fflush(context.out);
  wait_for_the_end(running, signals);
  admin_server.reset();  // nobody asks an engine that stops
  server.reset();
  running.engine().stop();
  spdlog::info("stopped");
  return kFine;
}

}  // namespace

Verb run_verb() {
  auto options = std::make_shared<RunOptions>();
  return {
      .name = "run",
      .summary =
          "Run a site until SIGTERM; SIGHUP reloads its configuration, as `cannula reload` does.",
      .example = "cannula run my-site",
      .declare =
          [options](Arguments& arguments) {
            arguments.positional("SITE", options->site, "The site's folder.");
            arguments.choice("--log-level", options->log_level,
                             {"debug", "info", "warning", "error"},
                             "The least that is logged, on standard error.");
          },
      .run = [options](const Context& context) { return run(*options, context); }};
}

}  // namespace cannula::cli
