#include "parsers/text/error_codes.h"

#include <array>

namespace cannula::text {
namespace {

constexpr std::array kCodes = {
    ErrorCode{"D101", "There is no time zone of that name",
              "Time zones are written by their IANA names, which are a region and a city: "
              "Europe/Vienna, America/New_York. UTC and fixed offsets such as +01:00 are taken as "
              "well; abbreviations such as PST are not, because they mean several zones. The "
              "message names the nearest one that exists."},
    ErrorCode{"D102", "The system's time zones cannot be read",
              "The rules of all zones stand below /usr/share/zoneinfo, in the package tzdata. "
              "Small container images leave it out. Install it, and restart Cannula."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::text
