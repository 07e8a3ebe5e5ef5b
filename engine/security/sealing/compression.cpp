#include "engine/security/sealing/compression.h"

#include <memory>
#include <new>

#include <zstd.h>

namespace cannula::security {
namespace {

constexpr std::size_t kShortest = 100;  // bytes; below, zstd's frame eats what it saves
constexpr int kLevel = 1;  // level 3 made HL7 messages of 200 to 600 bytes at most 2 % smaller

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
  const std::size_t size = ZSTD_compressCCtx(compressor(), into.data() + begin, text.size() - 1,
                                             text.data(), text.size(), kLevel);
  const bool smaller = ZSTD_isError(size) == 0;  // an error: it does not fit into a byte less
  into.resize(smaller ? begin + size : begin);
  return smaller;
}

bool decompress(std::string_view bytes, std::size_t limit, std::string& into) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > limit) {
    return false;
  }
  const std::size_t begin = into.size();
  into.resize(begin + static_cast<std::size_t>(size));
  const std::size_t count =
      ZSTD_decompressDCtx(decompressor(), into.data() + begin, static_cast<std::size_t>(size),
                          bytes.data(), bytes.size());
  if (ZSTD_isError(count) != 0 || count != size) {
    into.resize(begin);
    return false;
  }
  return true;
}

}  // namespace cannula::security
