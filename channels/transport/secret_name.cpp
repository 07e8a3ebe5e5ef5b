#include "channels/transport/secret_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace cannula {

bool is_secret_name(std::string_view name) {
  static constexpr std::array<std::string_view, 15> kParts = {
      "authorization", "cookie",     "api-key",  "api_key",          "apikey",
      "access-key",    "access_key", "auth-key", "auth_key",         "token",
      "password",      "credential", "secret",   "subscription-key", "functions-key"};
  std::string small(name);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(kParts.begin(), kParts.end(), [&small](std::string_view part) {
    return small.find(part) != std::string::npos;
  });
}

}  // namespace cannula
