// A store, a folder for its backup, and a folder to restore it into.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "channels/transport/wall_clock.h"
#include "engine/store/backup.h"
#include "engine/store/backup_check.h"
#include "engine/store/restore.h"
#include "engine/store/retention.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {

namespace fs = std::filesystem;

inline constexpr Timestamp kHour = 3'600'000'000;
// Ids are of now, and a message is no older than its id.
inline const Timestamp kLater = now_microseconds() + 100 * kHour;

inline std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline void flip_a_byte(const fs::path& path, std::uint64_t at) {
  std::string bytes = content(path);
  bytes.at(static_cast<std::size_t>(at)) ^= 0x40;
  write(path, bytes);
}

class BackupTest : public StoreFixture {
 protected:
  BackupTest() { fs::create_directories(state()); }

  fs::path state() const { return directory() / "state"; }
  fs::path folder() const { return directory() / "backup"; }
  fs::path restored() const { return directory() / "restored"; }

  Options options() const override { return options_of(state()); }
  static Options options_of(const fs::path& directory) {
    fs::create_directories(directory);
    Options options;
    options.directory = directory;
    options.segment_size = 20'000;
    options.zero_ahead = 64u << 10;
    options.keys = value(security::KeyRing::open({directory, master()}));
    return options;
  }

  BackupOptions asked(const Store* store = nullptr) const {
    BackupOptions options;
    options.store = state();
    options.folder = folder();
    options.site = "riverside";
    options.beside = {{"holds.jsonl", SideFile::Kind::lines},
                      {"audit-head.json", SideFile::Kind::steady},
                      {"audit", SideFile::Kind::folder, ".log"}};
    if (store) {
      options.end = [store]() -> Result<Position> { return store->end(); };
    } else {
      options.end = [this] { return end_at_rest(state()); };
    }
    return options;
  }
  BackupReport backed_up(const Store* store = nullptr) const {
    return value(back_up(asked(store)));
  }
  RestoreOptions to_restore() const {
    RestoreOptions options;
    options.backup = folder();
    options.store = restored();
    return options;
  }

  static std::vector<MessageId> fill(Store& store, unsigned count,
                                     const std::string& channel = "lab", unsigned seed = 0) {
    std::vector<MessageId> ids;
    for (unsigned i = 0; i < count; ++i) {
      const MessageId id = commit(store, {accepted(channel, noise(seed + i, 1500))}).front().id;
      Outcome worked = outcome(id, channel, MessageState::queued, {"ehr"});
      worked.state_writes = {{"last", std::to_string(seed + i)}};
      commit(store, {worked, attempt(id, channel, 1, "ehr", DeliveryState::delivered)});
      ids.push_back(id);
    }
    return ids;
  }
  static void prune(Store& store) {
    PruneOrder order;
    order.now = kLater;
    order.keep = [](const std::string& channel, MessageState) {
      return channel == "lab" ? Keep{kHour, {}} : Keep{};
    };
    value(store.prune(order));
  }

  static void expect_bodies(const fs::path& directory, const std::vector<MessageId>& ids,
                            unsigned seed = 0) {
    const auto store = open(options_of(directory));
    EXPECT_EQ(render(store->recovery().damage), "");
    for (const MessageId id : ids) {
      const auto trail = value(store->trail(id));
      ASSERT_EQ(trail.size(), 3u) << id.text();
      EXPECT_EQ(*std::get<Accepted>(trail.front()).body, noise(seed++, 1500));
    }
  }
  std::vector<std::string> codes_of_check() const {
    const BackupCheck check = value(check_backup(folder()));
    std::vector<std::string> codes;
    for (const Diagnostic& one : check.damage) codes.push_back(one.code);
    return codes;
  }
  // The stored file of a path of the store.
  fs::path stored(const std::string& path) const {
    const auto manifest = value(manifest_of_backup(FileSystem::real(), folder()));
    const BackupFile* file = manifest.find(path);
    if (!file) throw std::runtime_error("the backup has no " + path);
    return folder() / file->stored_name();
  }
  std::string path_of_first_segment() const {
    for (const BackupFile& file : value(manifest_of_backup(FileSystem::real(), folder())).files) {
      if (file.path.starts_with("journal/0")) return file.path;
    }
    return "";
  }
};

}  // namespace cannula::store
