// What a request asks for: the path and the query of its target (RFC 9112, 3.2; RFC 3986).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cannula::http {

struct Target {
  // Percent escapes decoded, except of what would then read differently: %2F stays as it is.
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  // As it came, without scheme and authority, and with the values of secret parameters as "***".
  std::string text;

  // Nothing when it is no path ("*", "host:port"), an escape is broken or hides a control
  // character, or a segment is "." or "..", also by escaped slashes or backslashes: such a target
  // means different things to different readers.
  static std::optional<Target> parse(std::string_view written);
};

// A path that a source is reached by: "/hooks/lab", or "/fhir/*" for "/fhir" and all below it.
struct PathPattern {
  std::string path;    // without the "/*"
  bool below = false;  // "/*" stood at the end

  // Nothing when it does not begin with "/", or holds what no decoded path can match.
  static std::optional<PathPattern> parse(std::string_view written);
  bool matches(std::string_view asked) const;
  std::string text() const;
  friend auto operator<=>(const PathPattern&, const PathPattern&) = default;
};

}  // namespace cannula::http
