#include "channels/http/fhir_answer.h"

#include <algorithm>

#include "channels/http/created.h"
#include "channels/http/response.h"
#include "channels/http/text.h"
#include "parsers/text/terminal_text.h"
#include "parsers/tree/document.h"

namespace cannula::http {

namespace {

constexpr std::size_t kQuoted = 200;          // bytes of an answer that is not FHIR
constexpr std::size_t kXmlLookedInto = 1000;  // bytes, for the namespace

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string said(const Outcome& answer) {
  return std::to_string(answer.status) + " " + reason_phrase(answer.status);
}

FhirFault not_fhir(const Outcome& answer, const std::string& what) {
  FhirFault fault;
  fault.reason = Error("T359", "the server answered " + said(answer) + ", but " + what,
                       "see what stands at `url`; it is tried again");
  if (!is_blank(answer.body)) {
    fault.quoted = "it begins: " + visible(std::string_view(answer.body).substr(0, kQuoted));
  }
  return fault;
}

FhirFault refused(std::string what) {
  return {.kind = Answer::Kind::refused,
          .reason = Error("T353", std::move(what),
                          "its answer is kept with the delivery: `cannula msg show` shows it"),
          .quoted = {}};
}

void read_bundle(FhirRequest& request) {
  if (request.method != "POST" || !request.body || !looks_like_json(*request.body)) return;
  const std::string_view path = request.path;
  if (path.ends_with("/Bundle") || path.ends_with("/Bundle/")) return;  // filed as it is
  const auto document = tree::Document::parse(request.body);
  if (!document || !is_carried_out(*document)) return;
  request.bundle = document->root().member("type").text();
  request.entries = document->root().member("entry").size();
}

// "422" of "422 Unprocessable Entity"; empty when it is no status.
std::string status_of(tree::Node entry) {
  const std::string status = entry.member("response").member("status").text().substr(0, 3);
  const bool is_one = status.size() == 3 && std::all_of(status.begin(), status.end(), [](char c) {
                        return c >= '0' && c <= '9';
                      });
  return is_one ? status : std::string();
}

std::optional<FhirFault> fault_in_bundle(const FhirRequest& request, const Outcome& answer,
                                         const tree::Document& document) {
  const tree::Node root = document.root();
  const std::string wanted = request.bundle + "-response";
  if (root.member("resourceType").text() != "Bundle" || root.member("type").text() != wanted) {
    return not_fhir(answer, "what came is no Bundle of type " + wanted);
  }
  const tree::Node entries = root.member("entry");
  if (entries.size() != request.entries) {
    return not_fhir(answer, "its " + wanted + " has " + std::to_string(entries.size()) +
                                " entries, where " + std::to_string(request.entries) +
                                " were sent");
  }
  std::size_t number = 0;
  std::size_t failed = 0;
  std::string first;
  for (tree::Node entry = entries.first(); entry; entry = entry.next()) {
    ++number;
    const std::string status = status_of(entry);
    if (status.empty()) {
      return not_fhir(answer,
                      "entry " + std::to_string(number) + " of its " + wanted + " has no status");
    }
    if (status.starts_with('2')) continue;
    if (++failed == 1) first = "entry " + std::to_string(number) + " with " + status;
  }
  if (failed == 0) return std::nullopt;
  return refused("the server answered " + said(answer) + ", but of the " +
                 std::to_string(request.entries) + " entries of the " + request.bundle +
                 " it refused " + std::to_string(failed) + ", first " + first);
}

std::optional<FhirFault> fault_in_nothing(const FhirRequest& request, const Outcome& answer) {
  const auto has = [&](std::string_view name) { return !header_of(answer.headers, name).empty(); };
  if (request.method == "HEAD") return std::nullopt;
  if (answer.status == 202 && has("content-location") && request.async) return std::nullopt;
  if (!request.bundle.empty() || request.method == "GET") {
    return not_fhir(answer, "with nothing, where FHIR wants a resource");
  }
  const bool operation = request.path.find("/$") != std::string::npos;
  switch (answer.status) {
    case 201:
    case 204:
      return std::nullopt;
    case 202:  // of DELETE: R4, http.html#delete
      if (operation || request.method == "DELETE") return std::nullopt;
      break;
    case 200:
      if (operation || request.method != "POST" || request.if_none_exist || has("location")) {
        return std::nullopt;
      }
      break;
    default:
      break;
  }
  return not_fhir(answer, "with nothing that says what became of it");
}

bool says_error(const tree::Document& document) {
  for (tree::Node issue = document.root().member("issue").first(); issue; issue = issue.next()) {
    const std::string severity = issue.member("severity").text();
    if (severity == "error" || severity == "fatal") return true;
  }
  return false;
}

bool is_fhir_xml(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return begin != std::string_view::npos && text[begin] == '<' &&
         text.substr(begin, kXmlLookedInto).find("\"http://hl7.org/fhir\"") !=
             std::string_view::npos;
}

}  // namespace

FhirRequest fhir_request_of(const Outgoing& request) {
  const auto names = [&](std::string_view header, std::string_view word) {
    return lower(header_of(request.headers, header)).find(word) != std::string::npos;
  };
  FhirRequest asked{.method = request.method,
                    .path = request.url.substr(0, request.url.find('?')),
                    .if_none_exist = !header_of(request.headers, "If-None-Exist").empty(),
                    .async = names("Prefer", "respond-async"),
                    .xml = names("Accept", "xml"),
                    .body = request.body,
                    .bundle = {}};
  read_bundle(asked);
  return asked;
}

std::optional<FhirFault> fault_in(const FhirRequest& request, const Outcome& answer) {
  if (is_blank(answer.body)) return fault_in_nothing(request, answer);
  if (request.xml && is_fhir_xml(answer.body)) {
    const auto has = [&](std::string_view text) {
      return answer.body.find(text) != std::string::npos;
    };
    const bool error = has("value=\"error\"") || has("value=\"fatal\"");
    if (!error || answer.body.find("<OperationOutcome") >= kXmlLookedInto) return std::nullopt;
    return refused("the server answered " + said(answer) +
                   " with an OperationOutcome whose issue has severity error");
  }
  if (!looks_like_json(answer.body)) return not_fhir(answer, "what came is no FHIR resource");
  if (answer.cut) {
    FhirFault fault = refused("the server answered " + said(answer) +
                              ", and its answer is longer than `max_response`, so that it cannot "
                              "be told what became of it");
    fault.reason.code = "T361";
    fault.reason.hint = "look at the server; raise `max_response`, then discard or resend it";
    return fault;
  }
  const auto document = tree::Document::parse(make_bytes(answer.body));
  const std::string kind = document ? document->root().member("resourceType").text() : "";
  if (kind.empty()) return not_fhir(answer, "what came is no FHIR resource");
  if (kind == "OperationOutcome" && says_error(*document)) {
    return refused("the server answered " + said(answer) +
                   " with an OperationOutcome whose issue has severity error");
  }
  if (!request.bundle.empty()) return fault_in_bundle(request, answer, *document);
  return std::nullopt;
}

}  // namespace cannula::http
