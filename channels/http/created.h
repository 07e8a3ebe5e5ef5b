// What a FHIR server created for a delivery: read from its answer, kept with the attempt, and used
// when the same is delivered again, so that it updates what is there instead of creating it a
// second time (R4, http.html: create, update, transaction). JSON only; what is XML is delivered
// again as it is. No I/O.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "channels/http/outgoing.h"
#include "parsers/text/span.h"

namespace cannula::tree {
class Document;
}

namespace cannula::http {

bool looks_like_json(std::string_view text);

// A transaction or batch that the server carries out, not a Bundle that is filed as one.
bool is_carried_out(const tree::Document& document);

// "Observation/123", one for each entry of a bundle that was sent, empty for those that created
// nothing; or a single one.
using References = std::vector<std::string>;

// "Observation/123" of a Location such as "https://ehr.example/fhir/Observation/123/_history/1";
// empty when it is no such address.
std::string reference_in(std::string_view location);

// What the request created, by the answer to it; empty when it created nothing, or does not say
// what.
References created_by(std::string_view method, const Bytes& request, const Headers& answer_headers,
                      const std::string& answer);

// With what was created in it, as the attributes of an attempt keep it ("created"); and out again.
// `attributes` is a JSON object.
std::string with_created(const std::string& attributes, const References& created);
References created_in(const std::string& attributes);

// The request as an update of what an earlier one created: PUT with the id, entry by entry in a
// bundle. What was not created before is created. A request that does not fit stays as it is.
void make_update(Outgoing& request, const References& created);

}  // namespace cannula::http
