#include "channels/transport/secret_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace cannula {

bool is_secret_name(std::string_view name) {
  static constexpr std::array<std::string_view, 17> kParts = {
      "authorization", "cookie",           "api-key",       "api_key",   "apikey",   "access-key",
      "access_key",    "auth-key",         "auth_key",      "token",     "password", "credential",
      "secret",        "subscription-key", "functions-key", "signature", "session"};
  // Not `code`, by which FHIR searches.
  static constexpr std::array<std::string_view, 6> kWhole = {"sig",    "key", "pwd",
                                                             "passwd", "jwt", "x-auth"};
  std::string small(name);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::find(kWhole.begin(), kWhole.end(), small) != kWhole.end()) return true;
  return std::any_of(kParts.begin(), kParts.end(), [&small](std::string_view part) {
    return small.find(part) != std::string::npos;
  });
}

std::string_view secret_parameter_of(std::string_view url) {
  for (std::size_t at = 0; (at = url.find_first_of("?&", at)) != std::string_view::npos;) {
    const std::string_view rest = url.substr(++at);
    const std::string_view name = rest.substr(0, rest.find_first_of("=?&"));
    if (is_secret_name(name)) return name;
  }
  return {};
}

}  // namespace cannula
