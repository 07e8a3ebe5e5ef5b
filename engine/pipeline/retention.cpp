#include "engine/pipeline/retention.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include "engine/config/former_names.h"
#include "engine/pipeline/clock.h"

namespace cannula::pipeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Rests three times as long as it works: a quarter of one core at the most, and of the disk.
constexpr unsigned kRest = 3;

std::optional<store::Timestamp> microseconds(const config::RetentionConfig::Period& period) {
  if (!period) return std::nullopt;
  return std::chrono::microseconds(*period).count();
}

config::RetentionConfig::Period period_of(const config::RetentionConfig& retention,
                                          store::MessageState state) {
  using State = store::MessageState;
  switch (state) {
    case State::done:
      return retention.done;
    case State::filtered:
      return retention.filtered;
    case State::rejected:
      return retention.rejected;
    case State::dead:
      return retention.dead;
    case State::discarded:
      return retention.discarded;
    default:
      return std::nullopt;
  }
}

// It keeps what follows of its order key waiting, until a person sends it again or discards it.
bool holds_its_key(const config::Site& site, const store::MessageRow& row) {
  const config::ChannelConfig* channel = config::channel_known_as(site, row.channel);
  return row.state == store::MessageState::dead && channel != nullptr &&
         channel->order.on_hold == config::OrderConfig::OnHold::hold_key;
}

bool ends(const config::RetentionConfig& retention) {
  return retention != config::RetentionConfig();
}

}  // namespace

std::string_view name_of(Retention::Run::State state) {
  using State = Retention::Run::State;
  return state == State::running  ? "running"
         : state == State::done   ? "done"
         : state == State::failed ? "failed"
                                  : "ended_early";
}

store::PruneOrder prune_order(std::shared_ptr<const config::Site> site, const Holds& holds,
                              store::Timestamp now) {
  store::PruneOrder order;
  order.now = now;
  order.keep = [site](const std::string& channel, store::MessageState state) {
    const config::ChannelConfig* config = config::channel_known_as(*site, channel);
    const config::RetentionConfig& retention = config ? config->retention : site->retention;
    return store::Keep{microseconds(period_of(retention, state)), microseconds(retention.bodies)};
  };
  order.held = [site, &holds](const store::MessageRow& row, const store::FoundBy& found_by) {
    if (holds_its_key(*site, row)) return std::string("it is dead and holds its order key");
    std::string hold = holds.covering(row, found_by);
    const config::ChannelConfig* channel = config::channel_known_as(*site, row.channel);
    if (!hold.empty() || channel == nullptr) return hold;
    store::MessageRow known_as = row;  // one that names the channel is of all names that it has had
    for (const std::string& name : config::names_of(*channel)) {
      known_as.channel = name;
      if (hold = holds.covering(known_as, found_by); !hold.empty()) break;
    }
    return hold;
  };
  return order;
}

Retention::Retention(Hands hands, const Holds& holds)
    : hands_(std::move(hands)),
      holds_(holds),
      clock_(hands_.believed, steady_clock::now()),
      thread_([this] { loop(); }) {}

Retention::~Retention() {
  stop();
}

void Retention::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Retention::something_ends(const config::Site& site) const {
  if (ends(site.retention)) return true;
  return std::any_of(site.channels.begin(), site.channels.end(),
                     [](const auto& channel) { return ends(channel.second.retention); });
}

void Retention::loop() {
  ::pthread_setname_np(::pthread_self(), "retention");
  std::unique_lock lock(mutex_);
  auto last = steady_clock::now();
  while (!stopping_) {
    const milliseconds every = hands_.site()->retention_every;
    const auto wake = [this] { return stopping_ || waiting_ || hurried_; };
    // Looked at now and then, for `every` may be another after a reload.
    changed_.wait_for(lock, std::chrono::seconds(1), wake);
    if (stopping_) return;
    if (waiting_) {
      waiting_ = false;
      give_way_ = false;
      Run asked = *asked_;
      lock.unlock();
      run(asked, true);
      lock.lock();
      asked_ = std::move(asked);
      changed_.notify_all();
      continue;
    }
    const bool hurried = std::exchange(hurried_, false);
    const bool due = every.count() > 0 && steady_clock::now() - last >= every;
    if (!hurried && !due) continue;
    last = steady_clock::now();
    if (!something_ends(*hands_.site())) continue;
    lock.unlock();
    Run by_itself;
    run(by_itself, hurried);
    lock.lock();
  }
}

store::Timestamp Retention::believed_now() {
  const store::Timestamp believed = clock_.now(now_microseconds(), steady_clock::now());
  const bool doubted = clock_.ahead().count() > 0;
  if (doubted && !doubted_) {
    spdlog::error(
        "retention: the clock is {} days ahead of where it was, or of the newest message. If it is "
        "wrong, set it right: what is forgotten is gone. If it is right there is nothing to do: "
        "retention follows it, a day an hour",
        std::chrono::floor<std::chrono::days>(clock_.ahead()).count());
  } else if (!doubted && doubted_) {
    spdlog::info("retention: goes by the clock again");
  }
  doubted_ = doubted;
  if (hands_.remember) hands_.remember(believed);
  return believed;
}

store::PruneOrder Retention::order_for(const Run& run, bool at_once) {
  const auto site = hands_.site();
  store::PruneOrder order = prune_order(site, holds_, believed_now());
  order.dry_run = run.dry_run;
  order.within = at_once ? 0 : std::chrono::microseconds(site->retention_within).count();
  order.rest = at_once ? 0 : kRest;
  order.alone = [this](const std::function<Result<void>()>& work) {
    return hands_.alone([&] { return holds_.while_none_is_added(work); });
  };
  const bool was_asked = run.number != 0;
  order.go_on = [this, was_asked](const store::PruneReport& so_far) {
    if (was_asked) {
      const std::scoped_lock lock(mutex_);
      asked_->report = so_far;
    }
    return !stopping_ && (was_asked || !give_way_);
  };
  return order;
}

void Retention::run(Run& run, bool at_once) {
  run.began = now_microseconds();
  auto report = hands_.prune(order_for(run, at_once));
  run.ended = now_microseconds();
  run.state = !report               ? Run::State::failed
              : report->ended_early ? Run::State::ended_early
                                    : Run::State::done;
  if (!report) {
    run.failure = report.error();
    if (!stopping_) spdlog::error("retention: {}", run.failure->text());
  } else {
    run.report = *std::move(report);
  }
  const std::scoped_lock lock(mutex_);
  ++totals_.runs;
  if (run.failure) ++totals_.failed;
  if (!run.dry_run) add(run.report);
}

void Retention::add(const store::PruneReport& report) {
  for (const auto& [name, channel] : report.channels) {
    auto& total = totals_.channels[name];
    total.messages += channel.messages;
    total.bodies += channel.bodies;
    total.bytes += channel.bytes;
  }
  totals_.bytes_freed += report.bytes_freed;
  const std::uint64_t forgotten = report.messages() + report.bodies();
  if (forgotten + report.bytes_freed == 0) return;
  spdlog::info(
      "retention: {} messages forgotten, bodies of {} removed; {} segments written anew, {} "
      "removed, {} MB given back",
      report.messages(), report.bodies(), report.segments_packed, report.segments_removed,
      report.bytes_freed >> 20);
  if (forgotten > 0 && hands_.ended) hands_.ended(report);
}

Result<Retention::Run> Retention::begin(bool dry_run) {
  const std::scoped_lock lock(mutex_);
  if (asked_ && asked_->state == Run::State::running) {
    return Error{"P333", "retention is at work, as somebody asked",
                 "`cannula store stats` says how far it is"};
  }
  asked_ = Run{.number = ++numbers_, .dry_run = dry_run, .report = {}, .failure = {}};
  asked_->began = now_microseconds();
  waiting_ = true;
  give_way_ = true;
  changed_.notify_all();
  return *asked_;
}

std::optional<Retention::Run> Retention::asked_for() const {
  const std::scoped_lock lock(mutex_);
  return asked_;
}

Retention::Totals Retention::totals() const {
  const std::scoped_lock lock(mutex_);
  return totals_;
}

void Retention::hurry() {
  constexpr auto kNotSooner = std::chrono::seconds(30);
  const std::scoped_lock lock(mutex_);
  const auto now = steady_clock::now();
  if (last_hurry_ != steady_clock::time_point{} && now - last_hurry_ < kNotSooner) return;
  last_hurry_ = now;
  hurried_ = true;
  changed_.notify_all();
}

}  // namespace cannula::pipeline
