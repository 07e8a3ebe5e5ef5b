// A packed segment: what is left of a segment when retention has removed records from it; the file
// <base in 20 digits>.pack, which takes the place of the .seg of the same base. Every record keeps
// its position, so nothing that remembers one has to change:
//
//    0  128  header of the segment, as it was
//  128    n  each record that is left: its position (8 bytes), then its frame
//            a table: position and offset of the frame in the file, 8 bytes each, by rising
//            position
//        40  "PACKED\n" and a zero byte; as_of; number of records; XXH3-64 of the table; XXH3-64
//            of the 32 bytes before
//
// `as_of` is a position: what was forgotten by records before it is not in here any more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/file_system.h"
#include "engine/store/segment.h"
#include "engine/store/segment_reader.h"

namespace cannula::store {

std::string packed_name(Position base);
// Nothing for names of other files.
std::optional<Position> base_of_packed_name(std::string_view name);

// Where each record stands. Immutable.
class PackedTable {
 public:
  struct Entry {
    Position position = 0;
    std::uint64_t offset = 0;  // of the frame in the file
  };

  // What the end of the file says, without reading the table; nothing when it does not hold.
  struct Summary {
    Position as_of = 0;
    std::uint64_t records = 0;
  };
  static Result<std::optional<Summary>> summary(const File& file);

  // Without a table that holds it is made anew by going through the records: `damaged` is set, and
  // what stands behind bytes that are no record is lost.
  static Result<PackedTable> load(const File& file, std::uint64_t identity, bool& damaged);

  // Nothing when no record begins there.
  const Entry* find(Position position) const;
  // The first at or behind `position`.
  std::vector<Entry>::const_iterator from(Position position) const;
  const std::vector<Entry>& entries() const { return entries_; }
  Position as_of() const { return as_of_; }
  std::uint64_t end_of_frames() const { return end_of_frames_; }  // in the file

 private:
  std::vector<Entry> entries_;
  Position as_of_ = 0;
  std::uint64_t end_of_frames_ = kSegmentHeaderSize;
};

// Goes through the records from front to back, as SegmentReader does. `file` and `table` outlive
// it.
class PackedReader {
 public:
  using Step = SegmentReader::Step;

  // Those at positions in [from, limit).
  PackedReader(const File& file, const PackedTable& table, std::uint64_t identity, Position from,
               Position limit);
  Result<Step> next();
  const Frame& frame() const { return frame_; }
  const Gap& gap() const { return gap_; }  // a record that does not hold

 private:
  Result<std::string_view> view(std::uint64_t offset, std::size_t size);

  const File& file_;
  const PackedTable& table_;
  const std::uint64_t identity_;
  const Position limit_;
  std::vector<PackedTable::Entry>::const_iterator at_;
  std::string buffer_;
  std::uint64_t buffer_begin_ = 0;
  Frame frame_;
  Gap gap_;
};

// Writes a packed segment; a file that is not finished is nothing.
class PackedWriter {
 public:
  // Makes `path` anew.
  static Result<PackedWriter> begin(FileSystem& files, const std::filesystem::path& path,
                                    const SegmentHeader& header);
  // By rising position; `frame` is complete, checksums and all.
  Result<void> add(Position position, std::string_view frame);
  // On disk, but not its name.
  Result<void> finish(Position as_of);
  std::uint64_t size() const { return written_ + buffer_.size(); }
  std::uint64_t records() const { return count_; }

 private:
  PackedWriter(std::unique_ptr<File> file, std::uint64_t identity)
      : file_(std::move(file)), identity_(identity) {}
  Result<void> flush();

  std::unique_ptr<File> file_;
  std::uint64_t identity_;
  std::string buffer_;
  std::string table_;
  std::uint64_t written_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace cannula::store
