#include "parsers/hl7v2/block_scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cannula::hl7v2 {
namespace {

void scan_plainly(const char* data, std::size_t blocks, char separator, std::uint64_t* separators,
                  std::uint64_t* line_ends) {
  for (std::size_t block = 0; block < blocks; ++block, data += kScanBlock) {
    std::uint64_t found = 0;
    std::uint64_t ends = 0;
    for (std::size_t i = 0; i < kScanBlock; ++i) {
      found |= static_cast<std::uint64_t>(data[i] == separator) << i;
      ends |= static_cast<std::uint64_t>(data[i] == '\r' || data[i] == '\n') << i;
    }
    separators[block] = found;
    line_ends[block] = ends;
  }
}

#if defined(__x86_64__)

void scan_with_sse2(const char* data, std::size_t blocks, char separator, std::uint64_t* separators,
                    std::uint64_t* line_ends) {
  const __m128i wanted = _mm_set1_epi8(separator);
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  const auto bits = [](__m128i equal, int shift) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(equal)))
           << shift;
  };
  for (std::size_t block = 0; block < blocks; ++block, data += kScanBlock) {
    std::uint64_t found = 0;
    std::uint64_t ends = 0;
    for (int i = 0; i < 64; i += 16) {
      const __m128i part = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i));
      found |= bits(_mm_cmpeq_epi8(part, wanted), i);
      ends |= bits(_mm_or_si128(_mm_cmpeq_epi8(part, cr), _mm_cmpeq_epi8(part, lf)), i);
    }
    separators[block] = found;
    line_ends[block] = ends;
  }
}

[[gnu::target("avx2")]] void scan_with_avx2(const char* data, std::size_t blocks, char separator,
                                            std::uint64_t* separators, std::uint64_t* line_ends) {
  const __m256i wanted = _mm256_set1_epi8(separator);
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  for (std::size_t block = 0; block < blocks; ++block, data += kScanBlock) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 32));
    const auto low_found =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)));
    const auto high_found =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)));
    const auto low_ends = static_cast<std::uint32_t>(_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_cmpeq_epi8(low, cr), _mm256_cmpeq_epi8(low, lf))));
    const auto high_ends = static_cast<std::uint32_t>(_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_cmpeq_epi8(high, cr), _mm256_cmpeq_epi8(high, lf))));
    separators[block] = low_found | static_cast<std::uint64_t>(high_found) << 32;
    line_ends[block] = low_ends | static_cast<std::uint64_t>(high_ends) << 32;
  }
}

#endif

}  // namespace

std::size_t block_scans(NamedBlockScan (&scans)[3]) {
  std::size_t count = 0;
  scans[count++] = {"plain", &scan_plainly};
#if defined(__x86_64__)
  scans[count++] = {"SSE2", &scan_with_sse2};
  if (__builtin_cpu_supports("avx2") != 0) scans[count++] = {"AVX2", &scan_with_avx2};
#endif
  return count;
}

BlockScan best_block_scan() {
  static const BlockScan best = [] {
    NamedBlockScan scans[3];
    return scans[block_scans(scans) - 1].scan;
  }();
  return best;
}

}  // namespace cannula::hl7v2
