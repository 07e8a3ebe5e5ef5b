#include "engine/ops/keeping.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/ops/asked.h"
#include "engine/ops/moment.h"
#include "engine/ops/text.h"
#include "engine/pipeline/acts.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/engine.h"
#include "engine/pipeline/retention.h"
#include "engine/pipeline/search_keys.h"

namespace cannula::ops {
namespace {

using nlohmann::json;
using pipeline::Hold;
using pipeline::Holds;
using pipeline::Retention;

constexpr std::size_t kMostCounted = 10'000;

json hold_json(const Hold& hold) {
  json value{{"hold", hold.name},
             {"what", hold.what()},
             {"at", time_text(hold.at)},
             {"actor", hold.actor},
             {"reason", hold.reason}};
  if (hold.message) value["message"] = hold.message.text();
  if (!hold.kind.empty()) value["kind"] = hold.kind;
  if (!hold.channel.empty()) value["channel"] = hold.channel;
  if (hold.received_from != 0) value["from"] = time_text(hold.received_from);
  if (hold.received_to != 0) value["to"] = time_text(hold.received_to);
  return value;
}

json run_json(const Retention::Run& run) {
  json value = Keeping::progress_json(run.report);
  value["state"] = pipeline::name_of(run.state);
  value["dry_run"] = run.dry_run;
  if (run.failure) {
    value["error"] = {{"code", run.failure->code},
                      {"message", run.failure->message},
                      {"hint", run.failure->hint}};
  }
  return value;
}

Result<Hold> hold_of(const json& asked, const store::Store& store) {
  const auto [actor, reason] = TRY(actor_and_reason(asked));
  Hold hold;
  hold.at = pipeline::now_microseconds();
  hold.actor = actor;
  hold.reason = reason;
  hold.channel = text_of(asked, "channel");
  hold.received_from = TRY(moment_of(text_of(asked, "from"), hold.at));
  hold.received_to = TRY(moment_of(text_of(asked, "to"), hold.at));
  if (const std::string id = text_of(asked, "id"); !id.empty()) {
    hold.message = TRY(id_of(id));
    static_cast<void>(TRY(pipeline::known_message(store, hold.message, 0)));
  }
  for (const std::string_view kind :
       {store::kPatientNumber, store::kAccession, store::kPatientName}) {
    const std::string text = text_of(asked, kind.data());
    if (text.empty()) continue;
    if (!hold.kind.empty()) {
      return bad_request("a hold takes one of a number, an accession number and a name",
                         "give one for each; a message under any of them is kept");
    }
    hold.kind = kind;
    hold.search = pipeline::search_keys_for(kind, text, store);
  }
  if (!hold.message && hold.kind.empty() && hold.channel.empty() && hold.received_from == 0 &&
      hold.received_to == 0) {
    return bad_request("the hold does not say what it holds",
                       "a message's id, --mrn, --accession, --name, --channel, or a time");
  }
  return hold;
}

Result<std::size_t> covered(const Hold& hold, const store::Store& store) {
  if (hold.message) return std::size_t{1};
  store::MessageQuery query;
  query.channel = hold.channel;
  if (!hold.kind.empty()) query.search_keys.push_back(hold.search);
  query.received_from = hold.received_from;
  query.received_to = hold.received_to;
  query.limit = kMostCounted;
  return TRY(store.messages(query)).size();
}

}  // namespace

template <class Act>
auto Keeping::with_holds(Act act) const -> decltype(act(std::declval<Holds&>())) {
  if (engine_) return act(engine_->holds());
  const auto holds = TRY(Holds::open(site_->store.directory));
  return act(*holds);
}

json Keeping::progress_json(const store::PruneReport& report) {
  json channels = json::object();
  std::uint64_t bytes = 0;
  for (const auto& [name, channel] : report.channels) {
    bytes += channel.bytes;
    channels[name] = {
        {"messages", channel.messages}, {"bodies", channel.bodies}, {"bytes", channel.bytes}};
  }
  return json{{"messages", report.messages()},
              {"bodies", report.bodies()},
              {"bytes", bytes},
              {"channels", std::move(channels)},
              {"held", report.held},
              {"segments",
               {{"packed", report.segments_packed},
                {"removed", report.segments_removed},
                {"pinned", report.segments_pinned},
                {"damaged", report.segments_damaged},
                {"without_room", report.segments_without_room}}},
              {"bytes_freed", report.bytes_freed}};
}

Result<json> Keeping::prune(const json& asked) {
  const bool dry_run = asked.value("dry_run", false);
  if (engine_) {
    if (!engine_->retention()) {
      return Error{"P313", "the engine is starting or stopping", "ask again in a moment"};
    }
    return run_json(TRY(engine_->retention()->begin(dry_run)));
  }
  return with_holds([&](Holds& holds) -> Result<json> {
    Retention::Run run;
    store::PruneOrder order = pipeline::prune_order(site_, holds, pipeline::now_microseconds());
    order.dry_run = run.dry_run = dry_run;
    run.report = TRY(store_.prune(order));
    run.state = Retention::Run::State::done;
    return run_json(run);
  });
}

Result<json> Keeping::pruning() const {
  const auto run =
      engine_ && engine_->retention() ? engine_->retention()->asked_for() : std::nullopt;
  if (run) return run_json(*run);
  return bad_request("nobody has asked for it since the engine started", "cannula store prune");
}

Result<json> Keeping::hold(const json& asked) {
  TRY(store_.catch_up_within(store::kPatience));
  Hold wanted = TRY(hold_of(asked, store_));
  const std::size_t messages = TRY(covered(wanted, store_));
  return with_holds([&](Holds& holds) -> Result<json> {
    const Hold hold = TRY(holds.add(std::move(wanted)));
    return json{{"hold", hold_json(hold)}, {"messages", messages}};
  });
}

Result<json> Keeping::release(const json& asked) {
  const auto [actor, reason] = TRY(actor_and_reason(asked));
  const std::string name = text_of(asked, "hold");
  return with_holds([&, &actor = actor, &reason = reason](Holds& holds) -> Result<json> {
    const Hold hold = TRY(holds.release(name, pipeline::now_microseconds(), actor, reason));
    return json{{"released", hold_json(hold)}};
  });
}

Result<json> Keeping::holds() const {
  return with_holds([&](Holds& holds) -> Result<json> {
    json rows = json::array();
    for (const Hold& hold : holds.all()) rows.push_back(hold_json(hold));
    return json{{"holds", std::move(rows)}};
  });
}

}  // namespace cannula::ops
