// The index on a disk that fails while the journal's works: below SQLite, any write, sync or read
// of it comes back with an error. Nothing waits for the index, and it follows when the disk is
// well.
#include <atomic>
#include <map>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// SQLite's files, as it has them from the system, but for those operations that are to fail. One
// for the whole program, since it stands in front of SQLite's own.
class TroubledFiles {
 public:
  static TroubledFiles& instance() {
    static TroubledFiles one;
    return one;
  }

  // Operations `first` (counted from 1) and later fail with `code` until well().
  void fail_from(int first, int code) {
    done_ = 0;
    code_ = code;
    first_ = first;
  }
  void well() { first_ = 0; }
  int operations() const { return done_; }
  bool has_failed() const { return first_ != 0 && done_ >= first_; }

 private:
  // What SQLite calls for a file, and what the system's own would have been.
  struct Methods {
    sqlite3_io_methods troubled;  // first: a file points to it
    const sqlite3_io_methods* own;
  };

  TroubledFiles() : system_(sqlite3_vfs_find(nullptr)), files_(*system_) {
    files_.zName = "troubled";
    files_.xOpen = &TroubledFiles::open;
    sqlite3_vfs_register(&files_, 1);
  }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    TroubledFiles& all = instance();
    const int code = all.system_->xOpen(all.system_, name, file, flags, out);
    if (code == SQLITE_OK) file->pMethods = &all.methods_for(file->pMethods)->troubled;
    return code;
  }

  const Methods* methods_for(const sqlite3_io_methods* own) {
    const std::lock_guard guard(lock_);
    const auto [place, added] = methods_.try_emplace(own, Methods{*own, own});
    if (added) {
      place->second.troubled.xWrite = &TroubledFiles::write;
      place->second.troubled.xSync = &TroubledFiles::sync;
      place->second.troubled.xRead = &TroubledFiles::read;
    }
    return &place->second;
  }

  static const sqlite3_io_methods* own(const sqlite3_file* file) {
    return reinterpret_cast<const Methods*>(file->pMethods)->own;
  }
  static bool fails(int kind) {
    TroubledFiles& all = instance();
    if (all.first_ == 0 || all.kind() != kind) return false;
    return ++all.done_ >= all.first_;
  }
  int kind() const {
    return code_ == SQLITE_IOERR_FSYNC  ? SQLITE_IOERR_FSYNC
           : code_ == SQLITE_IOERR_READ ? SQLITE_IOERR_READ
                                        : SQLITE_IOERR_WRITE;
  }
  static int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
    if (fails(SQLITE_IOERR_WRITE)) return instance().code_;
    return own(file)->xWrite(file, bytes, size, at);
  }
  static int sync(sqlite3_file* file, int flags) {
    if (fails(SQLITE_IOERR_FSYNC)) return instance().code_;
    return own(file)->xSync(file, flags);
  }
  static int read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 at) {
    if (fails(SQLITE_IOERR_READ)) return instance().code_;
    return own(file)->xRead(file, bytes, size, at);
  }

  sqlite3_vfs* const system_;
  sqlite3_vfs files_;
  std::mutex lock_;
  std::map<const sqlite3_io_methods*, Methods> methods_;
  std::atomic<int> first_{0};  // 0: all is well
  std::atomic<int> code_{0};
  std::atomic<int> done_{0};
};

class IndexOnATroubledDisk : public StoreFixture, public testing::WithParamInterface<int> {
 protected:
  IndexOnATroubledDisk() { disk_.well(); }
  ~IndexOnATroubledDisk() override { disk_.well(); }

  // A message that is taken, worked and delivered: all of it is acknowledged.
  static MessageId carry_out(Store& store) {
    const MessageId id = commit(store, {accepted("lab", noise(1, 3000))})[0].id;
    commit(store, {outcome(id, "lab", MessageState::queued, {"ehr"})});
    commit(store, {attempt(id, "lab", 1, "ehr", DeliveryState::delivered)});
    return id;
  }

  // All of them are done, and the index is what one that is built anew would be.
  void expect_followed(Store& store, const std::vector<MessageId>& ids) {
    store.catch_up();
    EXPECT_EQ(store.indexed_up_to(), store.end());
    for (const MessageId id : ids) EXPECT_EQ(state(store, id), MessageState::done) << id.text();
    EXPECT_EQ(value(store.messages({.limit = 10'000})).size(), ids.size());
  }

  TroubledFiles& disk_ = TroubledFiles::instance();
};

TEST_P(IndexOnATroubledDisk, WhatComesIsOnRecordAndTheIndexFollowsWhenTheDiskIsWell) {
  auto store = open();
  std::vector<MessageId> ids{carry_out(*store)};
  store->catch_up();
  EXPECT_FALSE(store->index_trouble());
  disk_.fail_from(1, GetParam());
  for (int i = 0; i < 20; ++i) ids.push_back(carry_out(*store));
  // A sync is only needed once the log of SQLite is large, or the store is closed.
  if (GetParam() == SQLITE_IOERR_WRITE || GetParam() == SQLITE_FULL) {
    const auto behind = store->catch_up_within(std::chrono::seconds(1));
    ASSERT_FALSE(behind);
    EXPECT_EQ(behind.error().code, "J303");
    EXPECT_THAT(behind.error().message, HasSubstr("because it cannot be written"));
    ASSERT_TRUE(store->index_trouble());
    EXPECT_EQ(store->index_trouble()->code, "J301");
    EXPECT_THAT(store->index_trouble()->hint, HasSubstr((directory() / "index.db").string()));
    EXPECT_FALSE(store->trouble()) << "the journal has none";
  }
  disk_.well();
  expect_followed(*store, ids);
  EXPECT_FALSE(store->index_trouble());
  store.reset();
  store = open();
  EXPECT_FALSE(store->recovery().index_rebuilt) << store->recovery().index_rebuilt_why;
  expect_followed(*store, ids);
}

// From each operation on, while the store is opened, written to and closed.
TEST_P(IndexOnATroubledDisk, FailingFromAnyOperationOnNothingIsLost) {
  std::vector<MessageId> ids;
  int refused = 0;
  int last = 0;
  for (int first = 1; last == 0 || first <= last; first += 1 + first / 8) {
    disk_.fail_from(first, GetParam());
    {
      auto opened = Store::open(options());
      if (opened) {
        for (int i = 0; i < 5; ++i) ids.push_back(carry_out(**opened));
      } else {
        ++refused;
        EXPECT_TRUE(disk_.has_failed()) << opened.error().text();
        EXPECT_NE(opened.error().hint, "") << opened.error().text();
      }
    }
    if (!disk_.has_failed()) last = disk_.operations();
    disk_.well();
    const auto store = open();
    expect_followed(*store, ids);
    if (HasFailure()) FAIL() << "failing from operation " << first;
  }
  EXPECT_GT(ids.size(), 10u);
  EXPECT_TRUE(refused > 0 || GetParam() == SQLITE_IOERR_FSYNC) << "a new file needs no sync";
}

INSTANTIATE_TEST_SUITE_P(Codes, IndexOnATroubledDisk,
                         testing::Values(SQLITE_IOERR_WRITE, SQLITE_FULL, SQLITE_IOERR_FSYNC,
                                         SQLITE_IOERR_READ));

}  // namespace
}  // namespace cannula::store
