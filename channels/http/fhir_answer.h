// Whether a FHIR server that answered 2xx did what it was asked: proxies and login pages say 200 as
// well, and what became of the entries of a batch stands in the body only (R4, http.html). What is
// asked for in XML is not looked into beyond its being FHIR. No I/O.
#pragma once

#include <optional>
#include <string>

#include "channels/http/outgoing.h"
#include "channels/http/transfer.h"
#include "channels/transport/transport.h"

namespace cannula::http {

// What was sent, as far as the answer is judged by it.
struct FhirRequest {
  std::string method;
  std::string path;  // of the URL
  bool if_none_exist = false;
  bool async = false;  // Prefer: respond-async
  bool xml = false;    // Accept names XML
  Bytes body;
  // Of a Bundle in JSON that the server is to carry out (R4, http.html#transaction): "transaction"
  // or "batch", and how many entries it has. Empty for all else.
  std::string bundle;
  std::size_t entries = 0;
};
// Reads the body once, for all that is asked about it.
FhirRequest fhir_request_of(const Outgoing& request);

struct FhirFault {
  Answer::Kind kind = Answer::Kind::retry;
  Error reason;        // without a word of the server's
  std::string quoted;  // how the answer begins, where that is not FHIR
};

// Why an answer with 2xx is no success; nothing when it is one:
// - to a transaction or batch, a Bundle of type transaction-response or batch-response with as many
//   entries, each with a status of 2xx (R4, http.html#transaction-response); a status that is not
//   is `refused`;
// - to anything else, a resource; or nothing, where R4 allows that ("Managing Return Content":
//   return=minimal): 201 and 204; 200 to PUT, PATCH and DELETE, and to a POST that names the
//   Location, was conditional, or called an operation;
// - an OperationOutcome with an issue of severity error or fatal is `refused`;
// - whatever else came, such as HTML, is `retry`.
std::optional<FhirFault> fault_in(const FhirRequest& request, const Outcome& answer);

}  // namespace cannula::http
