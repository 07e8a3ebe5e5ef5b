// Where field separators and line ends stand, 64 bytes at a time: one bit a byte. Internal to the
// room.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cannula::hl7v2 {

inline constexpr std::size_t kScanBlock = 64;  // bytes

// Reads `blocks` blocks from `data` on and writes as many words of each kind; CR and LF are line
// ends.
using BlockScan = void (*)(const char* data, std::size_t blocks, char separator,
                           std::uint64_t* separators, std::uint64_t* line_ends);

// The fastest that this processor can run: looked up once, at the first call.
BlockScan best_block_scan();

// All that this processor can run, for tests: each must find the same.
struct NamedBlockScan {
  const char* name;
  BlockScan scan;
};
std::size_t block_scans(NamedBlockScan (&scans)[3]);  // how many

}  // namespace cannula::hl7v2
