#include "engine/ops/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/security/audit/entry.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/text/base64.h"
#include "parsers/text/character_set.h"

namespace cannula::ops {
namespace {

using nlohmann::json;

// A message in another character set, as it reads; the bytes alone when it is no HL7 v2 message.
void put_decoded(json& into, const std::string& name, const Bytes& bytes) {
  const auto decoded = hl7v2::decode(bytes);
  if (!decoded) return;
  into[name + "_text"] = decoded->message.encode();
  into[name + "_charset"] = decoded->encoding.utf16 == Utf16::none ? decoded->encoding.set.name()
                                                                   : std::string_view("UTF-16");
}

json record_json(const store::Accepted& accepted) {
  json value{{"record", "accepted"},    {"at", time_text(accepted.at)},
             {"peer", accepted.peer},   {"partner", accepted.partner},
             {"event", accepted.event}, {"control_id", accepted.control_id}};
  if (!accepted.attributes.empty()) value["attributes"] = accepted.attributes;
  if (!accepted.refusal_code.empty()) {
    value["refusal_code"] = accepted.refusal_code;
    value["refusal"] = accepted.refusal;
  }
  if (accepted.edited_from) {
    value["edited_from"] = accepted.edited_from.text();
    value["actor"] = accepted.editor;
    value["reason"] = accepted.edit_reason;
  }
  put_bytes(value, "body", accepted.body);
  return value;
}

json record_json(const store::Outcome& outcome) {
  json value{{"record", "outcome"},
             {"at", time_text(outcome.at)},
             {"state", store::name_of(outcome.state)}};
  if (outcome.cause != 0) value["response_to_delivery"] = outcome.cause;
  if (!outcome.code.empty()) value["code"] = outcome.code;
  if (!outcome.reason.empty()) value["reason"] = outcome.reason;
  json trace = json::array();
  std::size_t begin = 0;
  while (begin < outcome.trace.size()) {
    const std::size_t end = std::min(outcome.trace.find('\n', begin), outcome.trace.size());
    json line = json::parse(outcome.trace.substr(begin, end - begin), nullptr, false);
    if (!line.is_discarded()) trace.push_back(std::move(line));
    begin = end + 1;
  }
  value["trace"] = std::move(trace);
  value["deliveries"] = json::array();
  for (const auto& request : outcome.deliveries) {
    json delivery{{"ordinal", request.ordinal},
                  {"destination", request.destination},
                  {"priority", request.priority > 0 ? "stat" : "routine"}};
    if (!request.payload) delivery["payload_is"] = "the received bytes";
    if (!request.attributes.empty()) delivery["attributes"] = request.attributes;
    put_bytes(delivery, "payload", request.payload);
    value["deliveries"].push_back(std::move(delivery));
  }
  return value;
}

json record_json(const store::Attempt& attempt) {
  json value{{"record", "attempt"},         {"at", time_text(attempt.at)},
             {"delivery", attempt.ordinal}, {"destination", attempt.destination},
             {"number", attempt.number},    {"state", store::name_of(attempt.state)}};
  if (!attempt.code.empty()) value["code"] = attempt.code;
  if (!attempt.reason.empty()) value["reason"] = attempt.reason;
  if (attempt.next_at != 0) value["next_at"] = time_text(attempt.next_at);
  if (!attempt.attributes.empty()) value["attributes"] = attempt.attributes;
  put_bytes(value, "response", attempt.response);
  return value;
}

template <class Act>
json act_json(const char* name, const Act& act) {
  json value{
      {"record", name}, {"at", time_text(act.at)}, {"actor", act.actor}, {"reason", act.reason}};
  if (act.ordinal != 0) value["delivery"] = act.ordinal;
  return value;
}
// Of no message: they are in no message's trail.
json record_json(const store::Forgotten& forgotten) {
  return json{{"record", "forgotten"}, {"at", time_text(forgotten.at)}};
}
json record_json(const store::Ledger& ledger) {
  return json{{"record", "ledger"}, {"at", time_text(ledger.at)}};
}
json record_json(const store::Resent& resent) {
  return act_json("resent", resent);
}
json record_json(const store::Discarded& discarded) {
  return act_json("discarded", discarded);
}

}  // namespace

std::string time_text(store::Timestamp at) {
  return audit::time_text(at);
}

void put_bytes(json& into, const char* name, const Bytes& bytes) {
  if (!bytes) return;
  if (is_utf8(*bytes) && !hl7v2::is_utf16(*bytes)) {
    into[name] = *bytes;
    // ASCII whose escape sequences mean letters of another set.
    if (!is_ascii(*bytes)) return;
    const auto parsed = hl7v2::Message::parse(bytes);
    if (parsed && !hl7v2::is_plain(*parsed)) put_decoded(into, name, bytes);
    return;
  }
  into[std::string(name) + "_base64"] = encode_base64(*bytes);
  put_decoded(into, name, bytes);
}

json to_json(const store::MessageRow& row) {
  json value{{"id", row.id.text()},
             {"channel", row.channel},
             {"state", store::name_of(row.state)},
             {"received_at", time_text(row.received_at)},
             {"changed_at", time_text(row.changed_at)},
             {"event", row.event},
             {"control_id", row.control_id},
             {"partner", row.partner},
             {"size", row.size}};
  if (!row.code.empty()) value["code"] = row.code;
  if (!row.reason.empty()) value["reason"] = row.reason;
  if (row.edited_from) value["edited_from"] = row.edited_from.text();
  if (row.bodies_removed != 0) value["bodies_removed"] = time_text(row.bodies_removed);
  return value;
}

json to_json(const store::DeliveryRow& row) {
  json value{{"ordinal", row.ordinal},
             {"destination", row.destination},
             {"key", row.id.text() + "-" + row.destination + "-" + std::to_string(row.ordinal)},
             {"state", store::name_of(row.state)},
             {"attempts", row.attempts},
             {"changed_at", time_text(row.changed_at)}};
  if (row.state == store::DeliveryState::retrying) value["next_at"] = time_text(row.next_at);
  if (!row.code.empty()) value["code"] = row.code;
  if (!row.reason.empty()) value["reason"] = row.reason;
  return value;
}

json to_json(const store::Record& record) {
  return std::visit([](const auto& one) { return record_json(one); }, record);
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(const store::UnmappedRow& row) {
  return json{{"table", row.table},
              {"key", row.key},
              {"text", row.text},
              {"channel", row.channel},
              {"count", row.count},
              {"first_at", time_text(row.first_at)},
              {"last_at", time_text(row.last_at)},
              {"sample", row.sample.text()},
              {"waiting", row.waiting}};
}

}  // namespace cannula::ops
