#include "engine/store/store.h"

#include <algorithm>
#include <condition_variable>

#include "engine/store/local_store.h"

namespace cannula::store {

bool is_readable_elsewhere(const Error& error) {
  return error.code == "K107" || error.code == "J112" || error.code == "J109";
}

Result<std::unique_ptr<Store>> Store::open(Options options) {
  return LocalStore::open(std::move(options));
}

Position Store::seen_up_to(IndexMoment before) const {
  const IndexMoment now = index_moment();
  return now.build == before.build ? std::min(before.up_to, now.up_to) : 0;
}

Result<std::vector<Committed>> Store::commit(std::vector<Record> records) {
  std::mutex lock;
  std::condition_variable told;
  std::optional<Result<std::vector<Committed>>> outcome;
  submit(std::move(records), [&](Result<std::vector<Committed>> result) {
    // Told under the lock: once it is free, the waiting thread may return and take all three of
    // these with it.
    const std::lock_guard guard(lock);
    outcome = std::move(result);
    told.notify_one();
  });
  std::unique_lock guard(lock);
  told.wait(guard, [&] { return outcome.has_value(); });
  return std::move(*outcome);
}

}  // namespace cannula::store
