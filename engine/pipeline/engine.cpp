#include "engine/pipeline/engine.h"

#include <iterator>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/config/former_names.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/running_channel.h"
#include "engine/security/site_keys.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

// At a reload, for what is under way of a channel that goes or changes.
constexpr milliseconds kGrace{10'000};

// Nothing but the script (and modules) differs: the channel keeps its connections and queues.
bool same_but_script(const config::Site& old_site, const config::ChannelConfig& a,
                     const config::Site& new_site, const config::ChannelConfig& b) {
  const auto partner_of = [](const config::Site& site, const config::ChannelConfig& config) {
    auto found = site.partners.find(config.partner);
    return found == site.partners.end() ? config::PartnerConfig{} : found->second;
  };
  return a.source_written == b.source_written && a.enabled == b.enabled && a.order == b.order &&
         a.validation == b.validation && a.ack == b.ack && a.on_error == b.on_error &&
         a.renamed_from == b.renamed_from && a.script_time == b.script_time &&
         a.script_memory == b.script_memory && partner_of(old_site, a) == partner_of(new_site, b) &&
         std::equal(a.destinations.begin(), a.destinations.end(), b.destinations.begin(),
                    b.destinations.end(), [](const auto& x, const auto& y) {
                      return x.written == y.written && x.name == y.name;
                    });
}

// Lets channels take from their senders again, however a reload ends that asked them not to.
class TakingAgain {
 public:
  ~TakingAgain() {
    for (const auto& channel : channels_) channel->set_leaving(false);
  }
  void of(std::shared_ptr<Channel> channel) { channels_.push_back(std::move(channel)); }

 private:
  std::vector<std::shared_ptr<Channel>> channels_;
};

}  // namespace

Engine::Engine(std::shared_ptr<const config::Site> site, std::span<const Transport> transports,
               store::FileSystem* file_system, const WallClock& clock)
    : transports_(transports), file_system_(file_system), clock_(clock), site_(std::move(site)) {}

Engine::~Engine() {
  stop();
}

std::shared_ptr<const config::Site> Engine::site() const {
  std::shared_lock lock(mutex_);
  return site_;
}

std::int64_t Engine::now() const {
  return now_microseconds();
}

std::optional<std::string> Engine::state(const std::string& channel, const std::string& key) const {
  std::shared_lock lock(mutex_);
  auto found = channels_.find(channel);
  if (found == channels_.end()) return std::nullopt;
  return found->second->channel->state().get(key);
}

std::shared_ptr<const rules::Resources> Engine::resources() const {
  return resources_->current();
}

// Parked messages whose codes are all in their tables now run again, in the order they came.
bool Engine::release_mapped(const rules::Resources& resources) {
  constexpr std::size_t kAtOnce = 1000;
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const auto mapped = [&](const auto& code) {
    const auto table = resources.tables.find(code.first);
    return table != resources.tables.end() && table->second->find(code.second, today).has_value();
  };
  if (!store_->catch_up_within(store::kPatience)) return false;
  MessageId after{};
  std::map<std::string, std::size_t> released_by;  // table
  const auto enter = [&] {
    for (const auto& [table, count] : released_by) {
      audit_->note({.act = "message.release",
                    .object = {.file = "tables/" + table + ".csv"},
                    .reason = "the codes they waited for are mapped now",
                    .detail = {{"messages", std::to_string(count)}}});
    }
  };
  while (true) {
    const auto rows = store_->awaiting(after, kAtOnce);
    if (!rows) {
      enter();
      return false;
    }
    for (const store::AwaitingRow& row : *rows) {
      if (!std::all_of(row.codes.begin(), row.codes.end(), mapped)) continue;
      const auto released = resend(row.id, 0, "table " + row.codes.front().first,
                                   "the codes it waited for are mapped now");
      if (!released) {
        spdlog::warn("message {} waits for no code any more, but cannot be released: {}",
                     row.id.text(), released.error().text());
      } else {
        ++released_by[row.codes.front().first];
      }
    }
    if (rows->size() < kAtOnce) {
      enter();
      return true;
    }
    after = rows->back().id;
  }
}

// Everything submitted before is on disk afterwards, and whoever waits for it has been told.
void Engine::flush_store() {
  if (auto flushed = store_->commit({}); !flushed) {
    spdlog::error("the store could not be flushed: {}", flushed.error().text());
  }
}

namespace {

void say_if_it_is_new(const store::Recovery& recovery, const std::filesystem::path& directory) {
  if (!recovery.made_new) return;
  if (recovery.left_behind.empty()) {
    spdlog::warn("store: there was none in {}: a new one was made, and it is empty",
                 directory.string());
    return;
  }
  spdlog::error(
      "store: the journal is GONE from {}, where {} of an earlier store is still: a new one was "
      "made, "
      "and it is EMPTY. Messages that were accepted and not yet delivered are not in it. If that "
      "was "
      "not meant, stop the engine and restore the store (`cannula store restore`, after moving "
      "what "
      "is there aside)",
      directory.string(), fmt::format("{}", fmt::join(recovery.left_behind, ", ")));
}

void say_what_keys(const security::KeyRing* keys) {
  if (keys->made_master_key()) {
    spdlog::warn(
        "keys: a master key was made in {}, beside what it opens: keep a copy elsewhere, without "
        "it nothing in the store can be read; better, put it on another disk and name it in "
        "site.toml: [keys] master",
        keys->master().place);
  }
  if (!security::keys_are_locked()) {
    spdlog::warn(
        "keys: their memory could not be locked and may reach the swap; raise the limit "
        "of locked memory (ulimit -l)");
  }
}

}  // namespace

std::vector<Diagnostic> Engine::start(
    std::function<void(std::uint64_t done, std::uint64_t all)> on_index_progress) {
  std::vector<Diagnostic> findings;
  store::Options options;
  options.directory = site_->store.directory;
  options.segment_size = site_->store.segment_size;
  options.file_system = file_system_;
  options.on_index_progress = std::move(on_index_progress);
  options.on_index_changed = [](const Error& error) { spdlog::error("store: {}", error.text()); };
  auto keys = security::open_site_keys(*site_);
  if (keys) options.keys = *keys;
  auto opened =
      keys ? store::Store::open(options) : Result<std::unique_ptr<store::Store>>(keys.error());
  if (!opened) {
    const Error& error = opened.error();
    findings.push_back(
        {Severity::error, error.code, error.message, nullptr, std::nullopt, error.hint, ""});
    return findings;
  }
  store_ = *std::move(opened);
  ring_ = security::ring_text((*keys)->id());
  const auto told = audit::last_journal_end(
      audit_directory(*site_), file_system_ ? *file_system_ : store::FileSystem::real());
  auto trail = open_audit(*site_, file_system_, [this] { return journal_end(); });
  if (!trail) {
    const Error& error = trail.error();
    findings.push_back({Severity::error, error.code, "[audit] key: " + error.message, nullptr,
                        std::nullopt, error.hint, ""});
    store_->close();
    store_.reset();
    return findings;
  }
  audit_ = *std::move(trail);
  if (told && *told) compare_with_trail(**told);
  configuration_ = std::make_unique<ConfigurationWatch>(*site_);
  auto acts = ActLog::open(site_->store.directory);
  if (!acts) {
    findings.push_back({Severity::error, acts.error().code, acts.error().message, nullptr,
                        std::nullopt, acts.error().hint, ""});
    return findings;
  }
  act_log_ = *std::move(acts);
  auto holds = Holds::open(site_->store.directory);
  if (!holds) {
    findings.push_back({Severity::error, holds.error().code, holds.error().message, nullptr,
                        std::nullopt, holds.error().hint, ""});
    return findings;
  }
  holds_ = *std::move(holds);
  bulk_acts_ = std::make_unique<BulkActs>(bulk_hands());
  say_what_keys((*keys).get());
  const store::Recovery& recovery = store_->recovery();
  say_if_it_is_new(recovery, site_->store.directory);
  if (recovery.torn_bytes_cut > 0) {
    spdlog::info(
        "store: {} bytes at the journal's end had not been synced and were cut off; nothing in "
        "them was "
        "acknowledged",
        recovery.torn_bytes_cut);
  }
  if (recovery.index_rebuilt)
    spdlog::warn("store: the index was rebuilt: {}", recovery.index_rebuilt_why);
  for (const Diagnostic& damage : recovery.damage) spdlog::error("store: {}", render(damage));

  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const config::EngineConfig& engine = site_->engine;
  io_ = std::make_unique<IoThreads>(engine.io_threads ? engine.io_threads
                                                      : std::max<std::size_t>(1, cores / 2));
  background_ = std::make_unique<asio::thread_pool>(1);
  resources_ = std::make_unique<ResourceKeeper>(
      site_->root, site_->resources,
      [this](const rules::Resources& resources) { return release_mapped(resources); },
      [this] { enter_configuration("tables.taken_in"); });
  scheduler_ =
      std::make_unique<Scheduler>(engine.workers ? engine.workers : cores, engine.script_memory,
                                  *store_, static_cast<script::Host&>(*this));
  Channels channels;
  for (const auto& [name, config] : site_->channels) {
    if (auto running = build(*site_, config, findings)) channels.emplace(name, std::move(running));
  }
  if (!findings.empty()) {
    channels.clear();
    stop(milliseconds(0));
    return findings;
  }
  {
    std::unique_lock lock(mutex_);
    channels_ = std::move(channels);
  }
  retention_ = std::make_unique<Retention>(retention_hands(), *holds_);
  watch_disk();
  scheduler_->start();
  for (auto& [name, running] : channels_) begin_work(*running, findings);
  for (auto& [name, running] : channels_) {
    if (findings.empty()) open_source_or_wait(*running, findings);
  }
  if (findings.empty()) findings = why_nothing_is_open();
  if (!findings.empty()) stop(milliseconds(0));
  ready_ = findings.empty();
  if (ready_) {
    enter_configuration("engine.start");
    warn_of_the_stranded();
    resources_->start();
  }
  return findings;
}

void Engine::stop(milliseconds grace) {
  if (resources_) resources_->stop();  // it may be resending just now
  if (bulk_acts_) bulk_acts_->stop();
  if (retention_) retention_->stop();
  std::scoped_lock one_at_a_time(acts_);
  ready_ = false;
  if (!store_) return;
  const auto until = std::chrono::steady_clock::now() + grace;
  std::vector<Running*> all;
  for (auto& [name, running] : channels_) {
    all.push_back(running.get());
    close_source(*running, grace);
  }
  const auto left = std::chrono::floor<milliseconds>(until - std::chrono::steady_clock::now());
  end_work(all, std::max(left, milliseconds(0)));
  settle_offers(channels_);
  if (scheduler_) scheduler_->stop();
  if (audit_) {
    audit::Entry entry{.act = "engine.stop"};
    audit::put(journal_end(), entry.detail);
    audit_->note(std::move(entry));
    audit_->close();
  }
  store_->close();
  if (background_) {
    background_->stop();
    background_->join();
  }
  if (io_) io_->stop();
  {
    std::unique_lock lock(mutex_);
    channels_.clear();
  }
  scheduler_.reset();
  disk_timer_.reset();
  background_.reset();
  io_.reset();
  audit_.reset();
  store_.reset();
}

std::vector<Diagnostic> Engine::reload(std::shared_ptr<const config::Site> site) {
  std::scoped_lock one_at_a_time(acts_);
  std::vector<Diagnostic> findings;
  const auto before = this->site();
  const auto needs_restart = [&](std::string_view what) {
    findings.push_back({Severity::error, "P307",
                        std::string(what) + " cannot be changed while the engine runs", nullptr,
                        std::nullopt, "stop the engine and start it again", ""});
  };
  if (site->store.directory != before->store.directory) needs_restart("[store] directory");
  if (site->admin.listen.has_value() != before->admin.listen.has_value() ||
      (site->admin.listen && site->admin.listen->text() != before->admin.listen->text())) {
    needs_restart("[admin] listen");
  }
  // What waits for a person or a time need not be asked for with senders kept waiting.
  if (Stranded stranded = what_would_be_stranded(*site); stranded.for_long) {
    std::move(stranded.findings.begin(), stranded.findings.end(), std::back_inserter(findings));
  }
  if (!findings.empty()) return findings;

  // Build everything first; what is kept runs on meanwhile.
  Channels built;
  std::map<std::string, std::shared_ptr<const script::Program>> new_programs;
  std::map<std::string, bool> wants_responses;
  for (const auto& [name, config] : site->channels) {
    auto running = build(*site, config, findings);
    if (!running) continue;
    auto old = channels_.find(name);
    if (old != channels_.end() && same_but_script(*before, old->second->config, *site, config)) {
      new_programs[name] = running->channel->program();
      wants_responses[name] = running->channel->wants_responses();
    } else {
      findings.insert(findings.end(), running->missing_secrets.begin(),
                      running->missing_secrets.end());
      built.emplace(name, std::move(running));
    }
  }
  if (!findings.empty()) return findings;

  std::vector<Running*> losing;
  TakingAgain taking_again;
  for (auto& [name, running] : channels_) {
    if (!loses_something(running->config, *site)) continue;
    losing.push_back(running.get());
    taking_again.of(running->channel);
  }
  if (!losing.empty()) {
    take_nothing(losing);
    findings = what_stays_behind(*site).findings;
    if (!findings.empty()) return findings;
  }

  // Listeners of what goes or changes are closed before those of what comes are opened: they may
  // share ports.
  std::vector<Running*> leaving;
  for (auto& [name, running] : channels_) {
    if (!new_programs.contains(name)) leaving.push_back(running.get());
  }
  for (Running* running : leaving) close_source(*running, kGrace);
  // The new ones know by the index alone what the old ones took in.
  flush_store();
  if (auto known = store_->catch_up_within(store::kPatience); !known) {
    const Error& error = known.error();
    findings.push_back(
        {Severity::error, error.code, error.message, nullptr, std::nullopt, error.hint, ""});
  }
  for (auto& [name, running] : built) {
    if (!findings.empty() || !open_source(*site, *running, findings)) break;
  }
  if (!findings.empty()) {
    for (auto& [name, running] : built) close_source(*running, milliseconds(0));
    settle_offers(built);
    for (Running* running : leaving) {  // what the new listeners took in meanwhile is on disk
      running->channel->queue().look_on_disk();
      open_source(*before, *running, findings);
      scheduler_->ready(*running->channel);
    }
    return findings;
  }

  end_work(leaving, kGrace);
  flush_store();
  store_->catch_up();  // attempts that were under way: what comes must not deliver them again
  std::vector<Running*> coming;
  Channels retired;
  {
    std::unique_lock lock(mutex_);
    for (auto place = channels_.begin(); place != channels_.end();) {
      if (new_programs.contains(place->first)) {
        ++place;
      } else {
        retired.insert(channels_.extract(place++));
      }
    }
    for (auto& [name, running] : built) {
      coming.push_back(running.get());
      channels_[name] = std::move(running);
    }
    for (auto& [name, program] : new_programs) {
      Running& running = *channels_[name];
      running.config = site->channels.at(name);
      running.channel->set_wants_responses(wants_responses[name]);
      running.channel->replace_program(std::move(program));
    }
    resources_->replace(site->resources);
    site_ = std::move(site);
  }
  settle_offers(retired);
  for (Running* running : coming) begin_work(*running, findings);
  enter_configuration("configuration.in_use");
  warn_of_the_stranded();
  warn_of_the_master_key();
  return findings;
}

// The store is open, and goes on; it would not open at the next start. A token is not asked: it
// counts wrong PINs, and may be slow.
void Engine::warn_of_the_master_key() const {
  const security::KeyRing::Place place = security::place_of_keys(*site());
  if (place.master.keys) return;
  const auto opens = security::KeyRing::can_open(place);
  if (opens) return;
  spdlog::error(
      "keys: {}; the engine goes on with what it has opened, and could not be started "
      "anew",
      opens.error().text());
}

void Engine::enter_configuration(const char* act) {
  std::scoped_lock lock(configuration_mutex_);
  audit::Entry entry = configuration_->entry(act);
  audit::put(journal_end(), entry.detail);
  audit_->note(std::move(entry));
}

audit::JournalEnd Engine::journal_end() const {
  return {.store = store_->identity(), .end = store_->end(), .keys = ring_};
}

// The engine goes on: what comes in is stored behind what is there.
void Engine::compare_with_trail(const audit::JournalEnd& told) {
  const std::string why = audit::why_not_the_same(journal_end(), told);
  if (why.empty()) return;
  spdlog::error(
      "store: A112 {}: messages are missing; keep a copy of the store's folder as it is, index.db "
      "too, and see `cannula audit verify`",
      why);
  audit_->note(
      {.act = "journal.short", .outcome = audit::Outcome::failed, .code = "A112", .reason = why});
}

// Offers that were under way when their source was closed end before what they use is gone.
void Engine::settle_offers(Channels& channels) {
  flush_store();
  static_cast<void>(store_->catch_up_within(store::kPatience).has_value());
  for (auto& [name, running] : channels) {
    if (running->executor) run_there(running->executor, [] { return true; });
  }
}

std::shared_ptr<Channel> Engine::channel_named(const std::string& name) const {
  std::shared_lock lock(mutex_);
  for (const auto& [now, running] : channels_) {
    if (config::is_known_as(running->config, name)) return running->channel;
  }
  return nullptr;
}

std::vector<std::shared_ptr<Channel>> Engine::all_channels() const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<Channel>> channels;
  for (const auto& [name, running] : channels_) channels.push_back(running->channel);
  return channels;
}

void Engine::each_channel(const std::function<void(const ChannelView&)>& visit) const {
  std::shared_lock lock(mutex_);
  for (const auto& [name, running] : channels_)
    visit({*running->channel, running->address, running->not_open,
           running->source_report->standing()});
}

}  // namespace cannula::pipeline
