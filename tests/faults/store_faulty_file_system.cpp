#include "tests/faults/store_faulty_file_system.h"

namespace cannula::store {
namespace {

constexpr std::size_t kSector = 512;

Error no_such_file(const std::filesystem::path& path) {
  return Error{"J104", "no such file: " + path.string()};
}

}  // namespace

class FaultyFileSystem::OpenFile final : public File {
 public:
  OpenFile(FaultyFileSystem& disk, std::shared_ptr<Inode> inode)
      : disk_(disk), inode_(std::move(inode)), power_(disk.power_) {}

  Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t size) const override {
    const std::lock_guard guard(disk_.lock_);
    if (offset >= inode_->visible.size()) return std::size_t{0};
    return inode_->visible.copy(into, size, static_cast<std::size_t>(offset));
  }

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    const std::lock_guard guard(disk_.lock_);
    Change change{.truncation = false, .offset = offset, .bytes = std::string(bytes)};
    const auto trouble = disk_.trouble();
    if (dead()) return Error{"J104", "the power went"};
    if (trouble && !disk_.crashed_) change.bytes.resize(disk_.random_() % (bytes.size() + 1));
    apply(change, inode_->visible);
    inode_->unsynced.push_back(std::move(change));
    if (trouble) return *trouble;
    return {};
  }

  Result<void> sync() override {
    const std::lock_guard guard(disk_.lock_);
    const auto trouble = disk_.trouble();
    if (dead()) return Error{"J104", "the power went"};
    if (trouble && disk_.crashed_) return *trouble;
    for (const Change& change : inode_->unsynced) {
      trouble ? disk_.apply_torn(change, inode_->durable) : apply(change, inode_->durable);
    }
    inode_->unsynced.clear();  // also after a failure: the pages count as clean from now on
    if (trouble) return *trouble;
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard guard(disk_.lock_);
    const auto trouble = disk_.trouble();
    if (dead()) return Error{"J104", "the power went"};
    if (trouble) return *trouble;
    Change change{.truncation = true, .offset = size, .bytes = {}};
    apply(change, inode_->visible);
    inode_->unsynced.push_back(std::move(change));
    return {};
  }

  Result<std::uint64_t> size() const override {
    const std::lock_guard guard(disk_.lock_);
    return static_cast<std::uint64_t>(inode_->visible.size());
  }

 private:
  bool dead() const { return power_ != disk_.power_; }

  FaultyFileSystem& disk_;
  std::shared_ptr<Inode> inode_;
  std::uint64_t power_;
};

class FaultyFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(FaultyFileSystem& disk, std::filesystem::path path)
      : disk_(disk), path_(std::move(path)) {}
  ~HeldLock() override {
    const std::lock_guard guard(disk_.lock_);
    disk_.locks_.erase(path_);
  }

 private:
  FaultyFileSystem& disk_;
  std::filesystem::path path_;
};

void FaultyFileSystem::crash_at(std::uint64_t number) {
  const std::lock_guard guard(lock_);
  crash_at_ = number;
}

void FaultyFileSystem::fail_at(std::uint64_t first, std::uint64_t count, std::string code) {
  const std::lock_guard guard(lock_);
  fail_first_ = first;
  fail_count_ = count;
  fail_code_ = std::move(code);
}

std::uint64_t FaultyFileSystem::operations() const {
  const std::lock_guard guard(lock_);
  return operations_;
}

bool FaultyFileSystem::crashed() const {
  const std::lock_guard guard(lock_);
  return crashed_;
}

void FaultyFileSystem::restart(Unsynced unsynced) {
  const std::lock_guard guard(lock_);
  if (unsynced == Unsynced::torn) {
    for (const auto& [path, inode] : visible_) {
      if (!durable_.contains(path) && random_() % 2 == 0) durable_[path] = inode;
    }
    std::erase_if(durable_, [&](const auto& entry) {
      return !visible_.contains(entry.first) && random_() % 2 == 0;
    });
  }
  for (const auto& [path, inode] : durable_) {
    if (unsynced == Unsynced::torn) {
      for (const Change& change : inode->unsynced) apply_torn(change, inode->durable);
    }
    inode->unsynced.clear();
    inode->visible = inode->durable;
  }
  visible_ = durable_;
  crashed_ = false;
  crash_at_ = 0;
  fail_count_ = 0;
  ++power_;
}

std::optional<Error> FaultyFileSystem::trouble() {
  ++operations_;
  if (crash_at_ != 0 && operations_ >= crash_at_) crashed_ = true;
  if (crashed_) return Error{"J104", "the power went"};
  if (operations_ >= fail_first_ && operations_ - fail_first_ < fail_count_) {
    return Error{fail_code_, "made to fail"};
  }
  return std::nullopt;
}

void FaultyFileSystem::apply(const Change& change, std::string& to) {
  const auto offset = static_cast<std::size_t>(change.offset);
  if (change.truncation) return to.resize(offset, '\0');
  if (to.size() < offset + change.bytes.size()) to.resize(offset + change.bytes.size(), '\0');
  to.replace(offset, change.bytes.size(), change.bytes);
}

void FaultyFileSystem::apply_torn(const Change& change, std::string& to) {
  if (change.truncation) {
    if (random_() % 2 == 0) apply(change, to);
    return;
  }
  // Now and then all of it, now and then a prefix, otherwise any sectors.
  const auto manner = random_() % 4;
  if (manner == 0) return apply(change, to);
  if (manner == 1) {
    Change prefix = change;
    prefix.bytes.resize(random_() % (change.bytes.size() + 1));
    return apply(prefix, to);
  }
  for (std::size_t at = 0; at < change.bytes.size();) {
    const std::size_t in_sector = kSector - (change.offset + at) % kSector;
    std::size_t size = std::min(in_sector, change.bytes.size() - at);
    if (random_() % 2 == 0) {
      if (random_() % 8 == 0) size = random_() % (size + 1);
      apply(Change{.truncation = false,
                   .offset = change.offset + at,
                   .bytes = change.bytes.substr(at, size)},
            to);
    }
    at += std::min(in_sector, change.bytes.size() - at);
  }
}

std::string FaultyFileSystem::content(const std::filesystem::path& path) const {
  const std::lock_guard guard(lock_);
  return visible_.at(path)->visible;
}

void FaultyFileSystem::overwrite(const std::filesystem::path& path, std::uint64_t offset,
                                 std::string_view bytes) {
  const std::lock_guard guard(lock_);
  const Change change{.truncation = false, .offset = offset, .bytes = std::string(bytes)};
  apply(change, visible_.at(path)->visible);
  apply(change, visible_.at(path)->durable);
}

void FaultyFileSystem::forget(const std::filesystem::path& path) {
  const std::lock_guard guard(lock_);
  visible_.erase(path);
  durable_.erase(path);
}

Result<std::unique_ptr<File>> FaultyFileSystem::open(const std::filesystem::path& path,
                                                     Access access) {
  const std::lock_guard guard(lock_);
  auto known = visible_.find(path);
  if (access == Access::create) {
    if (auto error = trouble()) return *error;
    if (known != visible_.end()) return Error{"J104", "exists already: " + path.string()};
    known = visible_.emplace(path, std::make_shared<Inode>()).first;
  }
  if (known == visible_.end()) return no_such_file(path);
  return std::make_unique<OpenFile>(*this, known->second);
}

Result<std::unique_ptr<File>> FaultyFileSystem::open_plain(const std::filesystem::path& path) {
  return open(path, Access::read);
}

Result<std::vector<std::string>> FaultyFileSystem::list(const std::filesystem::path& directory) {
  const std::lock_guard guard(lock_);
  std::vector<std::string> names;
  for (const auto& [path, inode] : visible_) {
    if (path.parent_path() == directory) names.push_back(path.filename().string());
  }
  return names;
}

Result<void> FaultyFileSystem::rename(const std::filesystem::path& from,
                                      const std::filesystem::path& to) {
  const std::lock_guard guard(lock_);
  if (auto error = trouble()) return *error;
  const auto known = visible_.find(from);
  if (known == visible_.end()) return no_such_file(from);
  visible_[to] = known->second;
  visible_.erase(from);
  return {};
}

Result<void> FaultyFileSystem::remove(const std::filesystem::path& path) {
  const std::lock_guard guard(lock_);
  if (auto error = trouble()) return *error;
  visible_.erase(path);
  return {};
}

Result<void> FaultyFileSystem::destroy(const std::filesystem::path& path) {
  const auto file = TRY(open(path, Access::write));
  TRY(remove(path));
  TRY(file->write(0, std::string(static_cast<std::size_t>(TRY(file->size())), '\0')));
  return file->sync();
}

Result<void> FaultyFileSystem::make_directories(const std::filesystem::path&) {
  return {};
}

Result<void> FaultyFileSystem::make_directory(const std::filesystem::path&) {
  return {};
}

bool FaultyFileSystem::is_directory(const std::filesystem::path&) {
  return true;
}

Result<void> FaultyFileSystem::sync_directory(const std::filesystem::path& directory) {
  const std::lock_guard guard(lock_);
  if (auto error = trouble()) return *error;
  std::erase_if(durable_, [&](const auto& entry) {
    return entry.first.parent_path() == directory && !visible_.contains(entry.first);
  });
  for (const auto& [path, inode] : visible_) {
    if (path.parent_path() == directory) durable_[path] = inode;
  }
  return {};
}

Result<std::uint64_t> FaultyFileSystem::free_space(const std::filesystem::path&) {
  return std::uint64_t{1} << 40;
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::lock(const std::filesystem::path& path) {
  const std::lock_guard guard(lock_);
  if (!locks_.insert(path).second) return Error{"J101", "locked: " + path.string()};
  return std::make_unique<HeldLock>(*this, path);
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::lock_directory(
    const std::filesystem::path& directory) {
  return lock(directory);
}

}  // namespace cannula::store
