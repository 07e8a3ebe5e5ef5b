#include "engine/security/sealing/compression.h"

#include <memory>
#include <new>

#include <zstd.h>

#include "engine/security/sealing/dictionary.h"

namespace cannula::security {
namespace {

constexpr std::size_t kShortest = 60;  // bytes; below, zstd's frame eats what it saves
// Higher ones take more time and save little where the dictionary has done its part: level 3 made
// messages at most 2 % smaller. Lower ones save no time, as the codes are in the dictionary.
constexpr int kLevel = 1;

const ZSTD_CDict* to_compress_with() {
  static const std::unique_ptr<ZSTD_CDict, decltype(&ZSTD_freeCDict)> dictionary(
      ZSTD_createCDict(second_dictionary().data(), second_dictionary().size(), kLevel),
      &ZSTD_freeCDict);
  if (dictionary == nullptr) throw std::bad_alloc();
  return dictionary.get();
}

using Decompression = std::unique_ptr<ZSTD_DDict, decltype(&ZSTD_freeDDict)>;

Decompression decompression(const std::string& text) {
  Decompression dictionary(ZSTD_createDDict(text.data(), text.size()), &ZSTD_freeDDict);
  if (dictionary == nullptr) throw std::bad_alloc();
  return dictionary;
}

const ZSTD_DDict* to_decompress_with(Dictionary dictionary) {
  if (dictionary == Dictionary::none) return nullptr;
  static const Decompression first = decompression(first_dictionary());
  static const Decompression second = decompression(second_dictionary());
  return dictionary == Dictionary::first ? first.get() : second.get();
}

ZSTD_CCtx* compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                                  &ZSTD_freeCCtx);
  if (context == nullptr) throw std::bad_alloc();
  return context.get();
}

ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  &ZSTD_freeDCtx);
  if (context == nullptr) throw std::bad_alloc();
  return context.get();
}

}  // namespace

bool compress(std::string_view text, std::string& into) {
  if (text.size() < kShortest) return false;
  const std::size_t begin = into.size();
  into.resize(begin + text.size());
  const std::size_t size =
      ZSTD_compress_usingCDict(compressor(), into.data() + begin, text.size() - 1, text.data(),
                               text.size(), to_compress_with());
  const bool smaller = ZSTD_isError(size) == 0;  // an error: it does not fit into a byte less
  into.resize(smaller ? begin + size : begin);
  return smaller;
}

bool decompress(std::string_view bytes, Dictionary dictionary, std::size_t limit,
                std::string& into) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > limit) {
    return false;
  }
  const std::size_t begin = into.size();
  into.resize(begin + static_cast<std::size_t>(size));
  const std::size_t count = ZSTD_decompress_usingDDict(
      decompressor(), into.data() + begin, static_cast<std::size_t>(size), bytes.data(),
      bytes.size(), to_decompress_with(dictionary));
  if (ZSTD_isError(count) != 0 || count != size) {
    into.resize(begin);
    return false;
  }
  return true;
}

}  // namespace cannula::security
