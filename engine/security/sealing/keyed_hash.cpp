#include "engine/security/sealing/keyed_hash.h"

#include <cstring>
#include <new>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace cannula::security {
namespace {

using Context = std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)>;

constexpr std::size_t kSipKey = 16;

// With the key set; copied for each text.
Context prepared(const KeyBytes& key, unsigned int size) {
  static EVP_MAC* const siphash = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  Context context(EVP_MAC_CTX_new(siphash), &EVP_MAC_CTX_free);
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size),
                             OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_init(context.get(), key.data(), kSipKey, parameters) != 1) {
    throw std::bad_alloc();
  }
  return context;
}

}  // namespace

KeyedHash::KeyedHash(const KeyBytes& key)
    : key_(key), narrow_(prepared(key_, 8)), wide_(prepared(key_, 16)) {}
KeyedHash::~KeyedHash() = default;
KeyedHash::KeyedHash(KeyedHash&&) noexcept = default;

void KeyedHash::hash(std::string_view text, char* into, std::size_t size) const {
  const Context context(EVP_MAC_CTX_dup(size == 8 ? narrow_.get() : wide_.get()),
                        &EVP_MAC_CTX_free);
  std::size_t written = 0;
  if (context == nullptr ||
      EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size()) != 1 ||
      EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(into), &written, size) != 1 ||
      written != size) {
    throw std::bad_alloc();
  }
}

std::uint64_t KeyedHash::of(std::string_view text) const {
  char bytes[8];
  hash(text, bytes, sizeof bytes);
  std::uint64_t number = 0;
  std::memcpy(&number, bytes, sizeof number);
  return number;
}

std::array<char, 16> KeyedHash::wide(std::string_view text) const {
  std::array<char, 16> bytes{};
  hash(text, bytes.data(), bytes.size());
  return bytes;
}

}  // namespace cannula::security
