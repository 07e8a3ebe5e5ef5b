#include "engine/ops/operations.h"

#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/ops/ages.h"
#include "engine/ops/asked.h"
#include "engine/ops/backups.h"
#include "engine/ops/certificates.h"
#include "engine/ops/moment.h"
#include "engine/ops/text.h"
#include "engine/ops/todays_names.h"
#include "engine/ops/waits.h"
#include "engine/pipeline/acts.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/engine.h"
#include "engine/pipeline/pauses.h"
#include "engine/pipeline/search_keys.h"
#include "rules/language/resources.h"

namespace cannula::ops {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRows = 10'000;

// So that a few minutes are found without a look at every message: an id is given after its message
// was received, and begins with the milliseconds of then.
MessageId last_id_before(store::Timestamp received) {
  if (received <= 0) return {};
  const MessageId first = MessageId::first_of(static_cast<std::uint64_t>(received / 1000));
  return {first ? first.value - 1 : 0};
}

Result<store::MessageQuery> query_of(const json& request, const store::Store& store) {
  store::MessageQuery query;
  query.channel = text_of(request, "channel");
  query.control_id = text_of(request, "control_id");
  query.destination = text_of(request, "destination");
  for (const std::string_view kind :
       {store::kPatientNumber, store::kAccession, store::kPatientName}) {
    if (const std::string text = text_of(request, kind.data()); !text.empty()) {
      query.search_keys.push_back(pipeline::search_keys_for(kind, text, store));
    }
  }
  if (const std::string state = text_of(request, "state"); !state.empty()) {
    query.state = store::message_state(state);
    if (!query.state) {
      return bad_request(
          "\"" + state + "\" is not a state of a message",
          "states are accepted, queued, done, filtered, parked, rejected, dead and discarded");
    }
  }
  query.newest_first = !request.value("oldest_first", false);
  const auto limit = request.value("limit", std::int64_t{50});
  if (limit < 1 || limit > static_cast<std::int64_t>(kMostRows)) {
    return bad_request(fmt::format("the limit {} is out of range", limit),
                       fmt::format("1 to {}", kMostRows));
  }
  query.limit = static_cast<std::size_t>(limit);
  for (const auto& [name, place] :
       {std::pair{"before", &query.before}, std::pair{"after", &query.after}}) {
    if (const std::string text = text_of(request, name); !text.empty()) *place = TRY(id_of(text));
  }
  const store::Timestamp now = pipeline::now_microseconds();
  query.received_from = TRY(moment_of(text_of(request, "since"), now));
  query.received_to = TRY(moment_of(text_of(request, "until"), now));
  TRY(check_range(query.received_from, query.received_to));
  query.after = std::max(query.after, last_id_before(query.received_from));
  return query;
}

struct Request {
  MessageId id;
  std::uint32_t ordinal = 0;
  std::string actor;
  std::string reason;
};

Result<Request> request_of(const json& object) {
  Request request;
  request.id = TRY(id_of(text_of(object, "id")));
  const auto ordinal = object.value("delivery", std::int64_t{0});
  if (ordinal < 0 || ordinal > std::numeric_limits<std::uint32_t>::max()) {
    return bad_request(fmt::format("{} is not the number of a delivery", ordinal),
                       "see `cannula msg show`");
  }
  request.ordinal = static_cast<std::uint32_t>(ordinal);
  request.actor = text_of(object, "actor");
  request.reason = text_of(object, "reason");
  return request;
}

json act_json(const pipeline::Act& act) {
  json value{{"at", time_text(act.at)},
             {"what", act.what},
             {"channel", act.channel},
             {"actor", act.actor},
             {"reason", act.reason}};
  if (!act.part.empty()) value["part"] = act.part;
  if (!act.detail.empty()) value["detail"] = act.detail;
  return value;
}

json held_back_json(const pipeline::HeldBack& held) {
  json holders = json::array();
  for (const pipeline::HeldBack::Holder& one : held.holders)
    holders.push_back({{"message", one.message.text()}, {"holds", one.behind}});
  return json{{"keys", held.keys}, {"messages", held.messages}, {"oldest", std::move(holders)}};
}

json not_reached_json(const pipeline::NotReached& trouble) {
  return json{{"since", time_text(trouble.since)}, {"why", trouble.why.text()}};
}

json standing_json(const pipeline::Standing& standing, const config::DestinationConfig& config) {
  using State = pipeline::Breaker::State;
  json value{{"breaker", standing.breaker == State::closed ? "closed"
                         : standing.breaker == State::open ? "open"
                                                           : "half-open"},
             {"failures_in_a_row", standing.failures_in_a_row},
             {"quiet_ms", standing.quiet.count()},
             {"paused", standing.paused},
             {"window_closed", standing.window_closed},
             {"in_memory", standing.in_memory},
             {"under_way", standing.under_way}};
  if (standing.held_back.messages > 0) value["held_back"] = held_back_json(standing.held_back);
  if (!standing.last_failure.empty()) {
    value["failing_since"] = time_text(standing.failing_since);
    value["last_failure"] = standing.last_failure;
  }
  if (config.window && standing.window_closed) {
    if (const auto opens = config.window->next_change(pipeline::now_microseconds()))
      value["window_opens_at"] = time_text(*opens);
  }
  return value;
}

}  // namespace

Result<std::unique_ptr<pipeline::ActLog>> Operations::act_log_at_rest() const {
  return pipeline::ActLog::open(site_.store.directory);
}

Result<std::vector<pipeline::Act>> Operations::pauses() const {
  if (engine_) return pipeline::pauses(engine_->acts(), site_);
  return pipeline::pauses(*TRY(act_log_at_rest()), site_);
}

Result<json> Operations::acts(const json& query) const {
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(
      query.value("limit", std::int64_t{100}), 1, static_cast<std::int64_t>(kMostRows)));
  const std::string channel = text_of(query, "channel");
  const std::size_t looked_at = channel.empty() ? limit : kMostRows;
  json rows = json::array();
  const auto acts =
      engine_ ? engine_->acts().recent(looked_at) : TRY(act_log_at_rest())->recent(looked_at);
  const auto* config = config::channel_known_as(site_, channel);
  for (const pipeline::Act& act : acts) {
    if (rows.size() == limit) break;
    const bool asked_for = channel.empty() || act.channel == channel ||
                           (config && config::is_known_as(*config, act.channel));
    if (asked_for) rows.push_back(act_json(act));
  }
  return json{{"acts", std::move(rows)}};
}

Result<void> Operations::record_pause(const std::string& channel, const std::string& part,
                                      bool paused, const std::string& actor,
                                      const std::string& reason) {
  if (engine_) return engine_->pause(channel, part, paused, actor, reason);
  const auto acts = TRY(act_log_at_rest());
  if (const auto* config = config::channel_known_as(site_, channel)) {
    return pipeline::record_pause(*acts, *config, TRY(pipeline::part_of(*config, part)), paused,
                                  actor, reason);
  }
  if (paused || !acts->is_paused(channel, part)) {
    return Error{"P317", "there is no channel " + channel, "see `cannula status`", std::nullopt};
  }
  return acts->record(  // it is not configured any more, and may be again
      {pipeline::now_microseconds(), "resume", channel, part, actor, reason});
}

Result<json> Operations::backup(const json& asked) {
  note_end_of_backup(site_, asked);
  return json::object();
}

// For its script's sake, or a message that it cannot read: no person has.
bool Operations::engine_has_paused_work_of(const std::string& channel) const {
  bool paused = false;
  if (!engine_) return paused;
  engine_->each_channel([&](const pipeline::ChannelView& view) {
    if (view.channel.name() == channel) paused = !view.channel.why_paused().empty();
  });
  return paused;
}

Result<json> Operations::pause(const json& asked) {
  const auto [actor, reason] = TRY(actor_and_reason(asked));
  const std::string asked_for = text_of(asked, "channel");
  const auto* config = config::channel_known_as(site_, asked_for);
  const std::string channel = config ? config->name : asked_for;
  const bool paused = asked.value("paused", true);
  auto parts = asked.value("parts", std::vector<std::string>());
  if (parts.empty()) {
    if (paused) {
      parts = {"intake", "work"};
      if (config) {
        for (const config::DestinationConfig& destination : config->destinations)
          parts.push_back("to:" + destination.name);
      }
    } else {
      for (const pipeline::Act& act : TRY(pauses())) {
        if (act.channel == channel) parts.push_back(act.part);
      }
      if (std::find(parts.begin(), parts.end(), "work") == parts.end() &&
          engine_has_paused_work_of(channel)) {
        parts.push_back("work");
      }
    }
  }
  for (const std::string& part : parts) {  // all of them, or nothing
    if (config) TRY(pipeline::part_of(*config, part));
  }
  for (const std::string& part : parts) TRY(record_pause(channel, part, paused, actor, reason));
  json answer{{"channel", channel}, {"paused", paused}, {"parts", parts}};
  if (config && !config->enabled) answer["note"] = "the channel is disabled, and stands still";
  return answer;
}

Result<json> Operations::status() const {
  json channels = json::object();
  for (const auto& [name, config] : site_.channels) {
    json& channel = channels[name] = {{"messages", json::object()}, {"enabled", config.enabled}};
    for (const config::DestinationConfig& destination : config.destinations)
      channel["destinations"][destination.name] = json::object();
  }
  // Also where the index fails: what else there is to say may be the reason.
  auto index_trouble = store_.index_trouble();
  const auto counted = store_.counts();
  if (!counted && !index_trouble) index_trouble = counted.error();
  const auto counts_now =
      counted ? under_todays_names(*counted, site_) : std::vector<store::StateCount>();
  for (const store::StateCount& count : counts_now) {
    json& channel = channels[count.channel];
    json& counts = count.destination.empty() ? channel["messages"]
                                             : channel["destinations"][count.destination];
    counts[count.state] = count.count;
  }
  for (auto& [name, channel] : channels.items())
    channel["configured"] = !engine_ && site_.channels.contains(name);
  if (engine_) {
    engine_->each_channel([&](const pipeline::ChannelView& view) {
      json& channel = channels[view.channel.name()];
      channel["configured"] = true;
      channel["address"] = view.address;
      channel["paused"] = view.channel.paused();
      if (std::string why = view.channel.why_paused(); !why.empty())
        channel["paused_because"] = std::move(why);
      if (auto closed = view.channel.not_taking()) channel["not_taking"] = closed->message;
      if (view.not_open) {
        channel["not_taking"] = view.not_open->why.text();
        channel["not_taking_since"] = time_text(view.not_open->since);
      }
      if (view.not_reached) channel["source_not_reached"] = not_reached_json(*view.not_reached);
      if (const auto held = view.channel.held_back(); held.messages > 0)
        channel["held_back"] = held_back_json(held);
      for (const auto& [name, destination] : view.channel.destinations()) {
        const pipeline::Standing standing = destination->standing();
        channel["away"][name] = standing.breaker != pipeline::Breaker::State::closed;
        channel["standing"][name] = standing_json(standing, destination->config());
      }
    });
  }
  for (auto& [name, channel] : channels.items()) {
    const auto* config = config::channel_known_as(site_, name);
    const Names names = config ? config::names_of(*config) : Names{name};
    if (const auto last = last_received(store_, names)) channel["last_received"] = time_text(*last);
    if (!channel.contains("destinations")) continue;
    for (const auto& [destination, counts] : channel["destinations"].items()) {
      const auto* to = config ? config::destination_known_as(*config, destination) : nullptr;
      if (config && !to) channel["not_configured"].push_back(destination);
      if (const auto since =
              oldest_waiting(store_, names, to ? config::names_of(*to) : Names{destination}))
        channel["oldest_waiting"][destination] = time_text(*since);
    }
  }
  for (const pipeline::Act& act : TRY(pauses())) {
    channels[act.channel]["pauses"].push_back(act_json(act));
  }
  json not_ready = nullptr, failed_reload = nullptr, refused_files = nullptr;
  if (engine_) {
    if (auto why = engine_->why_not_ready()) not_ready = *std::move(why);
    if (const auto failed = engine_->failed_reload()) {
      failed_reload = {{"at", time_text(failed->at)}, {"findings", render(failed->findings)}};
    }
    if (const auto refused = engine_->refused_files()) {
      refused_files = {{"at", time_text(refused->at)}, {"findings", render(refused->findings)}};
    }
  }
  json audit = nullptr;
  if (engine_ && engine_->audit()) {
    const audit::Log::Health health = engine_->audit()->health();
    audit = {{"entries", health.entries}, {"lost", health.lost}, {"trouble", health.trouble}};
  }
  return json{{"running", engine_ != nullptr},
              {"audit", std::move(audit)},
              {"ready", engine_ && not_ready.is_null()},
              {"not_ready", std::move(not_ready)},
              {"failed_reload", std::move(failed_reload)},
              {"refused_files", std::move(refused_files)},
              {"certificates", certificates_json(site_, pipeline::now_microseconds())},
              {"disk_low", engine_ && engine_->disk_low()},
              {"store", store_.identity()},
              {"journal_bytes", store_.end()},
              {"index_trouble", index_trouble ? json(index_trouble->text()) : json(nullptr)},
              {"index_behind_bytes", store_.end() - std::min(store_.end(), store_.indexed_up_to())},
              {"channels", std::move(channels)}};
}

// A name that is mistyped has no messages either, which must not look like an answer.
Result<void> Operations::know_channel(const std::string& name) const {
  if (name.empty() || config::channel_known_as(site_, name)) return {};
  std::set<std::string> known;
  for (const auto& [configured, channel] : site_.channels) known.insert(configured);
  for (const store::StateCount& one : TRY(store_.counts())) known.insert(one.channel);
  if (known.contains(name)) return {};
  const std::vector<std::string_view> names(known.begin(), known.end());
  const auto near = nearest(name, names);
  return bad_request("there is no channel \"" + name + "\", and no message of one",
                     near ? "did you mean \"" + *near + "\"?"
                          : fmt::format("there are: {}", fmt::join(names, ", ")));
}

Result<json> Operations::list(const json& query) const {
  const auto caught_up = store_.catch_up_within(store::kPatience);
  TRY(know_channel(text_of(query, "channel")));
  json rows = json::array();
  store::MessageQuery asked = TRY(query_of(query, store_));
  widen_to_former_names(asked, site_);
  for (const store::MessageRow& row : TRY(store_.messages(asked))) rows.push_back(to_json(row));
  return with_note(json{{"messages", std::move(rows)}}, caught_up);
}

Result<json> Operations::show(const std::string& id_text) const {
  const MessageId id = TRY(id_of(id_text));
  const auto caught_up = store_.catch_up_within(store::kPatience);
  const auto row = TRY(store_.message(id));
  if (!row) {
    if (!caught_up) return caught_up.error();  // it may be in what the index has not followed yet
    return Error{"P304", "there is no message " + id.text(),
                 "list them with `cannula msg list`; what retention forgot is not there any more",
                 std::nullopt};
  }
  const std::vector<store::DeliveryRow> rows = TRY(store_.deliveries(id));
  json deliveries = json::array();
  for (const store::DeliveryRow& delivery : rows) deliveries.push_back(to_json(delivery));
  json trail = json::array();
  for (const store::Record& record : TRY(store_.trail(id))) trail.push_back(to_json(record));
  json edited_as = json::array();
  for (const MessageId edited : TRY(store_.edited_as(id))) edited_as.push_back(edited.text());
  return with_note(json{{"message", to_json(*row)},
                        {"edited_as", std::move(edited_as)},
                        {"waits_for", what_it_waits_for(store_, engine_, *row, rows)},
                        {"deliveries", std::move(deliveries)},
                        {"trail", std::move(trail)}},
                   caught_up);
}

Result<json> Operations::unmapped(const json& query) const {
  const auto limit = query.value("limit", std::int64_t{1000});
  if (limit < 1 || limit > static_cast<std::int64_t>(kMostRows)) {
    return bad_request(fmt::format("the limit {} is out of range", limit),
                       fmt::format("1 to {}", kMostRows));
  }
  const auto caught_up = store_.catch_up_within(store::kPatience);
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  json rows = json::array();
  for (const store::UnmappedRow& row : TRY(store_.unmapped(text_of(query, "table"), kMostRows))) {
    const auto table = resources_->tables.find(row.table);
    const bool mapped = table != resources_->tables.end() && table->second->find(row.key, today);
    if (!mapped) rows.push_back(to_json(row));
    if (rows.size() == static_cast<std::size_t>(limit)) break;
  }
  return with_note(json{{"unmapped", std::move(rows)}}, caught_up);
}

// What a person put back to work, and what it has to wait for all the same.
std::vector<std::string> Operations::why_not_at_once(MessageId id, std::uint32_t ordinal) const {
  if (!store_.catch_up_within(store::kPatience)) return {};
  const auto message = store_.message(id);
  auto deliveries = store_.deliveries(id);
  if (!message || !*message || !deliveries) return {};
  std::erase_if(*deliveries, [&](const auto& one) { return one.ordinal != ordinal; });
  return what_it_waits_for(store_, engine_, **message, *deliveries);
}

Result<json> Operations::resend(const json& asked) {
  const Request request = TRY(request_of(asked));
  if (!text_of(asked, "destination").empty()) return resend_deliveries(request.id, asked);
  if (engine_) {
    TRY(engine_->resend(request.id, request.ordinal, request.actor, request.reason));
    json answer{{"resent", request.id.text()}};
    std::vector<std::string> notes = why_not_at_once(request.id, request.ordinal);
    const auto edited = store_.edited_as(request.id);
    if (edited && !edited->empty()) {
      notes.push_back(fmt::format("it had been edited as {}, {}", edited->back().text(),
                                  request.ordinal == 0
                                      ? "which is worked as well"
                                      : "and what was delivered of that this may now replace"));
    }
    if (!notes.empty()) answer["note"] = fmt::format("{}", fmt::join(notes, "; "));
    return answer;
  }
  const store::MessageRow row = TRY(pipeline::may_resend(store_, request.id, request.ordinal));
  std::vector<store::Record> records;
  records.emplace_back(store::Resent{request.id, row.channel, request.ordinal,
                                     pipeline::now_microseconds(), request.actor, request.reason});
  TRY(store_.commit(std::move(records)));
  return json{{"resent", request.id.text()},
              {"note", "no engine runs: it goes out when one is started"}};
}

Result<json> Operations::discard(const json& asked) {
  const Request request = TRY(request_of(asked));
  if (engine_) {
    const std::size_t under_way =
        TRY(engine_->discard(request.id, request.ordinal, request.actor, request.reason));
    json answer{{"discarded", request.id.text()}, {"under_way", under_way}};
    if (under_way > 0) {
      answer["note"] = fmt::format(
          "{} of its deliveries were under way at that moment; what the other side takes of them "
          "counts as delivered",
          under_way);
    }
    return answer;
  }
  const store::MessageRow row = TRY(pipeline::may_discard(store_, request.id, request.ordinal));
  std::vector<store::Record> records;
  records.emplace_back(store::Discarded{request.id, row.channel, request.ordinal,
                                        pipeline::now_microseconds(), request.actor,
                                        request.reason});
  TRY(store_.commit(std::move(records)));
  return json{{"discarded", request.id.text()}};
}

}  // namespace cannula::ops
