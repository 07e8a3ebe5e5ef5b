// A key as it lies in memory: in OpenSSL's secure heap, which is locked (never swapped), left out
// of core dumps, fenced by pages that fault, and wiped when it is given back.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace cannula::security {

constexpr std::size_t kKeySize = 32;

class KeyBytes {
 public:
  KeyBytes();                                 // zero
  explicit KeyBytes(std::string_view bytes);  // kKeySize of them
  ~KeyBytes();
  KeyBytes(const KeyBytes& other) : KeyBytes(other.view()) {}
  KeyBytes(KeyBytes&& other) noexcept;
  KeyBytes& operator=(KeyBytes other) noexcept;

  static KeyBytes random();
  // Another key that says nothing of this one: HKDF-SHA256 (RFC 5869) with `purpose` as info.
  KeyBytes derived(std::string_view purpose) const;

  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_), kKeySize}; }
  const unsigned char* data() const { return bytes_; }
  unsigned char* data() { return bytes_; }

 private:
  unsigned char* bytes_;
};

// Room for secrets in the same heap, while they are worked on; zero at first.
class LockedBytes {
 public:
  explicit LockedBytes(std::size_t size);
  ~LockedBytes();
  LockedBytes(const LockedBytes&) = delete;
  LockedBytes& operator=(const LockedBytes&) = delete;

  unsigned char* data() { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  unsigned char* bytes_;
  std::size_t size_;
};

// Takes the time of kKeySize bytes wherever they differ.
bool operator==(const KeyBytes& a, const KeyBytes& b);

// False when the system did not let the memory of keys be locked (RLIMIT_MEMLOCK).
bool keys_are_locked();

// Fills with what nobody can guess.
void fill_random(char* into, std::size_t size);

// Overwrites a text that held a secret.
void wipe(std::string& text);

}  // namespace cannula::security
