#include "engine/pipeline/engine.h"

#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/pipeline/clock.h"
#include "engine/pipeline/secretless.h"
#include "engine/security/secrets.h"
#include "engine/security/site_keys.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPatienceForFates{
    2000};  // at stop, for senders that wait for more than the disk

class WireReport : public Report {
 public:
  // `audit`, of a source that listens: told of connections that did not come about. Otherwise null:
  // a peer that we cannot reach is no security event.
  WireReport(std::string name, NamedCounters& counters, audit::Log* audit = nullptr,
             std::string channel = {})
      : name_(std::move(name)), counters_(counters), audit_(audit), channel_(std::move(channel)) {}
  void log(Level level, std::string_view text) override {
    static constexpr spdlog::level::level_enum kLevels[] = {
        spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
    spdlog::log(kLevels[static_cast<std::size_t>(level)], "{}: {}", name_, text);
  }
  void count(std::string_view counter, std::int64_t by) override {
    counters_.add(counter, by);
    if (!audit_) return;
    if (counter == "connections_failed_total") {
      enter("connection.failed", "TLS was not agreed on; the engine's log says why");
    } else if (counter == "connections_refused_total") {
      enter("connection.refused", "too many connections; the engine's log says whose");
    }
  }

 private:
  void enter(const char* act, const char* why) {
    audit_->note_refusal({.actor = {.kind = audit::Actor::Kind::partner},
                          .act = act,
                          .object = {.channel = channel_},
                          .reason = why});
  }

  const std::string name_;
  NamedCounters& counters_;
  audit::Log* const audit_;
  const std::string channel_;
};

Result<std::string> read_secret(const SecretReference& reference) {
  security::Secret secret = TRY(security::read_secret(reference));
  if (!secret.warning.empty()) spdlog::warn("{}", secret.warning);
  return secret.text;
}

// Runs `work` where `executor` runs and waits for it.
template <class Work>
auto run_there(asio::any_io_executor executor, Work work) {
  std::packaged_task<decltype(work())()> task(std::move(work));
  auto result = task.get_future();
  asio::post(executor, [&task] { task(); });
  return result.get();
}

void await_there(asio::any_io_executor executor, asio::awaitable<void> work) {
  asio::co_spawn(executor, std::move(work), asio::use_future).get();
}

// T101: the port is another program's, or the address not (yet) this machine's.
bool is_closed_listener(const Error& error) {
  return error.code == "T101";
}

Diagnostic finding_of(const std::string& channel, const Error& error) {
  Diagnostic finding;
  finding.code = error.code;
  finding.message = "channel " + channel + ": " + error.message;
  finding.hint = error.hint;
  return finding;
}

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

}  // namespace

struct Engine::Running {
  config::ChannelConfig config;
  std::shared_ptr<Channel> channel;
  std::unique_ptr<ChannelIntake> intake;
  std::unique_ptr<WireReport> source_report;
  std::vector<std::unique_ptr<WireReport>> destination_reports;
  std::vector<asio::any_io_executor> destination_executors;
  asio::any_io_executor executor;
  std::unique_ptr<Receiver> receiver;  // made and used on `executor`
  std::string address;
  std::optional<Error> not_open;            // why its source is not, and is tried again
  std::vector<Diagnostic> missing_secrets;  // of its destinations
};

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

Result<std::string> Engine::secret(const std::string&, const std::string& name) const {
  const auto site = this->site();
  auto found = site->secrets.find(name);
  if (found == site->secrets.end()) {
    return Error{"P306",
                 "there is no secret named \"" + name + "\"",
                 "name it under [secrets] in site.toml",
                 {}};
  }
  return read_secret(found->second);
}

const Transport* Engine::transport(std::string_view type) const {
  auto found = std::find_if(transports_.begin(), transports_.end(),
                            [&](const Transport& transport) { return transport.type == type; });
  return found == transports_.end() ? nullptr : &*found;
}

Ports Engine::ports(const config::Site& site, Report& report) {
  return Ports{io_->next(), report, &read_secret, site.root};
}

std::shared_ptr<const script::Program> Engine::program_of(const config::Site& site,
                                                          const config::ChannelConfig& config) {
  auto program = std::make_shared<script::Program>();
  program->channel = config.name;
  program->main = config.script;
  program->modules = site.modules;
  program->timezone = config.timezone;
  program->charset = config.charset;
  for (const auto& destination : config.destinations)
    program->destinations.push_back(destination.name);
  return program;
}

// Everything of a channel except that nothing of it runs yet. The script is loaded once to see that
// it can be.
std::unique_ptr<Engine::Running> Engine::build(const config::Site& site,
                                               const config::ChannelConfig& config,
                                               std::vector<Diagnostic>& findings) {
  auto program = program_of(site, config);
  script::Limits limits;
  limits.memory = config.script_memory;
  limits.time = config.script_time;
  script::MemoryPool pool(config.script_memory);
  auto loaded = script::Runtime::load(program, limits, *this, pool);
  if (auto* errors = std::get_if<std::vector<Diagnostic>>(&loaded)) {
    findings.insert(findings.end(), errors->begin(), errors->end());
    return nullptr;
  }
  const auto unknown = script::check_names(*program, *site.resources);
  findings.insert(findings.end(), unknown.begin(), unknown.end());
  if (!unknown.empty()) return nullptr;
  auto running = std::make_unique<Running>();
  running->config = config;
  running->channel =
      std::make_shared<Channel>(config, program, *store_, *scheduler_, background_->get_executor());
  running->channel->on_parked_until_mapped([this] { resources_->look_again(); });
  running->channel->on_stop(
      [this, channel = running->channel.get()](MessageId id) { stop_on_error(*channel, id); });
  running->channel->set_disk_low(disk_low_);
  running->channel->set_wants_responses(
      std::get<std::unique_ptr<script::Runtime>>(loaded)->has_response_handler());
  running->source_report = std::make_unique<WireReport>(
      "channel " + config.name, running->channel->metrics().transport,
      config.source.has("connect") ? nullptr : audit_.get(), config.name);

  std::shared_ptr<const security::AccessList> access;
  if (!config.partner.empty()) {
    access = std::make_shared<const security::AccessList>(site.partners.at(config.partner));
  }
  running->intake = std::make_unique<ChannelIntake>(running->channel, std::move(access), *store_,
                                                    audit_.get(), [this] { return resources(); });

  const bool hold_key = config.order.on_hold == config::OrderConfig::OnHold::hold_key;
  for (const config::DestinationConfig& destination : config.destinations) {
    auto metrics = std::make_shared<DestinationMetrics>();
    running->destination_reports.push_back(std::make_unique<WireReport>(
        "channel " + config.name + ", destination " + destination.name, metrics->transport));
    Ports given = ports(site, *running->destination_reports.back());
    running->destination_executors.push_back(given.executor);
    const Transport* type = transport(destination.type);
    const MakeSender make = [type, values = destination.values, given] {
      return type->make_sender(values, given);
    };
    auto sender = run_there(given.executor, make);
    const std::optional<Error> lacks = sender ? std::nullopt : std::optional(sender.error());
    if (lacks) {
      Diagnostic finding = finding_of(config.name + ", destination " + destination.name, *lacks);
      if (!is_missing_secret(*lacks)) {
        findings.push_back(std::move(finding));
        continue;
      }
      running->missing_secrets.push_back(std::move(finding));
      sender = secretless_sender(make);
    }
    auto attached = std::make_shared<Destination>(
        running->channel->names(), destination, hold_key, *store_, *running->channel, given,
        background_->get_executor(), *std::move(sender), metrics, clock_);
    if (lacks) attached->begin_away(*lacks);
    running->channel->attach(std::move(attached));
  }
  return running;
}

bool Engine::open_source(const config::Site& site, Running& running,
                         std::vector<Diagnostic>& findings) {
  if (!running.config.enabled) return true;
  Ports given = ports(site, *running.source_report);
  running.executor = given.executor;
  const Transport* type = transport(running.config.source_type);
  Result<void> opened = run_there(given.executor, [&]() -> Result<void> {
    running.receiver = TRY(type->make_receiver(running.config.source, given, *running.intake));
    TRY(running.receiver->start());
    std::unique_lock lock(mutex_);
    running.address = running.receiver->address();
    running.not_open.reset();
    return {};
  });
  if (opened) return true;
  findings.push_back(finding_of(running.config.name, opened.error()));
  close_source(running, milliseconds(0));
  return false;
}

// A secret that is not there, and a port that another program has, keep this channel waiting, and
// no other.
void Engine::open_source_or_wait(Running& running, std::vector<Diagnostic>& findings) {
  for (const Diagnostic& finding : running.missing_secrets) {
    spdlog::error("{} ({}) [{}]; what is sent there waits until it can be delivered",
                  finding.message, finding.hint, finding.code);
  }
  std::vector<Diagnostic> own;
  if (open_source(*site_, running, own)) return;
  Error why(own.front().code, own.front().message, own.front().hint);
  if (!is_missing_secret(why) && !is_closed_listener(why)) {
    findings.push_back(std::move(own.front()));
    return;
  }
  spdlog::error("{}; the channel takes nothing meanwhile, and is tried again every few seconds",
                why.text());
  std::unique_lock lock(mutex_);
  running.not_open = std::move(why);
}

// An engine that nobody can reach, because of ports, had better say so and end: perhaps another one
// runs. Empty when a source is open, or when all wait for secrets.
std::vector<Diagnostic> Engine::why_nothing_is_open() const {
  std::vector<Diagnostic> closed;
  for (const auto& [name, running] : channels_) {
    if (!running->config.enabled) continue;
    if (!running->not_open) return {};
    if (!is_closed_listener(*running->not_open)) continue;
    const Error& why = *running->not_open;
    closed.push_back({Severity::error, why.code, why.message, nullptr, std::nullopt, why.hint, ""});
  }
  return closed;
}

// On the background thread: the secrets in files may have come meanwhile, and ports be free.
void Engine::open_waiting_sources() {
  std::unique_lock one_at_a_time(acts_, std::try_to_lock);
  if (!one_at_a_time || !ready_) return;
  for (auto& [name, running] : channels_) {
    if (!running->not_open) continue;
    std::vector<Diagnostic> still;
    if (open_source(*site_, *running, still))
      spdlog::info("channel {} can be opened now{}{}", name,
                   running->address.empty() ? "" : " and listens on ", running->address);
  }
}

void Engine::close_source(Running& running, milliseconds grace) {
  if (!running.receiver) return;
  auto closed = asio::co_spawn(
      running.executor, [&]() -> asio::awaitable<void> { co_await running.receiver->stop(grace); },
      asio::use_future);
  if (closed.wait_for(std::min(grace, kPatienceForFates)) != std::future_status::ready) {
    running.channel->abandon_waiters();
  }
  closed.get();
  run_there(running.executor, [&] {
    running.receiver.reset();
    return true;
  });
  std::unique_lock lock(mutex_);
  running.address.clear();
}

bool Engine::begin_work(Running& running, std::vector<Diagnostic>& findings) {
  if (auto restored = running.channel->restore(); !restored) {
    findings.push_back(finding_of(running.config.name, restored.error()));
    return false;
  }
  restore_pauses(*running.channel);
  for (auto& [name, destination] : running.channel->destinations()) destination->start();
  scheduler_->add(running.channel);
  return true;
}

void Engine::end_work(Running& running) {
  running.channel->stop_work();
  scheduler_->remove(running.config.name);
  flush_store();  // outcomes on their way reach the destinations, or the disk, before those stop
  std::size_t i = 0;
  for (const config::DestinationConfig& config : running.config.destinations) {
    auto found = running.channel->destinations().find(config.name);
    const asio::any_io_executor executor = running.destination_executors.at(i++);
    if (found != running.channel->destinations().end())
      await_there(executor, found->second->stop());
  }
  running.channel->abandon_waiters();
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
  for (auto& [name, running] : channels_) close_source(*running, grace);
  for (auto& [name, running] : channels_) end_work(*running);
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
  for (Diagnostic& finding : what_would_be_stranded(*site)) findings.push_back(std::move(finding));
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

  // Listeners of what goes or changes are closed before those of what comes are opened: they may
  // share ports.
  std::vector<Running*> leaving;
  for (auto& [name, running] : channels_) {
    if (!new_programs.contains(name)) leaving.push_back(running.get());
  }
  for (Running* running : leaving) close_source(*running, std::chrono::seconds(10));
  for (auto& [name, running] : built) {
    if (!open_source(*site, *running, findings)) break;
  }
  if (!findings.empty()) {
    for (auto& [name, running] : built) close_source(*running, milliseconds(0));
    settle_offers(built);
    for (Running* running : leaving) {  // what the new listeners took in meanwhile is on disk
      running->channel->queue().look_on_disk(store_->end());
      open_source(*before, *running, findings);
      scheduler_->ready(*running->channel);
    }
    return findings;
  }

  for (Running* running : leaving) end_work(*running);
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
  return findings;
}

void Engine::enter_configuration(const char* act) {
  std::scoped_lock lock(configuration_mutex_);
  audit::Entry entry = configuration_->entry(act);
  audit::put(journal_end(), entry.detail);
  audit_->note(std::move(entry));
}

audit::JournalEnd Engine::journal_end() const {
  return {.store = store_->identity(), .end = store_->end()};
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
  auto found = channels_.find(name);
  if (found != channels_.end()) return found->second->channel;
  for (const auto& [now, running] : channels_) {
    const auto& former = running->config.renamed_from;
    if (std::find(former.begin(), former.end(), name) != former.end()) return running->channel;
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
    visit({*running->channel, running->address, running->not_open});
}

}  // namespace cannula::pipeline
