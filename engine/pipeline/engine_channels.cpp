// Channels of an engine: built from their configuration, their sources opened and closed, their
// work begun and ended. engine.cpp starts, stops and reloads them together.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <spdlog/spdlog.h>

#include "engine/pipeline/clock.h"
#include "engine/pipeline/running_channel.h"
#include "engine/pipeline/secretless.h"
#include "engine/security/secrets.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPatienceForFates{
    2000};  // at stop, for senders that wait for more than the disk

Result<std::string> read_secret(const SecretReference& reference) {
  security::Secret secret = TRY(security::read_secret(reference));
  if (!secret.warning.empty()) spdlog::warn("{}", secret.warning);
  return secret.text;
}

// T101: the port is another program's, or the address not (yet) this machine's. F101: a folder that
// is not there, as a share that is not mounted yet, or cannot be used.
bool may_open_later(const Error& error) {
  return error.code == "T101" || error.code == "F101";
}

Diagnostic finding_of(const std::string& channel, const Error& error) {
  Diagnostic finding;
  finding.code = error.code;
  finding.message = "channel " + channel + ": " + error.message;
  finding.hint = error.hint;
  return finding;
}

}  // namespace

void WireReport::log(Level level, std::string_view text) {
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};
  spdlog::log(kLevels[static_cast<std::size_t>(level)], "{}: {}", name_, text);
}

void WireReport::count(std::string_view counter, std::int64_t by) {
  counters_.add(counter, by);
}

void WireReport::turned_away(std::string_view counter, const std::string& address,
                             const Error& why) {
  static constexpr std::pair<std::string_view, const char*> kActs[] = {
      {"connections_failed_total", "connection.failed"},
      {"connections_refused_total", "connection.refused"},
      {"connections_evicted_total", "connection.evicted"},
  };
  count(counter, 1);
  if (!audit_) return;
  for (const auto& [counted, act] : kActs) {
    if (counter != counted) continue;
    audit_->note_refusal({.actor = {.kind = audit::Actor::Kind::partner, .address = address},
                          .act = act,
                          .object = {.channel = channel_},
                          .code = why.code,
                          .reason = why.message});
  }
}

void WireReport::reached() {
  std::scoped_lock lock(mutex_);
  not_reached_.reset();
}

void WireReport::not_reached(const Error& why) {
  std::scoped_lock lock(mutex_);
  if (!not_reached_) not_reached_ = NotReached{now_microseconds(), why};
  not_reached_->why = why;
}

std::optional<NotReached> WireReport::standing() const {
  std::scoped_lock lock(mutex_);
  return not_reached_;
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

// Of each opening of a source, so that it knows nothing of before but what is on disk: another
// source of the channel may have taken messages in meanwhile.
std::shared_ptr<ChannelIntake> Engine::intake_of(const config::Site& site, Running& running) {
  std::shared_ptr<const security::AccessList> access;
  const std::string& partner = running.config.partner;
  if (!partner.empty()) {
    access = std::make_shared<const security::AccessList>(site.partners.at(partner));
  }
  return std::make_shared<ChannelIntake>(running.channel, std::move(access), *store_, audit_.get(),
                                         [this] { return resources(); });
}

bool Engine::open_source(const config::Site& site, Running& running,
                         std::vector<Diagnostic>& findings) {
  if (!running.config.enabled) return true;
  Ports given = ports(site, *running.source_report);
  running.executor = given.executor;
  const Transport* type = transport(running.config.source_type);
  running.intake = intake_of(site, running);
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

// A secret that is not there, a port that another program has, and a folder that cannot be used
// keep this channel waiting, and no other.
void Engine::open_source_or_wait(Running& running, std::vector<Diagnostic>& findings) {
  for (const Diagnostic& finding : running.missing_secrets) {
    spdlog::error("{} ({}) [{}]; what is sent there waits until it can be delivered",
                  finding.message, finding.hint, finding.code);
  }
  std::vector<Diagnostic> own;
  if (open_source(*site_, running, own)) return;
  Error why(own.front().code, own.front().message, own.front().hint);
  if (!is_missing_secret(why) && !may_open_later(why)) {
    findings.push_back(std::move(own.front()));
    return;
  }
  spdlog::error("{}; the channel takes nothing meanwhile, and is tried again every few seconds",
                why.text());
  std::unique_lock lock(mutex_);
  running.not_open = NotReached{now_microseconds(), std::move(why)};
}

// An engine that nobody can reach, because of ports or folders, had better say so and end: perhaps
// another one runs. Empty when a source is open, or when all wait for secrets.
std::vector<Diagnostic> Engine::why_nothing_is_open() const {
  std::vector<Diagnostic> closed;
  for (const auto& [name, running] : channels_) {
    if (!running->config.enabled) continue;
    if (!running->not_open) return {};
    if (!may_open_later(running->not_open->why)) continue;
    const Error& why = running->not_open->why;
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
    if (open_source(*site_, *running, still)) {
      spdlog::info("channel {} can be opened now{}{}", name,
                   running->address.empty() ? "" : " and listens on ", running->address);
    } else if (!still.empty()) {
      std::unique_lock lock(mutex_);
      running->not_open->why = Error(still[0].code, still[0].message, still[0].hint);
    }
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
    running.intake->close();
    running.receiver.reset();
    return true;
  });
  running.source_report->reached();  // as far as anybody wants it to
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

void Engine::end_work(const std::vector<Running*>& ending, milliseconds grace) {
  for (Running* running : ending) {
    running->channel->stop_work();
    scheduler_->remove(running->config.name);
  }
  flush_store();  // outcomes on their way reach the destinations, or the disk, before those stop
  std::vector<std::future<void>> stopped;
  for (Running* running : ending) {
    std::size_t i = 0;
    for (const config::DestinationConfig& config : running->config.destinations) {
      const asio::any_io_executor executor = running->destination_executors.at(i++);
      const auto found = running->channel->destinations().find(config.name);
      if (found == running->channel->destinations().end()) continue;
      stopped.push_back(asio::co_spawn(executor, found->second->stop(grace), asio::use_future));
    }
  }
  for (std::future<void>& one : stopped) one.get();
  for (Running* running : ending) running->channel->abandon_waiters();
}

}  // namespace cannula::pipeline
