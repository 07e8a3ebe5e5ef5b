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
  // `text` is not there yet.
  NameId add(std::string_view text, bool plain);
  const Name& operator[](NameId id) const { return names_[id]; }
  std::size_t size() const { return names_.size(); }
  std::size_t memory() const {
    return names_.capacity() * sizeof(Name) + slots_.capacity() * sizeof(Slot);
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    NameId id = kNoName;
  };
  void grow();

  std::vector<Name> names_;
  std::vector<Slot> slots_;  // a power of two, at most half of them used
};

}  // namespace cannula::tree
