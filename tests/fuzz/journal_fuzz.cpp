// The segment reader and the record decoder on any bytes. The first byte chooses:
//   0  the rest is a segment as it lies on the disk
//   1  a record type and a payload for the decoder; what it takes must come back the same
//   2  a sound segment is made of pieces of the input and then damaged: every frame that was not
//   touched must be found
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/file_system.h"
#include "engine/store/frame.h"
#include "engine/store/segment.h"
#include "engine/store/segment_reader.h"

namespace cannula::store {
namespace {

constexpr std::uint64_t kIdentity = 0x1234567890ABCDEFu;

class TextFile final : public File {
 public:
  explicit TextFile(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t size) const override {
    if (offset >= text_.size()) return std::size_t{0};
    return text_.copy(into, size, static_cast<std::size_t>(offset));
  }
  Result<void> write(std::uint64_t, std::string_view) override { std::abort(); }
  Result<void> sync() override { std::abort(); }
  Result<void> truncate(std::uint64_t) override { std::abort(); }
  Result<std::uint64_t> size() const override { return std::uint64_t{text_.size()}; }

 private:
  std::string text_;
};

void require(bool holds) {
  if (!holds) std::abort();
}

// Steps follow each other without overlap up to the end; the positions of all frames.
std::vector<Position> read_all(const std::string& segment) {
  const TextFile file(segment);
  const Position end = kFirstPosition + (segment.size() - kSegmentHeaderSize);
  SegmentReader reader(file, kIdentity, kFirstPosition, kFirstPosition, end);
  std::vector<Position> frames;
  Position at = kFirstPosition;
  while (true) {
    const auto step = reader.next();
    require(step.has_value());
    if (*step == SegmentReader::Step::end) break;
    if (*step == SegmentReader::Step::gap) {
      require(reader.gap().begin == at && reader.gap().end > at && reader.gap().end <= end);
      at = reader.gap().end;
      continue;
    }
    const Frame& frame = reader.frame();
    require(frame.position == at && frame.end() <= end);
    require(frame.payload.size() == frame.header.length);
    static_cast<void>(
        decode(static_cast<RecordType>(frame.header.type), frame.payload).has_value());
    frames.push_back(at);
    at = frame.end();
  }
  require(at == end);
  return frames;
}

void any_segment(std::string_view bytes) {
  std::string segment(bytes);
  static_cast<void>(SegmentHeader::parse(segment).has_value());
  if (segment.size() < kSegmentHeaderSize) segment.resize(kSegmentHeaderSize);
  read_all(segment);
}

void any_record(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto type = static_cast<RecordType>(bytes.front() & 7);
  const auto record = decode(type, bytes.substr(1));
  if (!record) return;
  std::string once;
  encode(*record, once);
  const auto again = decode(type, once);
  require(again.has_value());
  std::string twice;
  encode(*again, twice);
  require(once == twice);
}

void damaged_segment(std::string_view bytes) {
  std::string segment(kSegmentHeaderSize, '\0');
  std::vector<Position> frames;
  Position batch = kFirstPosition;
  while (bytes.size() >= 2 && frames.size() < 200) {
    const std::size_t size = static_cast<unsigned char>(bytes[0]) * 3u;
    const bool begins_batch = (bytes[1] & 1) != 0;
    const std::string body(bytes.substr(0, size));
    bytes.remove_prefix(std::min(bytes.size(), size / 8 + 2));
    const Position position = kFirstPosition + (segment.size() - kSegmentHeaderSize);
    if (begins_batch) batch = position;
    Accepted record;
    record.body = make_bytes(body);
    const std::size_t at = segment.size();
    append_frame(record, false, segment);
    seal_frame(segment.data() + at, kIdentity, position, batch);
    frames.push_back(position);
  }
  const Position end = kFirstPosition + (segment.size() - kSegmentHeaderSize);
  frames.push_back(end);
  std::vector<bool> touched(frames.size());
  for (std::size_t i = 0; i + 1 < frames.size() && !bytes.empty(); i += 2) {
    const std::size_t length = frames[i + 1] - frames[i];
    const std::size_t at = static_cast<unsigned char>(bytes.front()) % length;
    bytes.remove_prefix(1);
    segment[kSegmentHeaderSize + (frames[i] - kFirstPosition) + at] ^= 0x10;
    touched[i] = true;
  }
  const std::vector<Position> found = read_all(segment);
  std::size_t next = 0;
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    if (touched[i]) continue;
    require(next < found.size() && found[next] == frames[i]);
    ++next;
  }
  // Every byte of a frame is under one of its checksums, so none that was touched is found.
  require(next == found.size());
}

}  // namespace
}  // namespace cannula::store

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) cannula::store::any_segment(bytes);
  if (data[0] % 3 == 1) cannula::store::any_record(bytes);
  if (data[0] % 3 == 2) cannula::store::damaged_segment(bytes);
  return 0;
}
