// AES-256-GCM (NIST SP 800-38D) with one key. Whoever seals gives the nonce and must never give the
// same twice with different bytes: that would give away both texts and the power to forge.
//
// Thread-safe: contexts that have the key set are lent out and taken back.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/security/sealing/key_bytes.h"

struct evp_cipher_ctx_st;

namespace cannula::security {

constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;

class Cipher {
 public:
  explicit Cipher(const KeyBytes& key);
  ~Cipher();
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;

  // Seals `size` bytes where they stand; `tag` gets kTagSize bytes, `nonce` has kNonceSize.
  // `bound` is not kept with them, but opening needs the same.
  void seal(const char* nonce, std::string_view bound, char* bytes, std::size_t size,
            char* tag) const;
  // The text of `sealed` into `into`, sealed.size() bytes that may be the same memory. False, and
  // nothing usable in `into`, when a bit of anything differs from what seal() had.
  bool open(const char* nonce, std::string_view bound, std::string_view sealed, const char* tag,
            char* into) const;

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;

  Context lent(std::vector<Context>& idle, bool sealing) const;
  void back(std::vector<Context>& idle, Context context) const;

  const KeyBytes key_;
  mutable std::mutex lock_;
  mutable std::vector<Context> sealers_;
  mutable std::vector<Context> openers_;
};

}  // namespace cannula::security
