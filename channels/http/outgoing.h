// What a delivery becomes as a request: the destination's configuration, and what the script asked
// for this one.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "channels/transport/transport.h"
#include "parsers/text/result.h"

namespace cannula::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// An absolute http or https URL, taken apart and normalised.
struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // an IPv6 address in brackets
  std::string port;
  std::string path;   // "/fhir", never empty
  std::string query;  // without "?"

  // Fails (T351) for anything else, also one with a user, a password or a fragment.
  static Result<Url> parse(const std::string& written);
  // host, with the port where it is not the scheme's own: what belongs in Host.
  std::string authority() const;
};

struct Outgoing {
  std::string method;
  std::string url;
  Headers headers;
  Bytes body;
  std::vector<std::string> updates{};  // "Observation/123": what the script says was created before
};

struct OutgoingSettings {
  Url url;
  // The host that the URL is asked with instead, so that the certificate is verified for it.
  std::string server_name;
  std::string method;
  std::string content_type;        // empty: by what the payload looks like
  Headers headers;                 // as configured
  std::string idempotency_header;  // empty: none
};

// "Name: value" of a configuration. Fails (T352) when it is not one that HTTP can carry; the error
// does not quote the value.
Result<std::pair<std::string, std::string>> parse_header(const std::string& written);
bool is_method(std::string_view method);

// The first value of the header; empty when there is none.
std::string_view header_of(const Headers& headers, std::string_view name);

// `bearer` is put into Authorization when it is not empty and nothing else was put there. Fails
// (T352) when the parcel asks for something that HTTP cannot carry.
Result<Outgoing> outgoing_of(const OutgoingSettings& settings, const Parcel& parcel,
                             const std::string& bearer);

}  // namespace cannula::http
