// Forgets what is due: by itself every few minutes, at a pace that leaves the disk to the messages;
// at once when the disk is nearly full or a person asks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "engine/config/site.h"
#include "engine/pipeline/holds.h"
#include "engine/pipeline/retention_clock.h"
#include "engine/store/retention.h"

namespace cannula::pipeline {

// What a site says about one run: what is kept, and what is held. `site` and `holds` outlive it.
store::PruneOrder prune_order(std::shared_ptr<const config::Site> site, const Holds& holds,
                              store::Timestamp now);

// Thread-safe.
class Retention {
 public:
  struct Hands {
    std::function<std::shared_ptr<const config::Site>()> site;
    std::function<Result<store::PruneReport>(const store::PruneOrder&)> prune;
    // Runs work while nobody sends an ended message again or edits it.
    std::function<Result<void>(const std::function<Result<void>()>&)> alone;
    // What remember() was told last, in an earlier run; else when the newest message came that was
    // there before any source was open. Nothing: there was none.
    std::optional<store::Timestamp> believed{};
    // Told by what time each run went, so that a restart does not make a wrong clock a right one.
    std::function<void(store::Timestamp)> remember{};
    // Told of each run that did something.
    std::function<void(const store::PruneReport&)> ended;
  };
  struct Run {
    std::uint64_t number = 0;  // of those that a person asked for, from 1; 0: by itself
    enum class State { running, done, failed, ended_early } state = State::running;
    bool dry_run = false;
    store::PruneReport report;
    std::optional<Error> failure;
    store::Timestamp began = 0, ended = 0;
  };
  // Since the engine started.
  struct Totals {
    std::map<std::string, store::PruneReport::Channel> channels;
    std::uint64_t bytes_freed = 0;
    std::uint64_t runs = 0, failed = 0;
  };

  Retention(Hands hands, const Holds& holds);
  ~Retention();
  // Ends what runs, between two pieces of work. Nothing begins afterwards.
  void stop();

  // A run for all that is due, at once and without rests; one that goes on by itself ends for it.
  // P333 while another that somebody asked for runs.
  Result<Run> begin(bool dry_run);
  // The last that somebody asked for; nothing: none was.
  std::optional<Run> asked_for() const;
  Totals totals() const;
  // The disk is nearly full: a run at once, unless there was one just now.
  void hurry();

 private:
  void loop();
  bool something_ends(const config::Site& site) const;
  void run(Run& run, bool at_once);
  store::PruneOrder order_for(const Run& run, bool at_once);
  void add(const store::PruneReport& report);
  store::Timestamp believed_now();

  const Hands hands_;
  const Holds& holds_;
  RetentionClock clock_;  // of the thread
  bool doubted_ = false;  // of the thread: it has been said that the wall clock is not believed
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Run> asked_;
  bool waiting_ = false;  // asked_ is to be begun
  bool hurried_ = false;
  std::chrono::steady_clock::time_point last_hurry_{};
  std::uint64_t numbers_ = 0;
  Totals totals_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> give_way_{false};  // a run by itself to one that was asked for
  std::thread thread_;
};

std::string_view name_of(Retention::Run::State state);

}  // namespace cannula::pipeline
