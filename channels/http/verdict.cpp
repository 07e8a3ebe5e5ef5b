#include "channels/http/verdict.h"

#include <algorithm>
#include <charconv>

#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include "channels/http/response.h"
#include "channels/http/target.h"
#include "channels/transport/secret_name.h"

namespace cannula::http {

namespace {

using std::chrono::seconds;

constexpr seconds kLongest = std::chrono::hours(24);

bool is_passing(unsigned status) {
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

bool is_redirect(unsigned status) {
  return status >= 300 && status < 400;
}

// It would meet every message alike, so no message is dead of it.
bool is_of_the_destination(unsigned status, const FhirRequest* asked) {
  if (status == 401 || status == 403 || status == 407 || is_redirect(status)) return true;
  return status == 404 && asked != nullptr && !asked->bundle.empty();
}

std::string what_to_put_right(unsigned status) {
  if (is_redirect(status)) {
    return "redirects are not followed: write the address it really has into `url`";
  }
  if (status == 404) return "`url` must be the base address of the FHIR server";
  return "put right what `bearer`, `headers` or `tls` log in with, or have the server let it in; "
         "where this status is about single messages, say so in `retry.on`";
}

std::string attributes_of(const Outcome& outcome) {
  nlohmann::ordered_json json;
  json["status"] = outcome.status;
  auto headers = nlohmann::ordered_json::object();
  for (const auto& [name, value] : outcome.headers) {
    if (is_secret_name(name)) continue;
    headers[name] =
        headers.contains(name) ? headers[name].get<std::string>() + ", " + value : value;
  }
  json["headers"] = std::move(headers);
  if (outcome.cut) json["truncated"] = true;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::optional<std::chrono::milliseconds> retry_after(std::string_view value, std::int64_t now) {
  if (value.empty()) return std::nullopt;
  std::int64_t wait = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), wait);
  if (failure == std::errc::result_out_of_range && end == value.data() + value.size()) {
    return value.front() == '-' ? seconds(0) : kLongest;
  }
  if (failure != std::errc() || end != value.data() + value.size()) {
    const std::time_t date = curl_getdate(std::string(value).c_str(), nullptr);
    if (date == -1) return std::nullopt;
    wait = date - now;
  }
  return std::clamp(seconds(std::min<std::int64_t>(wait, kLongest.count())), seconds(0), kLongest);
}

Answer verdict_on(Outcome outcome, std::int64_t now, const FhirRequest* asked) {
  Answer answer;
  if (!outcome.failure.code.empty()) {
    answer.reason = std::move(outcome.failure);
    return answer;  // retry, without an answer
  }
  answer.own_words = true;
  answer.attributes = attributes_of(outcome);
  const unsigned status = outcome.status;
  const std::string said = std::to_string(status) + " " + reason_phrase(status);
  if (status >= 200 && status < 300) {
    answer.kind = Answer::Kind::delivered;
    if (auto fault = asked != nullptr ? fault_in(*asked, outcome) : std::nullopt) {
      answer.kind = fault->kind;
      answer.reason = std::move(fault->reason);
      answer.quoted = std::move(fault->quoted);
    }
  } else if (is_passing(status)) {
    answer.reason = Error("T354", "the server answered " + said, "it is tried again");
    for (const auto& [name, value] : outcome.headers) {
      if (name == "retry-after") answer.retry_after = retry_after(value, now);
    }
  } else if (is_of_the_destination(status, asked)) {
    answer.reason = Error("T360", "the server answered " + said, what_to_put_right(status));
  } else {
    answer.kind = Answer::Kind::refused;
    answer.reason = Error("T353", "the server refused it with " + said,
                          "its answer is kept with the delivery: `cannula msg show` shows it");
  }
  answer.response = make_bytes(std::move(outcome.body));
  return answer;
}

}  // namespace cannula::http
