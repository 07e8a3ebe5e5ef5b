#include "engine/store/zero_ahead.h"

#include <pthread.h>

namespace cannula::store {

ZeroAhead::ZeroAhead(std::size_t distance) : distance_(distance), thread_([this] { run(); }) {}

ZeroAhead::~ZeroAhead() {
  {
    const std::lock_guard guard(lock_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ZeroAhead::follow(std::shared_ptr<File> file, std::uint64_t size, std::uint64_t segment_size) {
  release();
  {
    const std::lock_guard guard(lock_);
    file_ = std::move(file);
    written_ = zeroed_ = size;
    limit_ = segment_size;
  }
  changed_.notify_all();
}

void ZeroAhead::release() {
  std::unique_lock guard(lock_);
  changed_.wait(guard, [this] { return !writing_; });
  file_ = nullptr;
}

void ZeroAhead::claim(std::uint64_t end) {
  std::unique_lock guard(lock_);
  if (end > zeroed_) {
    changed_.wait(guard, [this] { return !writing_; });
    zeroed_ = std::max(zeroed_, end);
  }
  written_ = end;
  if (zeroed_ - written_ < distance_ / 2 && !writing_) changed_.notify_all();
}

void ZeroAhead::run() {
  ::pthread_setname_np(::pthread_self(), "zeros");
  std::unique_lock guard(lock_);
  while (true) {
    changed_.wait(guard, [this] {
      return stopping_ || (file_ && zeroed_ < limit_ && zeroed_ - written_ < distance_ / 2);
    });
    if (stopping_) return;
    const std::shared_ptr<File> file = file_;
    const std::uint64_t from = zeroed_;
    const std::uint64_t to = std::min<std::uint64_t>(written_ + distance_, limit_);
    if (to <= from) {
      limit_ = from;
      continue;
    }
    writing_ = true;
    guard.unlock();
    const std::string zeros(static_cast<std::size_t>(to - from), '\0');
    const bool done = file->write(from, zeros) && file->sync();
    guard.lock();
    writing_ = false;
    zeroed_ = to;
    if (!done) file_ = nullptr;  // of no consequence: the journal grows the file itself
    changed_.notify_all();
  }
}

}  // namespace cannula::store
