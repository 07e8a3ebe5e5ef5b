// The clock beside a running script: a signal of this thread's own, every two milliseconds while
// Lua runs in the thread, tells whoever listens that time has passed. What it interrupts pays
// nothing in between; Lua's count hook, which counts every instruction, costs some percent of a
// script.
//
// Stops by itself when nothing ran since the last tick, so an idle thread is never woken. Starting
// it again is one system call.
#pragma once

namespace cannula::script {

class Ticker {
 public:
  class Listener {
   public:
    // In a signal handler, in the thread that listens: async-signal-safe functions only, and
    // std::atomic for all that is shared with the code it interrupts.
    virtual void tick() noexcept = 0;

   protected:
    ~Listener() = default;
  };

  // Ticks of the calling thread go to `listener` until the object is gone; then to the one before.
  // `listener` must live as long.
  explicit Ticker(Listener& listener);
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;
  ~Ticker();

  // False: there are no ticks (the system has no timer left, or a sanitizer keeps signals back).
  bool ticks() const { return ticks_; }

 private:
  Listener* const before_;
  bool ticks_;
};

}  // namespace cannula::script
