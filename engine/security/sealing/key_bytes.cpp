#include "engine/security/sealing/key_bytes.h"

#include <cassert>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace cannula::security {
namespace {

constexpr std::size_t kSecureHeap = 1u << 18;  // bytes: 4,096 keys with what the heap adds
constexpr std::size_t kSmallest = kKeySize;

// 1: locked; 2: the heap is there but could not be locked; 0: there is none, and OpenSSL falls back
// to ordinary memory.
int secure_heap() {
  static const int state = CRYPTO_secure_malloc_init(kSecureHeap, kSmallest);
  return state;
}

unsigned char* allocated(std::size_t size) {
  secure_heap();
  auto* bytes = static_cast<unsigned char*>(OPENSSL_secure_zalloc(size));
  if (bytes == nullptr) throw std::bad_alloc();
  return bytes;
}

unsigned char* new_key() {
  return allocated(kKeySize);
}

}  // namespace

KeyBytes::KeyBytes() : bytes_(new_key()) {}

KeyBytes::KeyBytes(std::string_view bytes) : bytes_(new_key()) {
  assert(bytes.size() == kKeySize);
  std::memcpy(bytes_, bytes.data(), std::min(bytes.size(), kKeySize));
}

KeyBytes::KeyBytes(KeyBytes&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}

KeyBytes& KeyBytes::operator=(KeyBytes other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

KeyBytes::~KeyBytes() {
  if (bytes_ != nullptr) OPENSSL_secure_clear_free(bytes_, kKeySize);
}

KeyBytes KeyBytes::random() {
  KeyBytes key;
  if (RAND_priv_bytes(key.bytes_, static_cast<int>(kKeySize)) != 1) throw std::bad_alloc();
  return key;
}

KeyBytes KeyBytes::derived(std::string_view purpose) const {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, "HKDF", nullptr), &EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(kdf.get()), &EVP_KDF_CTX_free);
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, bytes_, kKeySize),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(purpose.data()),
                                        purpose.size()),
      OSSL_PARAM_construct_end()};
  KeyBytes key;
  if (context == nullptr || EVP_KDF_derive(context.get(), key.bytes_, kKeySize, parameters) != 1) {
    throw std::bad_alloc();
  }
  return key;
}

LockedBytes::LockedBytes(std::size_t size) : bytes_(allocated(size)), size_(size) {}

LockedBytes::~LockedBytes() {
  OPENSSL_secure_clear_free(bytes_, size_);
}

bool operator==(const KeyBytes& a, const KeyBytes& b) {
  return CRYPTO_memcmp(a.data(), b.data(), kKeySize) == 0;
}

bool keys_are_locked() {
  return secure_heap() == 1;
}

void fill_random(char* into, std::size_t size) {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(into), static_cast<int>(size)) != 1) {
    throw std::bad_alloc();  // the generator has no entropy: nothing may be sealed
  }
}

void wipe(std::string& text) {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace cannula::security
