#include "channels/http/outgoing.h"

#include <algorithm>
#include <memory>

#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include "channels/http/created.h"
#include "channels/http/text.h"

namespace cannula::http {

namespace {

Error url_error(const std::string& what) {
  return {"T351", "the url " + what,
          "write an absolute URL such as \"https://ehr.example/fhir\"; a secret belongs in "
          "`bearer`"};
}

Error request_error(const std::string& what) {
  return {"T352", what, "correct the headers, method or path in the configuration or in send()"};
}

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

void set_header(Headers& headers, const std::string& name, const std::string& value) {
  std::erase_if(headers, [&name](const auto& header) { return iequals(header.first, name); });
  headers.emplace_back(name, value);
}

bool has_header(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [name](const auto& header) { return iequals(header.first, name); });
}

Result<void> check_header(const std::string& name, const std::string& value) {
  if (!is_token(name)) return request_error("a header has a name that HTTP cannot carry");
  if (!is_field_value(value)) {
    return request_error("the value of header " + name + " holds a line end or control character");
  }
  for (const std::string_view own : {"content-length", "transfer-encoding", "connection", "te",
                                     "upgrade", "trailer", "expect", "keep-alive", "host"}) {
    if (iequals(name, own)) return request_error("the header " + name + " is set by itself");
  }
  return {};
}

// Dots, slashes and backslashes as they are, whichever way they were written: many servers decode a
// path before they look for "..", and some leave out what a ';' begins.
std::string unescaped_separators(std::string_view path) {
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string escape = path[i] == '%' ? lower(path.substr(i, 3)) : std::string();
    if (escape == "%2e" || escape == "%2f" || escape == "%5c") {
      plain += escape == "%2e" ? '.' : escape == "%2f" ? '/' : '\\';
      i += 2;
    } else {
      plain += path[i];
    }
  }
  return plain;
}

// What the path of send() adds to the configured URL. It never leaves that URL's part of the
// server: a path may come from a message.
Result<void> check_path(std::string_view path) {
  const bool plain = std::all_of(path.begin(), path.end(), [](unsigned char byte) {
    return byte > 0x20 && byte != 0x7F && byte != '#' && byte != '\\';
  });
  if (!plain) return request_error("the path holds a blank, a control character, # or \\");
  const std::string spelled = unescaped_separators(path.substr(0, path.find('?')));
  for (std::string_view rest = spelled;;) {
    const std::size_t slash = rest.find_first_of("/\\");
    const std::string_view segment = rest.substr(0, slash);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") {
      return request_error("the path holds . or .. and would leave the destination's url");
    }
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

std::string url_of(const OutgoingSettings& settings, std::string_view added) {
  const Url& url = settings.url;
  std::string text = url.scheme + "://" +
                     (settings.server_name.empty() ? url.host : settings.server_name) + ":" +
                     url.port + url.path;
  const std::size_t mark = added.find('?');
  const std::string_view path = added.substr(0, mark);
  if (!path.empty()) {
    if (text.ends_with('/') && path.starts_with('/')) text.pop_back();
    if (!text.ends_with('/') && !path.starts_with('/')) text += '/';
    text += path;
  }
  std::string query = url.query;
  if (mark != std::string_view::npos) {
    if (!query.empty()) query += '&';
    query += added.substr(mark + 1);
  }
  return query.empty() ? text : text + "?" + query;
}

std::string guessed_type(std::string_view payload) {
  const std::size_t begin = payload.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "application/octet-stream";
  if (payload.substr(begin).starts_with("MSH")) return "x-application/hl7-v2+er7";
  switch (payload[begin]) {
    case '{':
    case '[':
      return "application/json";
    case '<':
      return "application/xml";
    default:
      return "application/octet-stream";
  }
}

// What the script asked for, checked.
struct Wishes {
  std::string method, path, content_type;
  Headers headers;
  std::vector<std::string> updates;
};

Result<Wishes> wishes_of(const std::string& attributes) {
  Wishes wishes;
  if (attributes.empty()) return wishes;
  const auto json = nlohmann::json::parse(attributes, nullptr, false);
  if (!json.is_object()) return request_error("the delivery's attributes are no JSON object");
  for (const auto& [name, into] : {std::pair{"method", &wishes.method},
                                   {"path", &wishes.path},
                                   {"content_type", &wishes.content_type}}) {
    const auto found = json.find(name);
    if (found != json.end() && found->is_string()) *into = found->get<std::string>();
  }
  const auto headers = json.find("headers");
  if (headers != json.end() && headers->is_object()) {
    for (const auto& [name, value] : headers->items()) {
      if (!value.is_string()) return request_error("the value of a header is not a text");
      wishes.headers.emplace_back(name, value.get<std::string>());
      TRY(check_header(name, wishes.headers.back().second));
    }
  }
  const auto updates = json.find("updates");
  if (updates != json.end() && updates->is_array()) {
    for (const auto& one : *updates) {
      wishes.updates.push_back(one.is_string() ? reference_in(one.get<std::string>()) : "");
    }
  }
  if (!wishes.method.empty() && !is_method(wishes.method)) {
    return request_error("the method is not one of HTTP, in capitals");
  }
  if (!is_field_value(wishes.content_type)) {
    return request_error("the content type holds a line end or control character");
  }
  TRY(check_path(wishes.path));
  return wishes;
}

}  // namespace

Result<Url> Url::parse(const std::string& written) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle(curl_url(), curl_url_cleanup);
  CURLU* const url = handle.get();
  if (curl_url_set(url, CURLUPART_URL, written.c_str(), 0) != CURLUE_OK) {
    return url_error("is not one that can be read");
  }
  Url parsed;
  parsed.scheme = part_of(url, CURLUPART_SCHEME);
  if (parsed.scheme != "http" && parsed.scheme != "https") {
    return url_error("is neither http nor https");
  }
  if (!part_of(url, CURLUPART_USER).empty() || !part_of(url, CURLUPART_PASSWORD).empty()) {
    return url_error("holds a user or password, which would be readable in the site");
  }
  if (!part_of(url, CURLUPART_FRAGMENT).empty()) return url_error("has a part behind #");
  parsed.host = part_of(url, CURLUPART_HOST);
  parsed.port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  parsed.path = part_of(url, CURLUPART_PATH);
  parsed.query = part_of(url, CURLUPART_QUERY);
  return parsed;
}

std::string Url::authority() const {
  return port == (scheme == "https" ? "443" : "80") ? host : host + ":" + port;
}

Result<std::pair<std::string, std::string>> parse_header(const std::string& written) {
  const std::size_t colon = written.find(':');
  if (colon == std::string::npos) {
    return request_error("an entry of `headers` is not of the form \"Name: value\"");
  }
  std::pair<std::string, std::string> header(written.substr(0, colon),
                                             trimmed(std::string_view(written).substr(colon + 1)));
  TRY(check_header(header.first, header.second));
  return header;
}

std::string_view header_of(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& one) { return iequals(one.first, name); });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

bool is_method(std::string_view method) {
  return is_token(method) && method != "CONNECT" && method != "TRACE" &&
         std::all_of(method.begin(), method.end(), [](char c) { return c < 'a' || c > 'z'; });
}

Result<Outgoing> outgoing_of(const OutgoingSettings& settings, const Parcel& parcel,
                             const std::string& bearer) {
  const Wishes wishes = TRY(wishes_of(parcel.attributes));
  Outgoing request;
  request.body = parcel.payload ? parcel.payload : make_bytes("");
  request.method = wishes.method.empty() ? settings.method : wishes.method;
  request.url = url_of(settings, wishes.path);
  request.updates = wishes.updates;
  request.headers = settings.headers;
  if (!settings.server_name.empty()) request.headers.emplace_back("Host", settings.url.authority());
  if (!settings.idempotency_header.empty()) {
    set_header(request.headers, settings.idempotency_header, parcel.key);
  }
  if (!settings.content_type.empty()) {
    set_header(request.headers, "Content-Type", settings.content_type);
  }
  for (const auto& [name, value] : wishes.headers) set_header(request.headers, name, value);
  if (!wishes.content_type.empty()) {
    set_header(request.headers, "Content-Type", wishes.content_type);
  }
  if (request.body->empty()) {
    std::erase_if(request.headers,
                  [](const auto& header) { return iequals(header.first, "Content-Type"); });
  } else if (!has_header(request.headers, "Content-Type")) {
    request.headers.emplace_back("Content-Type", guessed_type(*request.body));
  }
  if (!bearer.empty() && !has_header(request.headers, "Authorization")) {
    request.headers.emplace_back("Authorization", "Bearer " + bearer);
  }
  return request;
}

}  // namespace cannula::http
