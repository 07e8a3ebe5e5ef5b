// SipHash-2-4: without the key nobody can tell which text a number belongs to, nor make the number
// for a text and look for it. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/security/sealing/key_bytes.h"

struct evp_mac_ctx_st;

namespace cannula::security {

class KeyedHash {
 public:
  explicit KeyedHash(const KeyBytes& key);  // its first half; SipHash keys have 16 bytes
  ~KeyedHash();
  KeyedHash(KeyedHash&&) noexcept;

  std::uint64_t of(std::string_view text) const;
  // 16 bytes: where two texts of a store must never meet.
  std::array<char, 16> wide(std::string_view text) const;

 private:
  void hash(std::string_view text, char* into, std::size_t size) const;

  KeyBytes key_;
  std::unique_ptr<evp_mac_ctx_st, void (*)(evp_mac_ctx_st*)> narrow_;
  std::unique_ptr<evp_mac_ctx_st, void (*)(evp_mac_ctx_st*)> wide_;
};

}  // namespace cannula::security
