// The memory of one Lua state: counted in its allocator, capped, and taken from the pool of all
// states in blocks. Belongs to one thread, as its state does.
//
// A script makes and drops thousands of small tables, strings and closures a message. Small blocks
// that Lua frees are kept aside by size for the next one of that size: at most 128 KB a state,
// which is not counted as used.
#pragma once

#include <array>
#include <cstddef>

#include "engine/script/runtime.h"

namespace cannula::script {

class StateMemory {
 public:
  // Told when so much memory changed hands that time should be looked at: one instruction may have
  // copied megabytes.
  class Observer {
   public:
    virtual void heavy_allocation() = 0;

   protected:
    ~Observer() = default;
  };

  StateMemory(std::size_t limit, MemoryPool& pool, Observer& observer)
      : limit_(limit), pool_(pool), observer_(observer) {}
  StateMemory(const StateMemory&) = delete;
  StateMemory& operator=(const StateMemory&) = delete;
  ~StateMemory();

  // A lua_Alloc; `self` is a StateMemory.
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);

  // Memory that our own objects hold for the script (messages, sends, log lines). charge() is false
  // when the limit does not allow it.
  bool charge(std::size_t bytes);
  void refund(std::size_t bytes);

  std::size_t used() const { return used_; }

 private:
  void* resize(void* block, std::size_t old_size, std::size_t new_size);
  bool grow(std::size_t bytes);
  void shrink(std::size_t bytes) { used_ -= bytes; }
  void give_back_spare();
  void* take_block(std::size_t size);  // null when there is no memory
  void free_block(void* block, std::size_t size);
  void* move_block(void* block, std::size_t old_size, std::size_t new_size);

  // A hash part of 65,536 keys takes a second to grow when a script has chosen keys that collide
  // (docs/explanation/sandbox.md), in one instruction. So no table has more than 16,384.
  static constexpr std::size_t kHashNode = 24;
  static constexpr std::size_t kLargestHashPart = 16384 * kHashNode;
  static constexpr std::size_t kPoolBlock = 64u << 10;
  static constexpr std::size_t kLarge = 64u << 10;
  static constexpr std::size_t kHeavy = 1u << 20;

  static constexpr std::size_t kStep = 16;  // sizes of small blocks are multiples of this
  static constexpr std::size_t kLargestSmall = 256;
  static constexpr std::size_t kMostKept = 128u << 10;
  static constexpr bool is_small(std::size_t size) { return size <= kLargestSmall; }
  static constexpr std::size_t shelf_of(std::size_t size) { return (size + kStep - 1) / kStep; }
  struct Kept {
    Kept* next;
  };

  const std::size_t limit_;
  MemoryPool& pool_;
  Observer& observer_;
  std::size_t used_ = 0;
  std::size_t taken_ = 0;  // from the pool; at least used_
  std::size_t churn_ = 0;  // bytes of large blocks since the observer was told
  std::array<Kept*, kLargestSmall / kStep + 1> shelves_{};  // by size in steps
  std::size_t kept_ = 0;                                    // bytes on the shelves
};

}  // namespace cannula::script
