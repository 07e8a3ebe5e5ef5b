// The names of a document's members, each kept once and known by a number.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace cannula::tree {

using NameId = std::uint32_t;
inline constexpr NameId kNoName = 0xFFFFFFFF;

// Holds views: the texts outlive it. The hash has a seed of its own in each process, so that nobody
// can choose names that collide.
class Names {
 public:
  struct Name {
    std::string_view text;  // decoded
    bool plain;             // stands for itself in JSON
  };

  NameId find(std::string_view text) const;  // kNoName when there is none
  // The number of a text of static storage that stands for itself in JSON, known again by its
  // address; added when it is not there.
  NameId fixed(std::string_view text) {
    if (!fixed_.empty()) {
      const Fixed& known = fixed_[place(text)];
      if (known.text == text.data() && known.size == text.size()) return known.id;
    }
    return find_fixed(text);
  }
  // `text` is not there yet.
  NameId add(std::string_view text, bool plain);
  const Name& operator[](NameId id) const { return names_[id]; }
  std::size_t size() const { return names_.size(); }
  std::size_t memory() const {
    return names_.capacity() * sizeof(Name) + slots_.capacity() * sizeof(Slot) +
           fixed_.capacity() * sizeof(Fixed);
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    NameId id = kNoName;
  };
  struct Fixed {
    const char* text = nullptr;
    std::size_t size = 0;
    NameId id = kNoName;
  };
  static constexpr std::size_t kFixed = 256;  // a power of two; a later one takes the place
  static std::size_t place(std::string_view text) {
    const auto address = reinterpret_cast<std::uintptr_t>(text.data());
    return static_cast<std::size_t>((address * 0x9E3779B97F4A7C15u) >> 32) % kFixed;
  }
  NameId find_fixed(std::string_view text);
  void grow();

  std::vector<Fixed> fixed_;  // once one was looked for
  std::vector<Name> names_;
  std::vector<Slot> slots_;  // a power of two, at most half of them used
};

}  // namespace cannula::tree
