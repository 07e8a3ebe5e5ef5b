// The segments of a store as one sequence of bytes: opens and repairs them, appends batches, reads
// records back.
//
// Threads: append() from one thread at a time (the group commit's); end(), read() and scan() from
// any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "engine/security/keys/key_ring.h"
#include "engine/store/file_system.h"
#include "engine/store/packed_segment.h"
#include "engine/store/pruned.h"
#include "engine/store/segment.h"
#include "engine/store/segment_reader.h"
#include "engine/store/store.h"

namespace cannula::store {

class ZeroAhead;

class Journal {
 public:
  struct Settings {
    std::filesystem::path directory;  // of the segments
    FileSystem* file_system = nullptr;
    std::size_t segment_size = 0;
    std::size_t zero_ahead = 0;
    bool read_only = false;  // for check(): repairs nothing; append() must not be called
    const security::KeyRing* keys = nullptr;  // null: records are plain
    // With read_only, of a store that another process has open: what its end() said. Nothing behind
    // is looked at, and all before it was on disk. 0: the journal ends where its last segment does.
    Position up_to{};
  };

  // Reads the headers of all segments and every frame of the last one. Makes the first segment when
  // there is none. What was found goes to `recovery`.
  // J112 when it is sealed with other keys than those given.
  static Result<std::unique_ptr<Journal>> open(Settings settings, Recovery& recovery);
  // One that is only read, whoever has it open; its records stay sealed. `up_to` as in Settings.
  static Result<std::unique_ptr<Journal>> open_to_read(const std::filesystem::path& directory,
                                                       FileSystem& file_system, Position up_to,
                                                       Recovery& recovery);
  ~Journal();
  // For a store whose file of keys is not there. K105 when a segment says that it is sealed; K118
  // when there are only others and `believe_plain` is not set; J118 as open().
  static Result<void> may_get_new_keys(FileSystem& file_system,
                                       const std::filesystem::path& directory, bool believe_plain);

  std::uint64_t identity() const { return identity_; }
  // Highest message id in the journal when it was opened.
  std::uint64_t last_id() const { return last_id_; }
  Position begin() const;
  // Of what is on disk.
  Position end() const { return end_.load(std::memory_order_acquire); }

  // Writes one batch of sealed frames, the first at position `first`, and waits for the disk.
  // `last_id` is the highest message id given so far. `first` is end(), or behind it when batches
  // between have failed. After an error the batch is not there; the next append() begins a new
  // segment, which declares whatever is left of it to be nothing.
  // J120, and the batch is not there: the segment was removed or moved while it is open.
  Result<void> append(std::string_view batch, Position first, std::uint64_t last_id);

  // Called for each frame from `from` (where a frame begins) up to `to`, in order; false ends the
  // scan. Damage is reported to `gaps` and passed over, and so is what is not sealed where all is
  // (J119).
  using Visitor = std::function<Result<bool>(const Frame& frame)>;
  Result<void> scan(Position from, Position to, const Visitor& visit,
                    std::vector<Diagnostic>* gaps) const;

  // The record in a frame, opened with the keys: errors of open_payload() and decode(); J119 as
  // read() has it.
  Result<Record> record_of(const Frame& frame) const;

  // One frame with its payload in `buffer`. J107 when none begins there, J108 when it is damaged,
  // J119 when it is not sealed where all is.
  Result<Frame> read(Position position, std::string& buffer) const;

  Result<std::uint64_t> free_space() const;

  // As long as the answer lives no segment that is there now is removed: for who copies the files
  // or reads all of them. Waits while some are being removed.
  std::shared_ptr<const void> pin() const;
  // What retention has taken so far.
  Pruned pruned() const;
  // Goes over to `next` and takes away what stands before its `begin`, where a segment begins.
  // False, and nothing is changed: somebody has pinned the segments. After an error everything is
  // as before, or as it should be after the next opening. One thread at a time; so for the next
  // two.
  Result<bool> prune(const Pruned& next);
  // Whether what stood at `position` may have been removed since, or been sealed anew.
  bool is_packed(Position position) const;
  // Goes over to `next`, whose `begin` is the same. False as for prune().
  Result<bool> note(const Pruned& next);
  // Where to write what replace() puts in the place of a segment.
  std::filesystem::path replacement_of(Position base) const;
  // Puts the packed segment that was finished there in the place of the segment that begins at
  // `base` and is not the last. False as for prune().
  Result<bool> replace(Position base, Position as_of, std::uint64_t records);
  FileSystem& file_system() const { return *settings_.file_system; }
  // Whether the file of the last segment is not in its folder, so that append() would say J120.
  bool is_displaced() const;
  // The next append() begins a segment, so that what is on disk now can be taken away.
  void roll() { roll_.store(true); }

  // The file in which `position` stands, and at which offset.
  std::string place_of(Position position) const;
  struct SegmentFile {
    SegmentHeader header;
    Position end = 0;  // exclusive
    std::filesystem::path path;
    bool packed = false;
    // What was forgotten by records before it is not in there any more; 0: it is not packed.
    Position as_of = 0;
    std::uint64_t records = 0;  // of a packed one
    std::uint64_t size = 0;     // of the file; of one that is not packed up to `end`: what it has
                                // behind counts for nothing
  };
  // By rising base.
  std::vector<SegmentFile> segments() const;

 private:
  struct Segment {
    SegmentHeader header;
    bool header_damaged = false;  // what `header` says was put together from the file's name
    bool sealed = false;          // it, or one before it, names keys: nothing in it is plain
    Position limit = 0;           // where the frames end; of the last segment: end_ instead
    bool packed = false;
    Position as_of = 0;         // of a packed one
    std::uint64_t records = 0;  // of a packed one
    std::uint64_t size = 0;     // of a packed one's file
  };
  // A segment's file and how far its frames go just now.
  struct Opened {
    std::shared_ptr<const File> file;
    std::shared_ptr<const PackedTable> table;  // null: it is not packed
    Position base = 0;
    Position limit = 0;
  };

  explicit Journal(Settings settings);

  Result<void> open_segments(Recovery& recovery);
  void remove_files(const std::vector<std::filesystem::path>& paths) const;
  Result<std::vector<std::filesystem::path>> load_headers(Recovery& recovery);
  Result<void> compare_keys() const;
  void note_sealed();
  void compare_seals(Recovery& recovery) const;
  // Somebody else than the store put the frame there, who could make checksums and had no key: what
  // it is. Null: it may be the store's.
  const char* intruder(const Frame& frame) const;
  bool all_is_sealed_at(Position position) const;
  Error not_ours(const Frame& frame, const char* what) const;
  Result<void> compare_neighbours(Recovery& recovery);
  Result<void> recover_last(Recovery& recovery);
  Result<void> recover_packed();
  Result<void> begin_segment(Position base, Position previous_end, std::uint64_t last_id);
  Result<void> write_batch(std::string_view batch, Position first);
  Result<void> look_whether_in_place(bool closely);
  void abandon_last();
  // The first segment that ends behind `position`.
  Result<std::optional<Opened>> segment_from(Position position) const;
  Result<void> open_file(Opened& opened, bool packed) const;
  void forget_file(Position base);
  Result<void> read_packed(Segment& segment, Recovery& recovery);
  template <class Reader>
  Result<bool> visit_frames(Reader& reader, const Opened& segment, Position start, Position stop,
                            const Visitor& visit, std::vector<Diagnostic>* gaps) const;
  std::filesystem::path path_of(Position base) const;
  std::filesystem::path path_of(const Segment& segment) const;
  SegmentHeader last_header() const;
  std::uint64_t keys_id() const { return settings_.keys ? settings_.keys->id() : 0; }

  Settings settings_;
  std::uint64_t identity_ = 0;
  std::uint64_t last_id_ = 0;
  std::atomic<Position> end_{0};

  // Of segments_: the journal's thread adds to them, retention packs and removes them.
  mutable std::shared_mutex segments_lock_;
  std::vector<Segment> segments_;  // by rising base

  mutable std::mutex files_lock_;
  mutable std::vector<Opened> files_;  // recently read; their limits are of no use

  Pruned pruned_;  // under segments_lock_
  std::atomic<bool> roll_{false};
  mutable std::mutex pins_lock_;
  const std::shared_ptr<const void> pins_ = std::make_shared<int>();  // one owner more for each pin

  std::shared_ptr<File> last_file_;  // of the journal's thread
  bool displaced_ = false;           // of the journal's thread: it was not in its place
  std::chrono::steady_clock::time_point next_look_{};  // of the journal's thread: for that
  bool abandoned_ = false;  // a write to the last segment failed: it gets no more
  std::unique_ptr<ZeroAhead> zero_ahead_;
};

}  // namespace cannula::store
