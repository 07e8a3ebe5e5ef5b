// Numbers of fixed width as they stand in the journal: least significant byte first, not aligned.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace cannula::store {

static_assert(std::endian::native == std::endian::little,
              "the journal is written as memory holds it");

inline void put_u32(char* at, std::uint32_t value) {
  std::memcpy(at, &value, sizeof(value));
}
inline void put_u64(char* at, std::uint64_t value) {
  std::memcpy(at, &value, sizeof(value));
}

inline std::uint32_t get_u32(const char* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

inline std::uint64_t get_u64(const char* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

}  // namespace cannula::store
