// Whether the bytes of a table are text that can be read, and if not, what they probably are.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "parsers/text/diagnostic.h"

namespace cannula::tables {

// The place of the first byte that is not UTF-8 (RFC 3629); nullopt when all of it is.
std::optional<std::size_t> first_not_utf8(std::string_view text);

// What keeps the bytes from being read as UTF-8 text at all: a spreadsheet's own format, UTF-16, a
// code page of one country. Says how to save the file instead.
std::optional<Diagnostic> not_readable(const std::shared_ptr<const Source>& source);

// A character that nobody sees, but that makes two texts different; its name ("zero width space").
struct Unseen {
  std::size_t at = 0;
  std::size_t size = 0;
  std::string_view name;
};
std::optional<Unseen> find_unseen(std::string_view text);

}  // namespace cannula::tables
