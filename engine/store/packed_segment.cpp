#include "engine/store/packed_segment.h"

#include <algorithm>

#include <xxhash.h>

#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

constexpr std::string_view kMagic{"PACKED\n\0", 8};
constexpr std::string_view kSuffix = ".pack";
constexpr std::size_t kFooterSize = 40;
constexpr std::size_t kEntrySize = 16;
constexpr std::size_t kPositionSize = 8;
constexpr std::size_t kBuffer = 1u << 20;

struct Footer {
  Position as_of = 0;
  std::uint64_t count = 0;
  std::uint64_t table_checksum = 0;

  std::string bytes() const {
    std::string text(kFooterSize, '\0');
    kMagic.copy(text.data(), kMagic.size());
    put_u64(text.data() + 8, as_of);
    put_u64(text.data() + 16, count);
    put_u64(text.data() + 24, table_checksum);
    put_u64(text.data() + 32, XXH3_64bits(text.data(), 32));
    return text;
  }
  static std::optional<Footer> parse(std::string_view bytes) {
    if (bytes.size() != kFooterSize || !bytes.starts_with(kMagic) ||
        get_u64(bytes.data() + 32) != XXH3_64bits(bytes.data(), 32)) {
      return std::nullopt;
    }
    return Footer{get_u64(bytes.data() + 8), get_u64(bytes.data() + 16),
                  get_u64(bytes.data() + 24)};
  }
};

Result<std::string> bytes_at(const File& file, std::uint64_t offset, std::uint64_t size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  bytes.resize(TRY(file.read(offset, bytes.data(), bytes.size())));
  return bytes;
}

// What the records themselves say, up to the first that does not hold.
Result<std::vector<PackedTable::Entry>> walk(const File& file, std::uint64_t identity,
                                             std::uint64_t& end) {
  std::vector<PackedTable::Entry> entries;
  const std::uint64_t size = TRY(file.size());
  end = kSegmentHeaderSize;
  while (end + kPositionSize + kFrameHeaderSize <= size) {
    const std::string start = TRY(bytes_at(file, end, kPositionSize + kFrameHeaderSize));
    if (start.size() < kPositionSize + kFrameHeaderSize) break;
    const Position position = get_u64(start.data());
    const auto header = parse_frame(start.data() + kPositionSize, identity, position);
    if (!header || end + kPositionSize + header->size() > size) break;
    entries.push_back({position, end + kPositionSize});
    end += kPositionSize + header->size();
  }
  return entries;
}

}  // namespace

std::string packed_name(Position base) {
  std::string name = segment_name(base);
  name.resize(name.rfind('.'));
  return name.append(kSuffix);
}

std::optional<Position> base_of_packed_name(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  return base_of_segment_name(std::string(name) + ".seg");
}

Result<std::optional<PackedTable::Summary>> PackedTable::summary(const File& file) {
  const std::uint64_t size = TRY(file.size());
  if (size < kSegmentHeaderSize + kFooterSize) return std::optional<Summary>();
  const auto footer = Footer::parse(TRY(bytes_at(file, size - kFooterSize, kFooterSize)));
  if (!footer) return std::optional<Summary>();
  return std::optional<Summary>(Summary{footer->as_of, footer->count});
}

Result<PackedTable> PackedTable::load(const File& file, std::uint64_t identity, bool& damaged) {
  PackedTable table;
  damaged = false;
  const std::uint64_t size = TRY(file.size());
  if (size >= kSegmentHeaderSize + kFooterSize) {
    const auto footer = Footer::parse(TRY(bytes_at(file, size - kFooterSize, kFooterSize)));
    const std::uint64_t room = size - kFooterSize - kSegmentHeaderSize;
    if (footer && footer->count <= room / kEntrySize) {
      const std::uint64_t bytes = footer->count * kEntrySize;
      table.end_of_frames_ = size - kFooterSize - bytes;
      const std::string text = TRY(bytes_at(file, table.end_of_frames_, bytes));
      if (text.size() == bytes &&
          XXH3_64bits_withSeed(text.data(), text.size(), identity) == footer->table_checksum) {
        table.as_of_ = footer->as_of;
        table.entries_.reserve(static_cast<std::size_t>(footer->count));
        for (std::size_t at = 0; at < text.size(); at += kEntrySize) {
          table.entries_.push_back({get_u64(text.data() + at), get_u64(text.data() + at + 8)});
        }
        return table;
      }
    }
  }
  damaged = true;
  table.entries_ = TRY(walk(file, identity, table.end_of_frames_));
  return table;
}

std::vector<PackedTable::Entry>::const_iterator PackedTable::from(Position position) const {
  return std::lower_bound(
      entries_.begin(), entries_.end(), position,
      [](const Entry& entry, Position wanted) { return entry.position < wanted; });
}

const PackedTable::Entry* PackedTable::find(Position position) const {
  const auto found = from(position);
  return found != entries_.end() && found->position == position ? &*found : nullptr;
}

PackedReader::PackedReader(const File& file, const PackedTable& table, std::uint64_t identity,
                           Position from, Position limit)
    : file_(file), table_(table), identity_(identity), limit_(limit), at_(table.from(from)) {}

Result<std::string_view> PackedReader::view(std::uint64_t offset, std::size_t size) {
  if (offset < buffer_begin_ || offset + size > buffer_begin_ + buffer_.size()) {
    buffer_ = TRY(bytes_at(file_, offset, std::max(size, kBuffer)));
    buffer_begin_ = offset;
  }
  return std::string_view(buffer_).substr(static_cast<std::size_t>(offset - buffer_begin_), size);
}

Result<PackedReader::Step> PackedReader::next() {
  if (at_ == table_.entries().end() || at_->position >= limit_) return Step::end;
  const PackedTable::Entry entry = *at_++;
  const Position next = at_ == table_.entries().end() ? limit_ : std::min(limit_, at_->position);
  gap_ = Gap{.begin = entry.position, .end = next, .only_zeros = false};
  const std::string_view start = TRY(view(entry.offset, kFrameHeaderSize));
  if (start.size() < kFrameHeaderSize) return Step::gap;
  const auto header = parse_frame(start.data(), identity_, entry.position);
  if (!header || entry.offset + header->size() > table_.end_of_frames()) return Step::gap;
  const std::string_view whole = TRY(view(entry.offset, static_cast<std::size_t>(header->size())));
  const std::string_view payload = whole.substr(std::min(whole.size(), kFrameHeaderSize));
  if (whole.size() < header->size() ||
      !payload_holds(*header, payload, identity_, entry.position)) {
    return Step::gap;
  }
  frame_ = Frame{.position = entry.position, .header = *header, .payload = payload};
  return Step::frame;
}

Result<PackedWriter> PackedWriter::begin(FileSystem& files, const std::filesystem::path& path,
                                         const SegmentHeader& header) {
  static_cast<void>(files.remove(path).has_value());  // of a crash
  PackedWriter writer(TRY(files.open(path, FileSystem::Access::create)), header.identity);
  writer.buffer_ = header.bytes();
  return writer;
}

Result<void> PackedWriter::add(Position position, std::string_view frame) {
  char number[kPositionSize];
  put_u64(number, position);
  buffer_.append(number, sizeof number);
  table_.append(number, sizeof number);
  put_u64(number, size());
  table_.append(number, sizeof number);
  buffer_.append(frame);
  ++count_;
  if (buffer_.size() < kBuffer) return {};
  return flush();
}

Result<void> PackedWriter::flush() {
  TRY(file_->write(written_, buffer_));
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<void> PackedWriter::finish(Position as_of) {
  buffer_.append(table_);
  const Footer footer{as_of, count_, XXH3_64bits_withSeed(table_.data(), table_.size(), identity_)};
  buffer_.append(footer.bytes());
  TRY(flush());
  return file_->sync();
}

}  // namespace cannula::store
