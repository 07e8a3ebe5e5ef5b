#include "engine/ops/asked.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/ops/moment.h"
#include "engine/pipeline/clock.h"

namespace cannula::ops {
using nlohmann::json;

Error bad_request(std::string what, std::string hint) {
  return Error{"U201", std::move(what), std::move(hint), std::nullopt};
}

Result<MessageId> id_of(const std::string& text) {
  if (auto id = MessageId::parse(text)) return *id;
  return bad_request("\"" + text + "\" is not a message id",
                     "ids have 13 characters; see `cannula msg list`");
}

json with_note(json answer, const Result<void>& caught_up) {
  if (!caught_up) answer["index_behind"] = caught_up.error().text();
  return answer;
}

std::string text_of(const json& object, const char* name) {
  auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Who acts and why: nothing is done by nobody, or for no reason.
Result<std::pair<std::string, std::string>> actor_and_reason(const json& object) {
  std::pair<std::string, std::string> both{text_of(object, "actor"), text_of(object, "reason")};
  if (both.first.empty()) return bad_request("the request does not say who asks", "name an actor");
  if (both.second.empty())
    return bad_request("the request gives no reason", "say why: --reason \"…\"; it is recorded");
  return both;
}

Result<store::LetterQuery> many_of(const json& asked) {
  using Delivery = store::DeliveryState;
  using Message = store::MessageState;
  store::LetterQuery query;
  query.channel = text_of(asked, "channel");
  query.destination = text_of(asked, "destination");
  query.code = text_of(asked, "code");
  if (const std::string place = text_of(asked, "place"); !place.empty()) query.place = place;
  const store::Timestamp now = pipeline::now_microseconds();
  query.from = TRY(moment_of(text_of(asked, "since"), now));
  query.to = TRY(moment_of(text_of(asked, "until"), now));
  TRY(check_range(query.from, query.to));
  const std::string state = asked.value("state", std::string("dead"));
  if (state == "dead") {
    query.deliveries = {Delivery::dead};
    query.messages = {Message::dead};
  } else if (state == "held") {
    query.deliveries = {Delivery::held};
  } else if (state == "delivered") {
    query.deliveries = {Delivery::delivered};
  } else if (state == "parked" || state == "filtered" || state == "done") {
    query.messages = {*store::message_state(state)};
  } else if (state == "waiting" && !query.destination.empty()) {
    query.deliveries = {Delivery::queued, Delivery::retrying, Delivery::held};
  } else if (state == "waiting") {
    query.messages = {Message::accepted, Message::queued, Message::parked};
  } else {
    return bad_request("\"" + state + "\" is not a state to ask many of",
                       "dead, held, delivered, parked, filtered, done or waiting");
  }
  if (!query.messages.empty() && query.deliveries.empty() && !query.destination.empty()) {
    return bad_request("messages that are " + state + " have no destination",
                       "leave the destination out, or ask for deliveries: dead, held, delivered");
  }
  return query;
}

}  // namespace cannula::ops
