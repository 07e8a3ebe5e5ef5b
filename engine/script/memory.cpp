#include "engine/script/memory.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "engine/script/lua_api.h"

namespace cannula::script {

bool MemoryPool::take(std::size_t bytes) {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ || used > limit_ - bytes) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

StateMemory::~StateMemory() {
  for (Kept* kept : shelves_) {
    while (kept != nullptr) std::free(std::exchange(kept, kept->next));
  }
  pool_.give_back(taken_);
}

bool StateMemory::grow(std::size_t bytes) {
  if (bytes > limit_ || used_ > limit_ - bytes) return false;
  if (used_ + bytes > taken_) {
    const std::size_t missing = used_ + bytes - taken_;
    const std::size_t blocks = (missing + kPoolBlock - 1) / kPoolBlock * kPoolBlock;
    if (!pool_.take(blocks)) return false;
    taken_ += blocks;
  }
  used_ += bytes;
  return true;
}

void StateMemory::give_back_spare() {
  const std::size_t spare = taken_ - used_;
  if (spare < 16 * kPoolBlock) return;
  const std::size_t blocks = (spare - kPoolBlock) / kPoolBlock * kPoolBlock;
  pool_.give_back(blocks);
  taken_ -= blocks;
}

bool StateMemory::charge(std::size_t bytes) {
  return grow(bytes);
}

void StateMemory::refund(std::size_t bytes) {
  shrink(bytes);
  give_back_spare();
}

void* StateMemory::take_block(std::size_t size) {
  if (!is_small(size)) return std::malloc(size);
  const std::size_t shelf = shelf_of(size);
  Kept* const kept = shelves_[shelf];
  if (kept == nullptr) return std::malloc(shelf * kStep);
  shelves_[shelf] = kept->next;
  kept_ -= shelf * kStep;
  return kept;
}

void StateMemory::free_block(void* block, std::size_t size) {
  const std::size_t shelf = shelf_of(size);
  if (!is_small(size) || kept_ + shelf * kStep > kMostKept) return std::free(block);
  shelves_[shelf] = new (block) Kept{shelves_[shelf]};
  kept_ += shelf * kStep;
}

// A block of another size with the same bytes at its start; `block` is null or gone afterwards,
// unless there is no memory.
void* StateMemory::move_block(void* block, std::size_t old_size, std::size_t new_size) {
  if (block == nullptr) return take_block(new_size);
  if (!is_small(old_size) && !is_small(new_size)) return std::realloc(block, new_size);
  if (is_small(old_size) && is_small(new_size) && shelf_of(old_size) == shelf_of(new_size)) {
    return block;
  }
  void* moved = take_block(new_size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(old_size, new_size));
  free_block(block, old_size);
  return moved;
}

void* StateMemory::resize(void* block, std::size_t old_size, std::size_t new_size) {
  if (new_size > old_size && !grow(new_size - old_size)) return nullptr;
  void* moved = move_block(block, old_size, new_size);
  if (moved == nullptr) {
    if (new_size > old_size) shrink(new_size - old_size);
    return nullptr;
  }
  if (new_size < old_size) shrink(old_size - new_size);
  if (new_size >= kLarge) {
    churn_ += new_size;
    if (churn_ >= kHeavy) {
      churn_ = 0;
      observer_.heavy_allocation();
    }
  }
  return moved;
}

void* StateMemory::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  auto& memory = *static_cast<StateMemory*>(self);
  // Nearly all that a script asks for is small, and of a size that it gave back before.
  if (block == nullptr && new_size - 1 < kLargestSmall) {
    const std::size_t used = memory.used_ + new_size;
    Kept*& shelf = memory.shelves_[shelf_of(new_size)];
    if (shelf != nullptr && used <= memory.taken_ && used <= memory.limit_) {
      memory.used_ = used;
      memory.kept_ -= shelf_of(new_size) * kStep;
      return std::exchange(shelf, shelf->next);
    }
  }
  if (new_size == 0) {
    if (block == nullptr) return nullptr;
    memory.free_block(block, old_size);
    memory.shrink(old_size);
    if (old_size >= kLarge) memory.give_back_spare();
    return nullptr;
  }
  if (block == nullptr) {
    // For a new block Lua passes the kind of object instead of an old size: 0 for the hash part of
    // a table (a node has 24 bytes, their number is a power of two), which never grows in place,
    // and for string buffers, which come in any size.
    const bool hash_part =
        old_size == 0 && new_size % kHashNode == 0 && std::has_single_bit(new_size / kHashNode);
    if (hash_part && new_size > kLargestHashPart) return nullptr;
    old_size = 0;
  }
  return memory.resize(block, old_size, new_size);
}

}  // namespace cannula::script
