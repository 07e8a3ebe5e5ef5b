#include "parsers/text/fold.h"

#include <cstdint>
#include <limits>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include "parsers/text/character_set.h"

namespace cannula {
namespace {

std::string fold_ascii(std::string_view text) {
  std::string folded(text);
  for (char& letter : folded) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + ('a' - 'A'));
  }
  return folded;
}

// In one pass, however often it stands there.
std::string with_all_replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string replaced;
  replaced.reserve(text.size());
  while (true) {
    const std::size_t at = text.find(from);
    replaced += text.substr(0, at);
    if (at == std::string_view::npos) return replaced;
    replaced += to;
    text.remove_prefix(at + from.size());
  }
}

}  // namespace

std::string fold(std::string_view text) {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();  // ICU's sizes
  if (is_ascii(text) || text.size() > kMost) return fold_ascii(text);
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* const casefold = icu::Normalizer2::getNFKCCasefoldInstance(status);
  std::string folded;
  folded.reserve(text.size() + 8);
  icu::StringByteSink<std::string> sink(&folded);
  if (U_SUCCESS(status)) {
    const icu::StringPiece piece(text.data(), static_cast<std::int32_t>(text.size()));
    casefold->normalizeUTF8(0, piece, sink, nullptr, status);
  }
  // Only without memory, or without ICU's data.
  if (U_FAILURE(status)) return fold_ascii(text);
  folded = with_all_replaced(folded, "i\xCC\x87", "i");  // İ: i and a combining dot above
  return with_all_replaced(folded, "\xC4\xB1", "i");     // ı
}

}  // namespace cannula
