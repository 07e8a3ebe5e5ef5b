// The audit trail as it is written. One process at a time writes it: the one that holds the store.
//
//   audit::Log log({.directory = state / "audit"});
//   log.note({.act = "engine.start"});                       // soon; never waits
//   TRY(log.append({.actor = person, .act = "message.show"}));  // on disk, or the act is refused
//
// A disk that cannot be written to makes append() fail and note() keep up to 1000 entries; how many
// were lost then is an entry of its own when the disk is well again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/security/audit/entry.h"
#include "engine/security/audit/flood.h"
#include "engine/security/audit/journal_end.h"
#include "engine/store/file_system.h"

namespace cannula::audit {

struct Options {
  std::filesystem::path directory;           // of the trail; made if absent
  std::string key{};                         // of the seals; empty: a plain SHA-256 chain
  store::FileSystem* file_system = nullptr;  // null: the real one
  std::size_t file_size = 16u << 20;         // bytes, then the chain goes on in a new file
  // Told where the trail ends, from time to time, of trouble with the disk, and of a trail that is
  // not as it was left. Called on any thread, under the log's lock: must not call it. Null: nobody.
  std::function<void(bool trouble, const std::string& text)> report{};
  // Where the store's journal ends on disk. Entered each hour in which it has moved, and in each
  // new file of the trail. Called under the log's lock: must not wait. Null: it is not entered.
  std::function<JournalEnd()> journal{};
  std::int64_t journal_every = 3600LL * 1'000'000;  // microseconds
  // Whether the store has records. Asked when there is no trail, which then was taken away. Null:
  // it has none.
  std::function<bool()> has_records{};
};

// The file that remembers how far the trail has come, beside its folder, so that a tail that was
// cut off is missed.
std::filesystem::path head_file(const std::filesystem::path& directory);
std::string head_text(const Head& head, const Sealer& sealer);
struct RememberedHead {
  Head head;
  bool genuine = false;    // its own seal fits
  bool other_key = false;  // it was sealed with another key, so that cannot be told
  std::string key_id;      // which it names; empty: none
};
std::optional<RememberedHead> read_head(const std::filesystem::path& directory,
                                        store::FileSystem& files, const Sealer& sealer);
// Names of the trail's files in their order.
std::vector<std::string> trail_files(const std::filesystem::path& directory,
                                     store::FileSystem& files);

// Thread-safe.
class Log {
 public:
  explicit Log(Options options);
  ~Log();  // close()

  // Returns the entry's number when it is on disk. A101: it is not, and nothing of it stays.
  Result<std::uint64_t> append(Entry entry);
  // Leaves the entry to the log's thread.
  void note(Entry entry);
  // note() for what others cause: when there are many, most are only counted (flood.h).
  void note_refusal(Entry entry);
  // Writes what was noted and stops the thread. What is noted afterwards is lost.
  void close();

  struct Health {
    std::uint64_t entries = 0;  // on disk, since the trail began
    std::uint64_t lost = 0;     // noted and not written, since this log was opened
    std::string trouble;        // why it cannot be written; empty when it can
  };
  Health health() const;

 private:
  struct Noted {
    Entry entry;
    std::int64_t at;
  };
  struct Tail {  // of a file
    std::filesystem::path path;
    bool lines = false;          // there is a whole line
    std::uint64_t size = 0;      // up to the end of the last one
    bool torn = false;           // something without an end follows
    std::optional<Head> link;    // the last line, when it is an entry
    std::string key_id;          // the key that it names
    std::uint64_t at_least = 0;  // the number of the last line by counting
  };
  void run();
  Result<void> open();
  bool is_usable(const RememberedHead& remembered, const Tail& tail) const;
  Result<Tail> read_tail(const std::filesystem::path& path, std::uint64_t first);
  Result<void> begin_file();
  bool is_in_place() const;
  void look_whether_in_place();
  void say_damaged(const std::string& trouble) const;
  Result<void> write(const std::vector<Noted>& entries);
  Result<void> write_noted();
  std::optional<JournalEnd> journal_to_tell(std::int64_t at) const;
  void remember_head();
  void anchor(bool now);
  void in_trouble(const Error& error);

  const Options options_;
  store::FileSystem& files_;
  const Sealer sealer_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Head head_;
  std::filesystem::path path_;         // of the last file
  std::unique_ptr<store::File> file_;  // null: to be opened again, cut to size_
  std::unique_ptr<store::File> head_file_;
  std::uint64_t size_ = 0;  // of what is whole in it
  bool opened_ = false;     // head_ is where the trail ends
  bool cut_ = false;        // something behind size_ may have to be cut off
  std::deque<Noted> noted_;
  Flood flood_;
  std::uint64_t lost_ = 0;  // since the last entry that said so
  std::uint64_t lost_in_all_ = 0;
  std::uint64_t anchored_ = 0;  // the entry last reported
  std::int64_t anchored_at_ = 0;
  JournalEnd told_;  // the journal's end that was entered last
  std::int64_t told_at_ = 0;
  std::string trouble_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace cannula::audit
