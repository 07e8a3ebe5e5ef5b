#include "channels/http/response.h"

#include <array>
#include <ctime>

#include <nlohmann/json.hpp>

#include "channels/http/text.h"

namespace cannula::http {

namespace {

struct Phrase {
  unsigned status;
  std::string_view text;
};

// RFC 9110, 15, and RFC 6585; those that this server or a script is likely to use.
constexpr Phrase kPhrases[] = {{200, "OK"},
                               {201, "Created"},
                               {202, "Accepted"},
                               {204, "No Content"},
                               {206, "Partial Content"},
                               {301, "Moved Permanently"},
                               {302, "Found"},
                               {303, "See Other"},
                               {304, "Not Modified"},
                               {307, "Temporary Redirect"},
                               {308, "Permanent Redirect"},
                               {400, "Bad Request"},
                               {401, "Unauthorized"},
                               {403, "Forbidden"},
                               {404, "Not Found"},
                               {405, "Method Not Allowed"},
                               {406, "Not Acceptable"},
                               {408, "Request Timeout"},
                               {409, "Conflict"},
                               {410, "Gone"},
                               {411, "Length Required"},
                               {412, "Precondition Failed"},
                               {413, "Content Too Large"},
                               {414, "URI Too Long"},
                               {415, "Unsupported Media Type"},
                               {417, "Expectation Failed"},
                               {422, "Unprocessable Content"},
                               {425, "Too Early"},
                               {428, "Precondition Required"},
                               {429, "Too Many Requests"},
                               {431, "Request Header Fields Too Large"},
                               {500, "Internal Server Error"},
                               {501, "Not Implemented"},
                               {502, "Bad Gateway"},
                               {503, "Service Unavailable"},
                               {504, "Gateway Timeout"},
                               {505, "HTTP Version Not Supported"}};

// What says where the message ends, or is written here anyway.
bool is_framing(std::string_view name) {
  for (const std::string_view own : {"content-length", "transfer-encoding", "connection", "date",
                                     "keep-alive", "upgrade", "trailer", "te"}) {
    if (iequals(name, own)) return true;
  }
  return false;
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> text;
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string reason_phrase(unsigned status) {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) return std::string(phrase.text);
  }
  return "Status " + std::to_string(status);
}

Response response_of(const Problem& problem, std::string_view id) {
  nlohmann::ordered_json json;
  json["status"] = problem.status;
  json["title"] = reason_phrase(problem.status);
  json["detail"] = problem.reason.message;
  if (!problem.reason.hint.empty()) json["hint"] = problem.reason.hint;
  json["code"] = problem.reason.code;
  if (!id.empty()) json["id"] = id;
  Response response{problem.status, problem.headers, make_bytes(dump(json))};
  response.headers.emplace_back("Content-Type", "application/problem+json");
  return response;
}

Response response_with_id(unsigned status, std::string_view id) {
  nlohmann::ordered_json json;
  json["id"] = id;
  Response response{status, {}, make_bytes(dump(json))};
  response.headers.emplace_back("Content-Type", "application/json");
  return response;
}

bool has_body(unsigned status) {
  return status >= 200 && status != 204 && status != 304;
}

std::string head_of(const Response& response, const Framing& framing) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " +
                     reason_phrase(response.status) + "\r\nDate: " + date_now() + "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name) || !is_field_value(value) || is_framing(name)) continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (has_body(response.status)) {
    const std::size_t size = response.body ? response.body->size() : 0;
    head += "Content-Length: " + std::to_string(size) + "\r\n";
  }
  if (!framing.keep_alive) {
    head += "Connection: close\r\n";
  } else if (framing.version == 10) {
    head += "Connection: keep-alive\r\n";
  }
  return head + "\r\n";
}

}  // namespace cannula::http
