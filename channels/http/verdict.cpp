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

Answer verdict_on(Outcome outcome, std::int64_t now) {
  Answer answer;
  if (!outcome.failure.code.empty()) {
    answer.reason = std::move(outcome.failure);
    return answer;  // retry, without an answer
  }
  answer.attributes = attributes_of(outcome);
  answer.response = make_bytes(std::move(outcome.body));
  const unsigned status = outcome.status;
  if (status >= 200 && status < 300) {
    answer.kind = Answer::Kind::delivered;
    return answer;
  }
  const std::string said = std::to_string(status) + " " + reason_phrase(status);
  if (is_passing(status)) {
    answer.reason = Error("T354", "the server answered " + said, "it is tried again");
    for (const auto& [name, value] : outcome.headers) {
      if (name == "retry-after") answer.retry_after = retry_after(value, now);
    }
    return answer;
  }
  answer.kind = Answer::Kind::refused;
  answer.reason =
      status >= 300 && status < 400
          ? Error("T353", "the server answered " + said + ", and redirects are not followed",
                  "write the address it really has into `url`")
          : Error("T353", "the server refused it with " + said,
                  "its answer is kept with the delivery: `cannula msg show` shows it");
  return answer;
}

}  // namespace cannula::http
