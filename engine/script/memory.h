// The memory of one Lua state: counted in its allocator, capped, and taken from the pool of all
// states in blocks. Belongs to one thread, as its state does.
#pragma once

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
  // In blocks of kLarge and more. Instructions that copy or compare them take long, so the count
  // hook looks at the clock more often while there are such.
  std::size_t large() const { return large_; }

  static constexpr std::size_t kLarge = 64u << 10;

 private:
  void* resize(void* block, std::size_t old_size, std::size_t new_size);
  bool grow(std::size_t bytes);
  void shrink(std::size_t bytes) { used_ -= bytes; }
  void give_back_spare();

  // A hash part of 65,536 keys takes a second to grow when a script has chosen keys that collide
  // (docs/explanation/sandbox.md), in one instruction. So no table has more than 16,384.
  static constexpr std::size_t kHashNode = 24;
  static constexpr std::size_t kLargestHashPart = 16384 * kHashNode;
  static constexpr std::size_t kPoolBlock = 64u << 10;
  static constexpr std::size_t kHeavy = 1u << 20;

  const std::size_t limit_;
  MemoryPool& pool_;
  Observer& observer_;
  std::size_t used_ = 0;
  std::size_t taken_ = 0;  // from the pool; at least used_
  std::size_t large_ = 0;
  std::size_t churn_ = 0;  // bytes of large blocks since the observer was told
};

}  // namespace cannula::script
