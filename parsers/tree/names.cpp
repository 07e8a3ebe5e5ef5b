#include "parsers/tree/names.h"

#include <cstring>
#include <random>

namespace cannula::tree {
namespace {

__extension__ using Wide = unsigned __int128;

// Folded multiplication, as wyhash mixes.
std::uint64_t mix(std::uint64_t left, std::uint64_t right) {
  const auto product = static_cast<Wide>(left) * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t seed() {
  static const std::uint64_t value = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) ^ device();
  }();
  return value;
}

std::uint32_t hash_of(std::string_view text) {
  constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15;
  constexpr std::uint64_t kSecond = 0xE7037ED1A0B428DB;
  std::uint64_t state = seed() ^ text.size();
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    state = mix(state ^ word, kFirst);
  }
  std::uint64_t word = 0;
  if (left != 0) std::memcpy(&word, at, left);
  state = mix(state ^ word, kSecond ^ seed());
  return static_cast<std::uint32_t>(state ^ (state >> 32));
}

}  // namespace

NameId Names::find(std::string_view text) const {
  if (slots_.empty()) return kNoName;
  const std::uint32_t hash = hash_of(text);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kNoName) return kNoName;
    if (slot.hash == hash && names_[slot.id].text == text) return slot.id;
  }
}

NameId Names::add(std::string_view text, bool plain) {
  if (2 * (names_.size() + 1) > slots_.size()) grow();
  const auto id = static_cast<NameId>(names_.size());
  names_.push_back({text, plain});
  const std::uint32_t hash = hash_of(text);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].id != kNoName) at = (at + 1) & mask;
  slots_[at] = {hash, id};
  return id;
}

NameId Names::find_fixed(std::string_view text) {
  if (fixed_.empty()) fixed_.resize(kFixed);
  NameId id = find(text);
  if (id == kNoName) id = add(text, true);
  fixed_[place(text)] = {text.data(), text.size(), id};
  return id;
}

void Names::grow() {
  const std::vector<Slot> old = std::move(slots_);
  slots_.assign(old.empty() ? 64 : old.size() * 2, Slot{});
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id == kNoName) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].id != kNoName) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

}  // namespace cannula::tree
