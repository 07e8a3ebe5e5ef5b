#include "channels/http/created.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "channels/http/text.h"
#include "parsers/tree/document.h"

namespace cannula::http {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLongestId = 64;  // R4, datatypes.html#id

bool is_id(std::string_view text) {
  return text != "." && text != ".." && !text.empty() && text.size() <= kLongestId &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.';
         });
}

bool is_type(std::string_view text) {
  return !text.empty() && text.size() <= kLongestId && text.front() >= 'A' && text.front() <= 'Z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

std::string reference_of(std::string_view type, std::string_view id) {
  return is_type(type) && is_id(id) ? std::string(type) + "/" + std::string(id) : std::string();
}

References created_of_bundle(const tree::Document& request, const std::string& answer) {
  References created;
  const auto response = tree::Document::parse(make_bytes(answer));
  if (!response) return created;
  tree::Node answered = response->root().member("entry").first();
  bool any = false;
  for (tree::Node entry = request.root().member("entry").first(); entry; entry = entry.next()) {
    std::string reference;
    if (answered && entry.member("request").member("method").text() == "POST")
      reference = reference_in(answered.member("response").member("location").text());
    any = any || !reference.empty();
    created.push_back(std::move(reference));
    if (answered) answered = answered.next();
  }
  return any ? created : References();
}

struct Reference {
  std::string_view type, id;
};
Reference parts_of(std::string_view reference) {
  const std::size_t slash = reference.find('/');
  return {reference.substr(0, slash), reference.substr(slash + 1)};
}

// True when it is one of that type, and has the id now.
bool put_id(tree::Document& document, tree::Node resource, std::string_view reference) {
  const auto [type, id] = parts_of(reference);
  if (resource.member("resourceType").text() != type) return false;
  document.put(resource.id(), "id", document.make_string(id));
  return true;
}

void update_bundle(tree::Document& document, const References& created) {
  std::size_t i = 0;
  for (tree::Node entry = document.root().member("entry").first(); entry && i < created.size();
       entry = entry.next(), ++i) {
    const tree::Node request = entry.member("request");
    if (created[i].empty() || request.member("method").text() != "POST") continue;
    if (!put_id(document, entry.member("resource"), created[i])) continue;
    document.put(request.id(), "method", document.make_string("PUT"));
    document.put(request.id(), "url", document.make_string(created[i]));
    if (const tree::Node condition = request.member("ifNoneExist")) document.remove(condition.id());
  }
}

}  // namespace

bool looks_like_json(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return begin != std::string_view::npos && text[begin] == '{';
}

bool is_carried_out(const tree::Document& document) {
  const tree::Node root = document.root();
  const std::string type = root.member("type").text();
  return root.member("resourceType").text() == "Bundle" &&
         (type == "transaction" || type == "batch");
}

std::string reference_in(std::string_view location) {
  location = location.substr(0, location.find_first_of("?#"));
  std::vector<std::string_view> parts;
  while (!location.empty()) {
    const std::size_t slash = location.find('/');
    parts.push_back(location.substr(0, slash));
    location.remove_prefix(slash == std::string_view::npos ? location.size() : slash + 1);
  }
  const auto history = std::find(parts.begin(), parts.end(), "_history");
  parts.erase(history, parts.end());
  if (parts.size() < 2) return {};
  return reference_of(parts[parts.size() - 2], parts.back());
}

References created_by(std::string_view method, const Bytes& request, const Headers& answer_headers,
                      const std::string& answer) {
  if (method != "POST" || !request || !looks_like_json(*request)) return {};
  const auto document = tree::Document::parse(request);
  if (!document) return {};
  std::string reference = reference_in(header_of(answer_headers, "location"));
  const std::string type = document->root().member("resourceType").text();
  if (is_carried_out(*document) && !reference.starts_with("Bundle/"))
    return created_of_bundle(*document, answer);
  if (reference.empty() && looks_like_json(answer)) {
    if (const auto resource = tree::Document::parse(make_bytes(answer))) {
      reference = reference_of(resource->root().member("resourceType").text(),
                               resource->root().member("id").text());
    }
  }
  return reference.starts_with(type + "/") ? References{std::move(reference)} : References();
}

std::string with_created(const std::string& attributes, const References& created) {
  if (created.empty()) return attributes;
  auto json = ordered_json::parse(attributes, nullptr, false);
  if (!json.is_object()) return attributes;
  json["created"] = created;
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

References created_in(const std::string& attributes) {
  References created;
  if (attributes.empty()) return created;
  const auto json = ordered_json::parse(attributes, nullptr, false);
  if (!json.is_object() || !json.contains("created") || !json["created"].is_array()) return created;
  for (const auto& one : json["created"]) {
    const std::string text = one.is_string() ? one.get<std::string>() : std::string();
    created.push_back(text.empty() ? text : reference_in(text));
  }
  return created;
}

void make_update(Outgoing& request, const References& created) {
  if (created.empty() || request.method != "POST" || !looks_like_json(*request.body)) return;
  auto document = tree::Document::parse(request.body);
  if (!document) return;
  const std::size_t query = std::min(request.url.find('?'), request.url.size());
  const auto [type, id] = parts_of(created.front());
  const bool at_type =
      std::string_view(request.url).substr(0, query).ends_with("/" + std::string(type));
  if (created.size() == 1 && at_type && put_id(*document, document->root(), created.front())) {
    request.method = "PUT";
    request.url = request.url.substr(0, query) + "/" + std::string(id);
    std::erase_if(request.headers,
                  [](const auto& header) { return iequals(header.first, "If-None-Exist"); });
  } else if (is_carried_out(*document)) {
    update_bundle(*document, created);
  }
  if (document->edited()) request.body = make_bytes(document->encode());
}

}  // namespace cannula::http
