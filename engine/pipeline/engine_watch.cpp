// What the engine keeps an eye on besides messages: what is paused, what a configuration would
// leave behind, how full the disk is.
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/config/former_names.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/engine.h"
#include "engine/pipeline/noted_time.h"
#include "engine/pipeline/pauses.h"
#include "engine/pipeline/running_channel.h"
#include "parsers/text/shell_word.h"

namespace cannula::pipeline {
namespace {

constexpr std::chrono::milliseconds kDiskLook{500};
// What is under way of a channel that takes nothing any more comes to its end meanwhile, or gets
// less at least.
constexpr std::chrono::milliseconds kMostToEnd{5000};
constexpr std::chrono::milliseconds kMostWithoutLess{1000};
constexpr std::chrono::milliseconds kLookAgain{20};
constexpr unsigned kLooksForSecrets = 10;  // every so many looks at the disk

bool waits(const store::StateCount& one) {
  return one.count > 0 && (one.state == "accepted" || one.state == "queued" ||
                           one.state == "retrying" || one.state == "held" || one.state == "parked");
}

bool waits_for_long(const store::StateCount& one) {
  return one.state == "retrying" || one.state == "held" || one.state == "parked";
}

// Whether the site says what becomes of what is counted there.
bool is_named(const config::Site& site, const store::StateCount& one) {
  const config::ChannelConfig* channel = config::channel_known_as(site, one.channel);
  return channel != nullptr && (one.destination.empty() ||
                                config::destination_known_as(*channel, one.destination) != nullptr);
}

std::string what_waits(const store::StateCount& one) {
  return one.destination.empty()
             ? fmt::format("{} messages of channel {} ({})", one.count, one.channel, one.state)
             : fmt::format("{} deliveries of channel {} to {} ({})", one.count, one.channel,
                           one.destination, one.state);
}

// What a person can do about what `next` would leave behind.
std::string how_to_go_on(const store::StateCount& one, const config::Site& next) {
  const bool channel_gone = config::channel_known_as(next, one.channel) == nullptr;
  return fmt::format(
      "write renamed_from = \"{}\" {} where they are to go on, or end them with `cannula channel "
      "discard {} {}{} --reason TEXT`, or wait until they are delivered",
      channel_gone ? one.channel : one.destination,
      channel_gone ? "at the top of the channel.toml" : "in the [[destination]]", one.channel,
      shell_word(next.root.string()),
      one.destination.empty() ? "" : " --destination " + one.destination);
}

// Of a disabled channel: its source is not opened, and nothing of it is worked or delivered.
void stand_still(Channel& channel) {
  channel.pause_work_by_hand(true);
  for (const auto& [name, destination] : channel.destinations()) destination->pause(true);
}

}  // namespace

Result<void> Engine::pause(const std::string& channel_name, const std::string& asked, bool paused,
                           const std::string& actor, const std::string& reason) {
  std::scoped_lock one_at_a_time(acts_);
  const std::shared_ptr<Channel> channel = channel_named(channel_name);
  if (!channel) {
    return Error{"P317", "there is no channel " + channel_name, "see `cannula status`",
                 std::nullopt};
  }
  const std::string part = TRY(part_of(channel->config(), asked));
  TRY(record_pause(*act_log_, channel->config(), part, paused, actor, reason));
  if (!channel->config().enabled) return {};  // it stands still, and goes by that when it is again
  if (part == "intake") {
    channel->pause_intake(paused);
  } else if (part == "work") {
    channel->pause_work_by_hand(paused);
  } else if (const auto destination = channel->destination_named(part.substr(3))) {
    destination->pause(paused);
  }
  spdlog::warn("channel {}: {} {} by {}", channel->name(), part, paused ? "paused" : "resumed",
               actor);
  return {};
}

void Engine::restore_pauses(Channel& channel) const {
  const auto paused = [&](const std::string& part) {
    return is_paused(*act_log_, channel.config(), part);
  };
  if (!channel.config().enabled) return stand_still(channel);
  if (paused("intake")) channel.pause_intake(true);
  if (paused("work")) channel.pause_work_by_hand(true);
  for (const auto& [name, destination] : channel.destinations()) {
    if (paused("to:" + name)) destination->pause(true);
  }
}

// On a worker's thread. The channel has stopped already; this lets a restart know.
void Engine::stop_on_error(const Channel& channel, MessageId id) {
  spdlog::error(
      "channel {0}: work is paused, because its script failed on message {1} and on_error is "
      "\"stop\"; see `cannula msg show {1} {2}`, then `cannula channel resume {0} {2} --reason "
      "TEXT`",
      channel.name(), id.text(), shell_word(site()->root.string()));
  auto recorded = act_log_->record({now_microseconds(), "pause", channel.name(), "work", "cannula",
                                    "the script failed on message " + id.text()});
  if (!recorded) spdlog::error("{}", recorded.error().text());
}

// Messages that wait for what the configuration no longer names are kept, and nobody else would
// say so.
void Engine::warn_of_the_stranded() const {
  const auto counts = store_->counts();
  if (!counts) return;
  const auto site = this->site();
  for (const store::StateCount& one : *counts) {
    if (!waits(one) || is_named(*site, one)) continue;
    spdlog::warn(
        "{} wait, but are not configured; they go on when they are again, or under "
        "another name with `renamed_from`",
        what_waits(one));
  }
}

// Of channels that are configured now and would not be any more as they are.
Engine::Stranded Engine::what_would_be_stranded(const config::Site& next) const {
  Stranded stranded;
  const auto cannot_tell = [](const Error& error) {
    return Stranded{{{Severity::error, error.code,
                      "it cannot be told what would be left behind: " + error.message, nullptr,
                      std::nullopt, error.hint, ""}},
                    0,
                    true};
  };
  if (const auto caught_up = store_->catch_up_within(store::kPatience); !caught_up)
    return cannot_tell(caught_up.error());
  const auto counts = store_->counts();
  if (!counts) return cannot_tell(counts.error());
  const auto now = site();
  const auto is_left = [&](const store::StateCount& one) {
    return waits(one) && is_named(*now, one) && !is_named(next, one);
  };
  // Messages whose deliveries wait are counted with the deliveries.
  const auto is_in_deliveries = [&](const store::StateCount& one) {
    return one.destination.empty() && one.state == "queued" &&
           std::any_of(counts->begin(), counts->end(), [&](const store::StateCount& other) {
             return other.channel == one.channel && !other.destination.empty() && is_left(other);
           });
  };
  for (const store::StateCount& one : *counts) {
    if (!is_left(one) || is_in_deliveries(one)) continue;
    stranded.count += one.count;
    stranded.for_long = stranded.for_long || waits_for_long(one);
    stranded.findings.push_back({Severity::error, "P315", what_waits(one) + " would be left behind",
                                 nullptr, std::nullopt, how_to_go_on(one, next), ""});
  }
  return stranded;
}

// What is under way has some time to come to its end, as long as it gets less.
Engine::Stranded Engine::what_stays_behind(const config::Site& next) const {
  using std::chrono::steady_clock;
  const auto begun = steady_clock::now();
  auto got_less = begun;
  std::uint64_t least = UINT64_MAX;
  while (true) {
    Stranded stranded = what_would_be_stranded(next);
    const auto now = steady_clock::now();
    if (stranded.count < least) got_less = now;
    least = std::min(least, stranded.count);
    const bool in_vain = now - begun > kMostToEnd || now - got_less > kMostWithoutLess;
    if (stranded.findings.empty() || stranded.for_long || in_vain) return stranded;
    std::this_thread::sleep_for(kLookAgain);
  }
}

bool Engine::loses_something(const config::ChannelConfig& channel, const config::Site& next) {
  return !is_named(next, {channel.name, "", "", 0}) ||
         std::any_of(channel.destinations.begin(), channel.destinations.end(),
                     [&](const config::DestinationConfig& destination) {
                       return !is_named(next, {channel.name, destination.name, "", 0});
                     });
}

// Afterwards all that was acknowledged by these channels is on disk, and nothing follows until the
// channel takes again.
void Engine::take_nothing(const std::vector<Running*>& of) {
  for (Running* running : of) running->channel->set_leaving(true);
  for (Running* running : of) {
    if (running->executor) run_there(running->executor, [] { return true; });
  }
  flush_store();
}

void Engine::note_reload(std::vector<Diagnostic> findings) {
  std::unique_lock lock(mutex_);
  failed_reload_.reset();
  if (!findings.empty()) failed_reload_ = {now_microseconds(), std::move(findings)};
}

std::optional<FailedReload> Engine::failed_reload() const {
  std::shared_lock lock(mutex_);
  return failed_reload_;
}

std::optional<std::string> Engine::why_not_ready() const {
  if (!ready_.load() || !store_) return "starting or stopping";
  if (disk_low_) return "the disk is nearly full, and nothing new is taken until there is room";
  if (const auto trouble = store_->trouble())
    return "the journal cannot be written: " + trouble->message;
  if (!store_->has_room()) return "waiting for the disk";
  return std::nullopt;
}

// Senders are told AE or 503 for each message; this says once why, and finds out when it is over
// although nobody sends.
void Engine::watch_journal() {
  const auto trouble = store_->trouble();
  if (trouble || store_->is_displaced()) store_->probe();
  if (trouble.has_value() == journal_stuck_) return;
  journal_stuck_ = trouble.has_value();
  if (trouble) {
    spdlog::error(
        "the journal cannot be written: {}. Nothing is taken, and nothing acknowledged, until it "
        "can be; what waits is kept",
        trouble->text());
  } else {
    spdlog::info("the journal can be written again: messages are taken");
  }
}

// Nothing waits for it but questions, which would go on being answered with what was.
void Engine::watch_index() {
  const auto trouble = store_->index_trouble();
  if (trouble.has_value() == index_stuck_) return;
  index_stuck_ = trouble.has_value();
  if (trouble) {
    spdlog::error(
        "the index cannot be written: {}. Messages are taken and on record all the same; counts, "
        "lists and searches stand still until it can be",
        trouble->text());
  } else {
    spdlog::info("the index can be written again: it follows the journal");
  }
}

Retention::Hands Engine::retention_hands() {
  Retention::Hands hands;
  hands.site = [this] { return site(); };
  hands.prune = [this](const store::PruneOrder& order) { return store_->prune(order); };
  hands.alone = [this](const std::function<Result<void>()>& work) {
    const std::scoped_lock one_at_a_time(acts_);
    return work();
  };
  const auto file = site_->store.directory / "retention-clock";
  hands.believed = noted_time(file);
  const auto last = store_->messages({.newest_first = true, .limit = 1});
  if (!hands.believed && last && !last->empty()) hands.believed = last->front().received_at;
  hands.remember = [file](store::Timestamp now) {
    // Where it cannot be written the next start believes what was noted before.
    static_cast<void>(note_time(file, now).has_value());
  };
  hands.ended = [this](const store::PruneReport& report) {
    for (const auto& [name, channel] : report.channels) {
      audit_->note({.act = "message.forget",
                    .object = {.channel = name},
                    .reason = "as [retention] says",
                    .detail = {{"messages", std::to_string(channel.messages)},
                               {"bodies", std::to_string(channel.bodies)}}});
    }
  };
  return hands;
}

// Intake stops while there is less room than `keep_free`, and goes on when there is a tenth more,
// so that it does not change with every message.
void Engine::watch_disk() {
  watch_journal();
  watch_index();
  if (++looks_ % kLooksForSecrets == 0) open_waiting_sources();
  const std::uint64_t keep = site()->store.keep_free;
  const auto free = keep > 0 ? store_->free_space() : Result<std::uint64_t>(UINT64_MAX);
  const bool was_low = disk_low_;
  const bool low = free && *free < (was_low ? keep + keep / 10 : keep);
  if (low != was_low) {
    disk_low_ = low;
    if (low) {
      spdlog::error(
          "the disk is nearly full ({} MB free): nothing new is taken until there is room",
          *free >> 20);
    } else {
      spdlog::info("the disk has room again: messages are taken");
    }
  }
  if (low && retention_) retention_->hurry();
  for (const auto& channel : all_channels()) channel->set_disk_low(low);
  disk_timer_ = std::make_shared<boost::asio::steady_timer>(*background_, kDiskLook);
  disk_timer_->async_wait([this](boost::system::error_code stopped) {
    if (!stopped) watch_disk();
  });
}

}  // namespace cannula::pipeline
