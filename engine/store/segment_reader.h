// Goes through the frames of one segment from front to back, over damage too. Memory: one frame and
// a buffer of 1 MiB. Time is linear in the bytes read, whatever they are. For one thread; neither
// the file nor the reader is changed by others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/store/file_system.h"
#include "engine/store/frame.h"
#include "engine/store/segment.h"

namespace cannula::store {

// A record as it stands in the journal; `payload` is valid until the reader moves on.
struct Frame {
  Position position = 0;
  FrameHeader header;
  std::string_view payload;  // the bytes of the header stand right before it

  std::string_view bytes() const {
    return {payload.data() - kFrameHeaderSize, kFrameHeaderSize + payload.size()};
  }

  Position end() const { return position + header.size(); }
  Position batch() const { return position - header.batch_offset; }
};

// Bytes between two frames, or between a frame and the end, that are no frame.
struct Gap {
  Position begin = 0;
  Position end = 0;
  bool only_zeros = false;
};

// An error as a finding of damage; its place is in its words.
Diagnostic finding_of(const Error& error);

class SegmentReader {
 public:
  enum class Step { frame, gap, end };

  // Reads from position `from`, where a frame should begin, to position `limit` (exclusive) or the
  // end of the file. `file` must outlive the reader.
  SegmentReader(const File& file, std::uint64_t identity, Position base, Position from,
                Position limit);

  // Moves to the next frame or gap. An error is one of reading the file.
  Result<Step> next();
  // After next() said so.
  const Frame& frame() const { return frame_; }
  const Gap& gap() const { return gap_; }

 private:
  // Makes bytes [position, position + size) available as far as the file has them.
  Result<std::string_view> view(Position position, std::size_t size);
  // What is in memory from `position` on: at least a frame header unless the segment ends before.
  Result<std::string_view> rest_of_buffer(Position position);
  Result<bool> frame_at(Position position);
  Result<Step> search(Position begin);

  const File& file_;
  std::uint64_t identity_;
  Position base_;
  Position at_;
  Position limit_;
  bool found_behind_gap_ = false;  // frame_ is already the next one
  Position claimed_end_ = 0;  // end of the frame whose header held but not its payload; 0: none

  std::string buffer_;
  Position buffer_begin_ = 0;
  Frame frame_;
  Gap gap_;
};

}  // namespace cannula::store
