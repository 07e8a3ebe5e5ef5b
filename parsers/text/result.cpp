#include "parsers/text/result.h"

#include <stdexcept>

namespace cannula {

std::string Error::text() const {
  std::string line = message;
  if (!hint.empty()) line += " (" + hint + ")";
  if (!code.empty()) line += " [" + code + "]";
  return line;
}

void throw_exception_from_error(const Error& error, const boost::source_location& place) {
  throw std::logic_error(std::string(place.function_name()) + ": " + error.text());
}

}  // namespace cannula
