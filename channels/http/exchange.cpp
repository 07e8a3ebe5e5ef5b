#include "channels/http/exchange.h"

#include <chrono>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <nlohmann/json.hpp>

#include "channels/http/text.h"
#include "channels/transport/secret_name.h"
#include "channels/transport/wall_clock.h"
#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/hl7v2/header.h"

namespace cannula::http {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kKeptOfDefective = 64 * 1024;
constexpr std::size_t kLongestControlId = 199;  // MSH-10 since version 2.7
constexpr std::string_view kRetrySeconds = "5";
constexpr std::string_view kHl7Type = "x-application/hl7-v2+er7";

bool is_hl7_type(std::string_view value) {
  const std::string_view type = media_type(value);
  return iequals(type, kHl7Type) || iequals(type, "application/hl7-v2") ||
         iequals(type, "application/hl7-v2+er7");
}

bool speaks_hl7(const RequestHead& head) {
  return is_hl7_type(head.header("content-type")) || is_hl7_type(head.header("accept"));
}

// Anything is a name here, also what is no UTF-8.
std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

// 403 for who may not, or may not send this (P1xx, partners); 422 for what the script or the
// channel does not want.
Problem refusal_of(const Receipt& receipt) {
  Problem problem;
  problem.status = receipt.reason.code.starts_with("P1") ? 403 : 422;
  problem.reason = receipt.reason;
  return problem;
}

Problem failure_of(const Receipt& receipt) {
  Problem problem;
  problem.status = 503;
  problem.reason = receipt.reason;
  problem.headers.emplace_back("Retry-After", std::string(kRetrySeconds));
  return problem;
}

std::optional<std::string> acknowledgement_of(const std::string& body, const Receipt& receipt) {
  const auto header = hl7v2::Header::peek(body);
  if (!header || header->message_type.starts_with("ACK")) return std::nullopt;
  const std::string id = receipt.id ? receipt.id.text() : std::to_string(now_microseconds());
  const std::string text =
      receipt.reason.message +
      (receipt.reason.hint.empty() ? std::string() : " (" + receipt.reason.hint + ")");
  hl7v2::AckDetails details;
  details.time = now_microseconds();
  details.control_id = id;
  if (receipt.disposition == Disposition::accepted) {
    return hl7v2::acknowledge(*header, hl7v2::AckOutcome::accepted, details);
  }
  details.text = text;
  details.error_code = receipt.reason.code == "P104"   ? "201"  // unsupported event code
                       : receipt.reason.code == "P105" ? "101"  // required field missing
                                                       : "207";
  details.diagnostics = receipt.reason.code;
  auto outcome = receipt.disposition == Disposition::refused ? hl7v2::AckOutcome::rejected
                                                             : hl7v2::AckOutcome::error;
  if (receipt.reply && receipt.reply->ack) {
    outcome = receipt.reply->ack->outcome;
    receipt.reply->ack->fill(details);
  }
  return hl7v2::acknowledge(*header, outcome, details);
}

Response response_of_reply(const Reply& reply) {
  Response response;
  response.status = reply.status >= 200 && reply.status <= 599 ? reply.status : 500;
  response.headers = reply.headers;
  response.body = reply.body;
  return response;
}

// Which names are to be told: each once, and no more than any sender needs.
class FirstNames {
 public:
  bool is_new(std::string_view name) {
    return names_.size() < kMostNames && names_.insert(name).second;
  }

 private:
  static constexpr std::size_t kMostNames = 256;
  std::unordered_set<std::string_view> names_;
};

// To an object that does not have the name yet: looking for it would take long when there are many.
void append(ordered_json& object, std::string_view name, std::string value) {
  object.get_ref<ordered_json::object_t&>().emplace_back(std::string(name), std::move(value));
}

// The values of each name joined by ", " (RFC 9110, 5.3), in the order of the names, without what
// is to log in with. In one pass: there may be thousands of one name.
std::vector<std::pair<std::string_view, std::string>> joined_headers(const RequestHead& head) {
  std::vector<std::pair<std::string_view, std::string>> joined;
  std::unordered_map<std::string_view, std::size_t> places;
  FirstNames names;
  for (const auto& [name, value] : head.headers) {
    if (const auto place = places.find(name); place != places.end()) {
      joined[place->second].second.append(", ").append(value);
    } else if (!is_secret_name(name) && names.is_new(name)) {
      places.emplace(name, joined.size());
      joined.emplace_back(name, value);
    }
  }
  return joined;
}

}  // namespace

std::string attributes_of(const RequestHead& head, const Target& target) {
  ordered_json json;
  json["method"] = head.method;
  json["path"] = target.path;
  json["target"] = target.text;
  // One value a name, as scripts see it; of several the first, and all are in the target.
  json["query"] = ordered_json::object();
  FirstNames parameters;
  for (const auto& [name, value] : target.query) {
    if (parameters.is_new(name)) append(json["query"], name, value);
  }
  json["headers"] = ordered_json::object();
  for (auto& [name, values] : joined_headers(head))
    append(json["headers"], name, std::move(values));
  return dump(json);
}

Arrival arrival_of(const RequestHead& head, const Target& target, std::string body,
                   const std::string& key_header, const std::string& peer_address,
                   std::optional<Error> defect) {
  Arrival arrival;
  if (defect && body.size() > kKeptOfDefective) body.resize(kKeptOfDefective);
  arrival.body = make_bytes(std::move(body));
  arrival.event = head.method;
  arrival.peer_address = peer_address;
  arrival.attributes = attributes_of(head, target);
  arrival.defect = std::move(defect);
  const std::string asked_for = head.method + ' ' + target.text;  // is part of who asks
  if (const auto header = hl7v2::Header::peek(*arrival.body)) {
    arrival.event = header->event();
    arrival.control_id = header->control_id;
    arrival.sender.append(header->sending_application).append("|");
    arrival.sender.append(header->sending_facility).append("|").append(asked_for);
  } else if (std::string key = head.header(key_header); key.size() <= kLongestControlId) {
    arrival.control_id = std::move(key);
    arrival.sender = asked_for;
  }
  return arrival;
}

Response answer_of(const RequestHead& head, const std::string& body, const Receipt& receipt,
                   const MountSettings& settings, const std::optional<Problem>& problem) {
  const std::string id = receipt.id ? receipt.id.text() : std::string();
  if (problem) return response_of(*problem, id);
  const bool refused_with_ack = receipt.disposition == Disposition::refused && receipt.reply &&
                                receipt.reply->ack && !receipt.reply->body;
  if (settings.processed && receipt.reply && !refused_with_ack)
    return response_of_reply(*receipt.reply);

  Response response;
  switch (receipt.disposition) {
    case Disposition::accepted:
      response = response_with_id(settings.processed ? 200 : 202, id);
      break;
    case Disposition::refused:
      response = response_of(refusal_of(receipt), id);
      break;
    case Disposition::failed:
      response = response_of(failure_of(receipt), id);
      break;
  }
  if (!speaks_hl7(head)) return response;
  if (auto acknowledgement = acknowledgement_of(body, receipt)) {
    // Senders of this kind take 200 alone for an acceptance.
    if (receipt.disposition == Disposition::accepted) response.status = 200;
    std::erase_if(response.headers,
                  [](const auto& header) { return header.first == "Content-Type"; });
    response.headers.emplace_back("Content-Type", std::string(kHl7Type) + "; charset=utf-8");
    response.body = make_bytes(*std::move(acknowledgement));
  }
  return response;
}

}  // namespace cannula::http
