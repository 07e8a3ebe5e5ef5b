#include "engine/security/sealing/cipher.h"

#include <new>

#include <openssl/evp.h>

namespace cannula::security {
namespace {

constexpr std::size_t kIdle = 8;

const unsigned char* unsigned_bytes(const char* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

unsigned char* unsigned_bytes(char* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

// Fetched once: each fetch takes a lock and a look-up by name.
const EVP_CIPHER* aes_256_gcm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  if (cipher == nullptr) throw std::bad_alloc();
  return cipher;
}

void require(int result) {
  if (result != 1) throw std::bad_alloc();
}

}  // namespace

void Cipher::Free::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);  // wipes the key schedule
}

Cipher::Cipher(const KeyBytes& key) : key_(key) {}
Cipher::~Cipher() = default;

Cipher::Context Cipher::lent(std::vector<Context>& idle, bool sealing) const {
  {
    const std::lock_guard guard(lock_);
    if (!idle.empty()) {
      Context context = std::move(idle.back());
      idle.pop_back();
      return context;
    }
  }
  Context context(EVP_CIPHER_CTX_new());
  if (context == nullptr) throw std::bad_alloc();
  require(sealing
              ? EVP_EncryptInit_ex2(context.get(), aes_256_gcm(), key_.data(), nullptr, nullptr)
              : EVP_DecryptInit_ex2(context.get(), aes_256_gcm(), key_.data(), nullptr, nullptr));
  return context;
}

void Cipher::back(std::vector<Context>& idle, Context context) const {
  const std::lock_guard guard(lock_);
  if (idle.size() < kIdle) idle.push_back(std::move(context));
}

void Cipher::seal(const char* nonce, std::string_view bound, char* bytes, std::size_t size,
                  char* tag) const {
  Context context = lent(sealers_, true);
  EVP_CIPHER_CTX* raw = context.get();
  int count = 0;
  require(EVP_EncryptInit_ex2(raw, nullptr, nullptr, unsigned_bytes(nonce), nullptr));
  require(EVP_EncryptUpdate(raw, nullptr, &count, unsigned_bytes(bound.data()),
                            static_cast<int>(bound.size())));
  require(EVP_EncryptUpdate(raw, unsigned_bytes(bytes), &count, unsigned_bytes(bytes),
                            static_cast<int>(size)));
  require(EVP_EncryptFinal_ex(raw, unsigned_bytes(bytes) + count, &count));
  require(EVP_CIPHER_CTX_ctrl(raw, EVP_CTRL_GCM_GET_TAG, kTagSize, tag));
  back(sealers_, std::move(context));
}

bool Cipher::open(const char* nonce, std::string_view bound, std::string_view sealed,
                  const char* tag, char* into) const {
  Context context = lent(openers_, false);
  EVP_CIPHER_CTX* raw = context.get();
  int count = 0;
  require(EVP_DecryptInit_ex2(raw, nullptr, nullptr, unsigned_bytes(nonce), nullptr));
  require(EVP_DecryptUpdate(raw, nullptr, &count, unsigned_bytes(bound.data()),
                            static_cast<int>(bound.size())));
  require(EVP_DecryptUpdate(raw, unsigned_bytes(into), &count, unsigned_bytes(sealed.data()),
                            static_cast<int>(sealed.size())));
  require(EVP_CIPHER_CTX_ctrl(raw, EVP_CTRL_GCM_SET_TAG, kTagSize, const_cast<char*>(tag)));
  // Compares the tags in constant time.
  const bool whole = EVP_DecryptFinal_ex(raw, unsigned_bytes(into) + count, &count) == 1;
  back(openers_, std::move(context));
  return whole;
}

}  // namespace cannula::security
