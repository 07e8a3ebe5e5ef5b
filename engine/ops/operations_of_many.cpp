// Operations on many messages at once, and editing.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/ops/asked.h"
#include "engine/ops/edited_message.h"
#include "engine/ops/operations.h"
#include "engine/ops/text.h"
#include "engine/ops/todays_names.h"
#include "engine/pipeline/acts.h"
#include "engine/pipeline/bulk_acts.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/engine.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/path.h"
#include "parsers/text/base64.h"

namespace cannula::ops {
namespace {

using nlohmann::json;
using pipeline::BulkActs;
using pipeline::BulkDone;
using pipeline::BulkOrder;
using pipeline::BulkProgress;

constexpr std::int64_t kFastest = 100'000;  // a second

json to_json(const BulkProgress& progress) {
  const store::LetterQuery& of = progress.order.of;
  json value{{"replay", progress.number},
             {"act", name_of(progress.order.act)},
             {"state", name_of(progress.state)},
             {"about", describe(progress)},
             {"channel", of.channel},
             {"destination", of.destination},
             {"total", progress.total},
             {"done", progress.done},
             {"passed_over", progress.passed_over},
             {"under_way", progress.under_way},
             {"rate", progress.order.rate},
             {"actor", progress.order.actor},
             {"reason", progress.order.reason},
             {"began_at", time_text(progress.began)}};
  if (progress.ended != 0) value["ended_at"] = time_text(progress.ended);
  if (!progress.cancelled_by.empty()) value["cancelled_by"] = progress.cancelled_by;
  if (progress.failure) value["failure"] = progress.failure->text();
  return value;
}

// Of a store that no engine works on: only what a later start acts on is written.
Result<BulkDone> write_acts(store::Store& store, const BulkOrder& order,
                            std::span<const store::Letter> letters) {
  TRY(store.catch_up_within(store::kPatience));
  const bool resend = order.act == BulkOrder::Act::resend;
  const auto chosen = TRY(resend ? pipeline::those_to_resend(store, letters, order.of)
                                 : pipeline::those_to_discard(store, letters, order.of));
  TRY(store.commit(resend ? pipeline::resent_records(chosen, order.actor, order.reason)
                          : pipeline::discarded_records(chosen, order.actor, order.reason)));
  return BulkDone{chosen.size(), letters.size() - chosen.size()};
}

std::uint32_t number_of(const json& asked) {
  return static_cast<std::uint32_t>(asked.value("replay", std::int64_t{0}));
}

// `charset` is what the channel knows of its sender, or empty.
Result<Bytes> with_set(const Bytes& body, const json& wishes, const std::string& charset) {
  std::optional<CharacterSet> told;
  if (!charset.empty()) told = TRY(CharacterSet::find(charset));
  hl7v2::Decoded decoded = TRY(hl7v2::decode(body, hl7v2::Origin::received, told));
  for (const json& wish : wishes) {
    const auto path = TRY(hl7v2::Path::parse(wish.at(0).get<std::string>()));
    const std::string value = wish.at(1).get<std::string>();
    if (value.empty()) {
      TRY(decoded.message.set(path, std::nullopt));
    } else {
      TRY(decoded.message.set(path, value));
    }
  }
  return make_bytes(TRY(hl7v2::encode(decoded.message, decoded.encoding)));
}

Result<void> refuse_another_edit(const store::Store& store, MessageId id) {
  const std::vector<MessageId> before = TRY(store.edited_as(id));
  if (before.empty()) return {};
  return Error{"P340", "message " + id.text() + " has been edited already",
               "that is message " + before.back().text() +
                   ": edit that one, or give `--force` when both are wanted",
               std::nullopt};
}

}  // namespace

Result<json> Operations::causes(const json& asked) const {
  store::LetterQuery query = TRY(many_of(asked));
  widen_to_former_names(query, site_);
  const auto caught_up = store_.catch_up_within(store::kPatience);
  json groups = json::array();
  std::uint64_t total = 0;
  for (const store::CauseRow& row : TRY(store_.causes(query))) {
    total += row.count;
    groups.push_back({{"channel", row.channel},
                      {"destination", row.destination},
                      {"state", row.state},
                      {"code", row.code},
                      {"place", row.place},
                      {"count", row.count},
                      {"first_at", time_text(row.first_at)},
                      {"last_at", time_text(row.last_at)},
                      {"sample", row.sample.text()}});
  }
  return with_note(json{{"groups", std::move(groups)}, {"total", total}}, caught_up);
}

// Of a misspelt one nothing is found, and nothing would be done without a word.
Result<void> Operations::known_channel(const std::string& name) const {
  if (name.empty() || config::channel_known_as(site_, name)) return {};
  for (const store::StateCount& one : TRY(store_.counts())) {
    if (one.channel == name) return {};
  }
  return Error{"P317", "there is no channel " + name + ", and nothing on record of one",
               "see `cannula status`", std::nullopt};
}

Result<void> Operations::known_destination(const std::string& name) const {
  if (name.empty()) return {};
  for (const auto& [channel, config] : site_.channels) {
    if (config::destination_known_as(config, name)) return {};
  }
  for (const store::StateCount& one : TRY(store_.counts())) {
    if (one.destination == name) return {};
  }
  return Error{"P317", "there is no destination " + name + ", and nothing on record of one",
               "see `cannula status`", std::nullopt};
}

Result<json> Operations::begin(BulkOrder order) {
  TRY(known_channel(order.of.channel));
  TRY(known_destination(order.of.destination));
  if (engine_) return to_json(TRY(engine_->bulk_acts().begin(std::move(order))));
  order.rate = 0;  // nothing is sent before an engine is started
  BulkActs::Hands hands;
  hands.find = [this](const store::LetterQuery& query) -> Result<std::vector<store::Letter>> {
    TRY(store_.catch_up_within(store::kPatience));
    return store_.letters(query);
  };
  hands.act = [this](const BulkOrder& asked, std::span<const store::Letter> letters) {
    return write_acts(store_, asked, letters);
  };
  hands.began = [this](const BulkProgress& progress) -> Result<void> {
    return TRY(act_log_at_rest())
        ->record({pipeline::now_microseconds(), std::string(name_of(progress.order.act)),
                  progress.order.of.channel, "", progress.order.actor, progress.order.reason,
                  subject_of(progress)});
  };
  BulkActs acts(std::move(hands));
  const BulkProgress begun = TRY(acts.begin(std::move(order)));
  const BulkProgress ended = TRY(acts.wait(begun.number));
  if (ended.failure) return *ended.failure;
  json value = to_json(ended);
  value["note"] = "no engine runs: what is sent again goes out when one is started";
  return value;
}

Result<json> Operations::resend_deliveries(MessageId id, const json& asked) {
  const auto [actor, reason] = TRY(actor_and_reason(asked));
  const std::string destination = text_of(asked, "destination");
  TRY(store_.catch_up_within(store::kPatience));
  TRY(pipeline::known_message(store_, id, 0));
  std::vector<store::Letter> letters;
  std::size_t discarded = 0;
  for (const store::DeliveryRow& row : TRY(store_.deliveries(id))) {
    if (destination != "*" && row.destination != destination) continue;
    if (row.state == store::DeliveryState::discarded) {
      ++discarded;
    } else {
      letters.push_back({id, row.ordinal});
    }
  }
  if (letters.empty() && discarded > 0) {
    return Error{"P304", "what message " + id.text() + " had to deliver there was discarded",
                 "`--delivery N` sends one of them all the same", std::nullopt};
  }
  if (letters.empty()) {
    return Error{"P304", "message " + id.text() + " has no delivery to " + destination,
                 "see `cannula msg show`", std::nullopt};
  }
  BulkOrder order;
  order.actor = actor;
  order.reason = reason;
  const BulkDone done = TRY(engine_ ? engine_->resend_all(letters, actor, reason)
                                    : write_acts(store_, order, letters));
  if (done.done == 0) {
    return Error{"P308",
                 "of message " + id.text() +
                     " nothing can be sent again there: it is still to be delivered, its bodies "
                     "are not kept any more, or the destination is not configured",
                 "`--delivery N` tries one delivery at once, or says why it cannot", std::nullopt};
  }
  json answer{{"resent", id.text()}, {"deliveries", done.done}};
  if (const std::size_t passed_over = done.passed_over + discarded; passed_over > 0) {
    answer["note"] = fmt::format(
        "{} sent, {} passed over, because it was discarded, is still to be delivered, has no body "
        "any more or no destination that is configured",
        done.done, passed_over);
  }
  return answer;
}

Result<json> Operations::replay(const json& asked) {
  BulkOrder order;
  std::tie(order.actor, order.reason) = TRY(actor_and_reason(asked));
  order.of = TRY(many_of(asked));
  widen_to_former_names(order.of, site_);
  if (asked.value("state", "") == "waiting") {
    return bad_request("what waits goes by itself", "to end it: `cannula channel discard`");
  }
  const auto rate = asked.value("rate", std::int64_t{0});
  if (rate < 0 || rate > kFastest) {
    return bad_request(fmt::format("the rate {} is out of range", rate),
                       fmt::format("1 to {} a second, or 0 for as fast as it goes", kFastest));
  }
  order.rate = static_cast<std::uint32_t>(rate);
  return begin(std::move(order));
}

Result<json> Operations::discard_waiting(const json& asked) {
  BulkOrder order;
  order.act = BulkOrder::Act::discard;
  std::tie(order.actor, order.reason) = TRY(actor_and_reason(asked));
  json narrowed = asked;
  if (text_of(asked, "state").empty()) narrowed["state"] = "waiting";
  const std::string state = narrowed["state"];
  if (state != "waiting" && state != "dead" && state != "held" && state != "parked") {
    return bad_request("what is " + state + " has ended already",
                       "what is waiting, dead, held or parked can be discarded");
  }
  order.of = TRY(many_of(narrowed));
  widen_to_former_names(order.of, site_);
  const auto counts = TRY(store_.counts());
  const auto is_of_it = [&](const store::StateCount& one) {
    const auto& also = order.of.also_of_channels;
    return one.channel == order.of.channel ||
           std::find(also.begin(), also.end(), one.channel) != also.end();
  };
  if (std::none_of(counts.begin(), counts.end(), is_of_it)) {
    return Error{"P317", "the store has nothing of a channel " + order.of.channel,
                 "see `cannula status`", std::nullopt};
  }
  return begin(std::move(order));
}

Result<json> Operations::replays(const json& asked) const {
  json rows = json::array();
  const std::uint32_t wanted = number_of(asked);
  if (engine_) {
    for (const BulkProgress& progress : engine_->bulk_acts().all()) {
      if (wanted == 0 || progress.number == wanted) rows.push_back(to_json(progress));
    }
  }
  return json{{"replays", std::move(rows)}};
}

Result<json> Operations::cancel_replay(const json& asked) {
  if (!engine_) {
    return Error{"P321", "no engine runs, and so nothing is under way", "", std::nullopt};
  }
  const store::Timestamp asked_at = pipeline::now_microseconds();
  const auto progress = TRY(engine_->bulk_acts().cancel(number_of(asked), text_of(asked, "actor")));
  json answer = to_json(progress);
  if (progress.ended < asked_at) answer["note"] = "it had ended before this was asked";
  return answer;
}

Result<Bytes> Operations::edited_body(const store::MessageRow& row, const json& asked) const {
  if (asked.contains("body")) return make_bytes(asked["body"].get<std::string>());
  if (asked.contains("body_base64"))
    return make_bytes(TRY(decode_base64(asked["body_base64"].get<std::string>())));
  const store::Record record = TRY(store_.read(row.accepted_at_position));
  const auto* accepted = std::get_if<store::Accepted>(&record);
  if (!accepted || !accepted->body) {
    return bad_request("nothing is kept of what message " + row.id.text() + " was",
                       "give the whole message in a file");
  }
  std::string charset;
  if (engine_) {
    const auto site = engine_->site();
    if (const auto* channel = config::channel_known_as(*site, row.channel))
      charset = channel->charset;
  }
  return with_set(accepted->body, asked.at("set"), charset);
}

Result<json> Operations::edit(const json& asked) {
  const auto [actor, reason] = TRY(actor_and_reason(asked));
  const MessageId id = TRY(id_of(text_of(asked, "id")));
  TRY(store_.catch_up_within(store::kPatience));
  const store::MessageRow row = TRY(pipeline::may_resend(store_, id, 0));
  Bytes body = TRY(edited_body(row, asked));
  if (body->empty()) return bad_request("the edited message is empty", "");
  const store::Record received = TRY(store_.read(row.accepted_at_position));
  const auto* original = std::get_if<store::Accepted>(&received);
  if (!original)
    return Error{"P301", "the received message " + id.text() + " is not in the journal", ""};
  const bool forced = asked.value("force", false);
  if (!forced) TRY(refuse_another_edit(store_, id));
  const EditedMessage looked = look_at_edited(original->body, body, resources_->segments.get());
  if (!forced) TRY(refuse_mistakes(looked));
  json answer{{"edited", id.text()}};
  if (!looked.more_segments.empty()) {
    answer["segments"] = looked.more_segments;
    answer["differs"] = describe_segments(looked);
  }
  if (engine_) {
    answer["as"] = TRY(engine_->edit(id, std::move(body), actor, reason)).text();
    return answer;
  }
  std::vector<store::Record> records;
  records.emplace_back(pipeline::edited_record(*original, std::move(body), actor, reason));
  if (pipeline::is_replaced_by_edit(row)) {
    records.emplace_back(store::Discarded{id, row.channel, 0, pipeline::now_microseconds(), actor,
                                          "edited and sent as a new message: " + reason});
  }
  const auto committed = TRY(store_.commit(std::move(records)));
  answer["as"] = committed.front().id.text();
  answer["note"] = "no engine runs: it is worked when one is started";
  return answer;
}

}  // namespace cannula::ops
