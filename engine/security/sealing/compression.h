// zstd for texts that are to be sealed: sealed bytes no longer get smaller. Thread-safe; each
// thread keeps its contexts.
#pragma once

#include <string>
#include <string_view>

namespace cannula::security {

// Appends `text` made smaller. False, and nothing appended, when that would not save a byte or the
// text is too short for it to pay.
bool compress(std::string_view text, std::string& into);

// Appends what compress() had. False when `bytes` are no such thing or would become more than
// `limit` bytes.
bool decompress(std::string_view bytes, std::size_t limit, std::string& into);

}  // namespace cannula::security
