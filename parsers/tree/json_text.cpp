#include "parsers/tree/json_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "parsers/tree/document.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cannula::tree {
namespace {

// The bytes of the sequence at the start of `text`, which is not empty; 0 when it is none.
std::size_t sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                           : (first & 0xF0) == 0xE0         ? 3
                           : first >= 0xF0 && first <= 0xF4 ? 4
                                                            : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return 0;
  }
  const bool wrong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
                     (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F);
  return wrong ? 0 : size;
}

std::uint64_t eight_bytes(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, 8);
  return word;
}

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;

// All bytes of a text of one to seven, some of them twice, as a word.
std::uint64_t few_bytes(std::string_view text) {
  const char* const at = text.data();
  const std::size_t size = text.size();
  if (size >= 4) {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::memcpy(&first, at, 4);
    std::memcpy(&last, at + size - 4, 4);
    return first | static_cast<std::uint64_t>(last) << 32;
  }
  const auto byte = [&](std::size_t place) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(at[place]));
  };
  return kOnes * 'a' << 24 | byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;
}

// A high bit for a byte of the word that is `wanted`; bytes behind the first one may be wrong.
std::uint64_t equal_bytes(std::uint64_t word, unsigned char wanted) {
  const std::uint64_t difference = word ^ (kOnes * wanted);
  return (difference - kOnes) & ~difference & kHighs;
}

std::uint64_t special_bytes(std::uint64_t word) {
  const std::uint64_t control = (word - kOnes * 0x20) & ~word & kHighs;
  return control | equal_bytes(word, '"') | equal_bytes(word, '\\');
}

bool is_special(char letter) {
  return static_cast<unsigned char>(letter) < 0x20 || letter == '"' || letter == '\\';
}

// The value of four hexadecimal digits at the start, or -1.
int hexadecimal(std::string_view text) {
  if (text.size() < 4) return -1;
  int value = 0;
  for (const char letter : text.substr(0, 4)) {
    int digit = 0;
    if (letter >= '0' && letter <= '9') {
      digit = letter - '0';
    } else if ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'f') {
      digit = (letter | 0x20) - 'a' + 10;
    } else {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

constexpr std::string_view kShortEscapes = "\"\\/bfnrt";
constexpr std::string_view kShortMeanings = "\"\\/\b\f\n\r\t";

// The code of the escape "uXXXX" at the start of `text`, with the second half of a surrogate pair
// behind it; its length in `size`, or size 0 when it is wrong.
std::uint32_t read_code(std::string_view text, std::size_t& size) {
  const int first = hexadecimal(text.substr(1));
  size = first < 0 || (first >= 0xDC00 && first <= 0xDFFF) ? 0 : 5;
  if (size == 0 || first < 0xD800 || first > 0xDBFF) return static_cast<std::uint32_t>(first);
  size = 0;
  if (text.substr(5, 2) != "\\u") return 0;
  const int second = hexadecimal(text.substr(7));
  if (second < 0xDC00 || second > 0xDFFF) return 0;
  size = 11;
  return 0x10000u + ((static_cast<std::uint32_t>(first) - 0xD800u) << 10) +
         (static_cast<std::uint32_t>(second) - 0xDC00u);
}

std::size_t digits(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at;
}

}  // namespace

std::size_t find_not_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size() && (eight_bytes(text.data() + at) & kHighs) == 0) {
      at += 8;
      continue;
    }
    const std::size_t size = sequence_size(text.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return std::string_view::npos;
}

bool is_utf8(std::string_view text) {
  return find_not_utf8(text) == std::string_view::npos;
}

std::size_t find_special(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    if (special_bytes(eight_bytes(text.data() + at)) != 0) break;
  }
  for (; at < text.size(); ++at) {
    if (is_special(text[at])) return at;
  }
  return std::string_view::npos;
}

#if defined(__SSE2__)
namespace {

// A bit for each byte that is a control, a quote, a backslash, or not ASCII.
int not_plain(__m128i block) {
  const __m128i outside = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));  // as signed numbers
  const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
  return _mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(quote, backslash)));
}

__m128i sixteen_bytes(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

}  // namespace

// Blocks that overlap, so that no byte outside of the text is touched.
bool is_plain(std::string_view text) {
  if (text.empty()) return true;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  if (text.size() < 16) {
    const bool short_text = text.size() < 8;
    const std::uint64_t first = short_text ? few_bytes(text) : eight_bytes(begin);
    const std::uint64_t last = short_text ? first : eight_bytes(end - 8);
    return not_plain(_mm_set_epi64x(static_cast<long long>(first), static_cast<long long>(last))) ==
           0;
  }
  int wrong = not_plain(sixteen_bytes(end - 16));
  for (const char* at = begin; at + 16 <= end; at += 16) wrong |= not_plain(sixteen_bytes(at));
  return wrong == 0;
}
#else
bool is_plain(std::string_view text) {
  const auto wrong_in = [](std::uint64_t word) { return special_bytes(word) | (word & kHighs); };
  if (text.size() < 8) return text.empty() || wrong_in(few_bytes(text)) == 0;
  std::uint64_t wrong = wrong_in(eight_bytes(text.data() + text.size() - 8));
  for (std::size_t at = 0; at + 8 <= text.size(); at += 8) {
    wrong |= wrong_in(eight_bytes(text.data() + at));
  }
  return wrong == 0;
}
#endif

std::size_t find_bad_escape(std::string_view encoded) {
  for (std::size_t at = encoded.find('\\'); at != std::string_view::npos;
       at = encoded.find('\\', at)) {
    if (at + 1 == encoded.size()) return at;
    if (encoded[at + 1] == 'u') {
      std::size_t size = 0;
      read_code(encoded.substr(at + 1), size);
      if (size == 0) return at;
      at += 1 + size;
    } else {
      if (kShortEscapes.find(encoded[at + 1]) == std::string_view::npos) return at;
      at += 2;
    }
  }
  return std::string_view::npos;
}

void append_decoded(std::string& out, std::string_view encoded) {
  while (!encoded.empty()) {
    const std::size_t plain = std::min(encoded.find('\\'), encoded.size());
    out += encoded.substr(0, plain);
    encoded.remove_prefix(plain);
    if (encoded.size() < 2) return;
    if (encoded[1] == 'u') {
      std::size_t size = 0;
      append_utf8(out, read_code(encoded.substr(1), size));
      encoded.remove_prefix(1 + std::max<std::size_t>(size, 1));
    } else {
      const auto meaning = kShortEscapes.find(encoded[1]);
      if (meaning != std::string_view::npos) out += kShortMeanings[meaning];
      encoded.remove_prefix(2);
    }
  }
}

void append_escaped(std::string& out, std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  while (!text.empty()) {
    const std::size_t plain = std::min(find_special(text), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    const char letter = text.front();
    const auto named = kShortMeanings.find(letter);
    if (named != std::string_view::npos) {
      out += {'\\', kShortEscapes[named]};
    } else {
      const auto code = static_cast<unsigned char>(letter);
      out += {'\\', 'u', '0', '0', kDigits[code >> 4], kDigits[code & 15]};
    }
    text.remove_prefix(1);
  }
}

void append_json_string(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    const std::size_t at = out.size();
    out.resize(at + text.size() + 2, '"');
    std::copy(text.begin(), text.end(), out.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    return;
  }
  out += '"';
  for (std::size_t wrong = 0; (wrong = find_not_utf8(text)) != std::string_view::npos;) {
    append_escaped(out, text.substr(0, wrong));
    out += "\xEF\xBF\xBD";
    text.remove_prefix(wrong + 1);
  }
  append_escaped(out, text);
  out += '"';
}

bool is_number(std::string_view text) {
  std::size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  const std::size_t whole = digits(text, at);
  if (whole == at || (text[at] == '0' && whole > at + 1)) return false;
  at = whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t end = digits(text, at + 1);
    if (end == at + 1) return false;
    at = end;
  }
  if (at < text.size() && (text[at] | 0x20) == 'e') {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t end = digits(text, at);
    if (end == at) return false;
    at = end;
  }
  return at == text.size();
}

}  // namespace cannula::tree
