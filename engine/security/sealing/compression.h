// zstd for texts that are to be sealed: sealed bytes no longer get smaller. A message is short and
// much like others of its kind, so it is compressed against a dictionary: a third of the time, and
// less than half the bytes of an ORU^R01 of 918 bytes (153 in place of 389). Thread-safe; each
// thread keeps its contexts.
#pragma once

#include <string>
#include <string_view>

namespace cannula::security {

// What bytes were compressed against; only those of the second say it themselves.
enum class Dictionary { none, first, second };

// Appends `text` made smaller with the second dictionary. False, and nothing appended, when that
// would not save a byte or the text is too short for it to pay.
bool compress(std::string_view text, std::string& into);

// Appends what compress() had. False when `bytes` are no such thing or would become more than
// `limit` bytes.
bool decompress(std::string_view bytes, Dictionary dictionary, std::size_t limit,
                std::string& into);

}  // namespace cannula::security
