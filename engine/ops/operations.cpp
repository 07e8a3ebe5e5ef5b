#include "engine/ops/operations.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/ops/text.h"
#include "engine/pipeline/acts.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/engine.h"
#include "rules/language/resources.h"

namespace cannula::ops {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRows = 10'000;

Error bad_request(std::string what, std::string hint) {
  return Error{"U201", std::move(what), std::move(hint), std::nullopt};
}

Result<MessageId> id_of(const std::string& text) {
  if (auto id = MessageId::parse(text)) return *id;
  return bad_request("\"" + text + "\" is not a message id",
                     "ids have 13 characters; see `cannula msg list`");
}

std::string text_of(const json& object, const char* name) {
  auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<store::MessageQuery> query_of(const json& request) {
  store::MessageQuery query;
  query.channel = text_of(request, "channel");
  query.control_id = text_of(request, "control_id");
  query.destination = text_of(request, "destination");
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

}  // namespace

Result<json> Operations::status() const {
  json channels = json::object();
  for (const store::StateCount& count : TRY(store_.counts())) {
    json& channel = channels[count.channel];
    json& counts = count.destination.empty() ? channel["messages"]
                                             : channel["destinations"][count.destination];
    counts[count.state] = count.count;
  }
  if (engine_) {
    for (auto& [name, channel] : channels.items()) channel["configured"] = false;
    engine_->each_channel([&](const pipeline::ChannelView& view) {
      json& channel = channels[view.channel.name()];
      channel["configured"] = true;
      channel["address"] = view.address;
      channel["paused"] = view.channel.paused();
      for (const auto& [name, destination] : view.channel.destinations()) {
        channel["away"][name] = destination->away();
      }
    });
  }
  json audit = nullptr;
  if (engine_ && engine_->audit()) {
    const audit::Log::Health health = engine_->audit()->health();
    audit = {{"entries", health.entries}, {"lost", health.lost}, {"trouble", health.trouble}};
  }
  return json{{"running", engine_ != nullptr},
              {"audit", std::move(audit)},
              {"ready", engine_ && engine_->ready()},
              {"store", store_.identity()},
              {"journal_bytes", store_.end()},
              {"index_behind_bytes", store_.end() - std::min(store_.end(), store_.indexed_up_to())},
              {"channels", std::move(channels)}};
}

Result<json> Operations::list(const json& query) const {
  store_.catch_up();
  json rows = json::array();
  for (const store::MessageRow& row : TRY(store_.messages(TRY(query_of(query)))))
    rows.push_back(to_json(row));
  return json{{"messages", std::move(rows)}};
}

Result<json> Operations::show(const std::string& id_text) const {
  const MessageId id = TRY(id_of(id_text));
  store_.catch_up();
  const auto row = TRY(store_.message(id));
  if (!row) {
    return Error{"P304", "there is no message " + id.text(), "list them with `cannula msg list`",
                 std::nullopt};
  }
  json deliveries = json::array();
  for (const store::DeliveryRow& delivery : TRY(store_.deliveries(id)))
    deliveries.push_back(to_json(delivery));
  json trail = json::array();
  for (const store::Record& record : TRY(store_.trail(id))) trail.push_back(to_json(record));
  return json{{"message", to_json(*row)},
              {"deliveries", std::move(deliveries)},
              {"trail", std::move(trail)}};
}

Result<json> Operations::unmapped(const json& query) const {
  const auto limit = query.value("limit", std::int64_t{1000});
  if (limit < 1 || limit > static_cast<std::int64_t>(kMostRows)) {
    return bad_request(fmt::format("the limit {} is out of range", limit),
                       fmt::format("1 to {}", kMostRows));
  }
  store_.catch_up();
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  json rows = json::array();
  for (const store::UnmappedRow& row : TRY(store_.unmapped(text_of(query, "table"), kMostRows))) {
    const auto table = resources_->tables.find(row.table);
    const bool mapped = table != resources_->tables.end() && table->second->find(row.key, today);
    if (!mapped) rows.push_back(to_json(row));
    if (rows.size() == static_cast<std::size_t>(limit)) break;
  }
  return json{{"unmapped", std::move(rows)}};
}

Result<json> Operations::resend(const json& asked) {
  const Request request = TRY(request_of(asked));
  if (engine_) {
    TRY(engine_->resend(request.id, request.ordinal, request.actor, request.reason));
    return json{{"resent", request.id.text()}};
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
    TRY(engine_->discard(request.id, request.ordinal, request.actor, request.reason));
    return json{{"discarded", request.id.text()}};
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
