#include "engine/store/segment_reader.h"

namespace cannula::store {
namespace {

constexpr std::size_t kBuffer = 1u << 20;

}  // namespace

SegmentReader::SegmentReader(const File& file, std::uint64_t identity, Position base, Position from,
                             Position limit)
    : file_(file),
      identity_(identity),
      base_(base),
      at_(from),
      limit_(limit),
      buffer_begin_(from) {}

Result<std::string_view> SegmentReader::view(Position position, std::size_t size) {
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, limit_ - position));
  if (position < buffer_begin_ || position + size > buffer_begin_ + buffer_.size()) {
    // What is kept of the old buffer is less than a frame header or is to be read again as part of
    // a longer payload; reading it twice is at most twice the bytes.
    const std::size_t wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max(size, kBuffer), limit_ - position));
    buffer_.resize(wanted);
    const std::size_t count =
        TRY(file_.read(kSegmentHeaderSize + (position - base_), buffer_.data(), wanted));
    buffer_.resize(count);
    buffer_begin_ = position;
    if (count < wanted) limit_ = position + count;  // the file ends here
  }
  const std::size_t offset = static_cast<std::size_t>(position - buffer_begin_);
  return std::string_view(buffer_).substr(offset, size);
}

Result<std::string_view> SegmentReader::rest_of_buffer(Position position) {
  static_cast<void>(TRY(view(position, kFrameHeaderSize)));
  return std::string_view(buffer_).substr(static_cast<std::size_t>(position - buffer_begin_));
}

Result<bool> SegmentReader::frame_at(Position position) {
  claimed_end_ = 0;
  const std::string_view start = TRY(view(position, kFrameHeaderSize));
  if (start.size() < kFrameHeaderSize) return false;
  const auto header = parse_frame(start.data(), identity_, position);
  if (!header || header->size() > limit_ - position) return false;
  const std::string_view whole = TRY(view(position, static_cast<std::size_t>(header->size())));
  if (whole.size() < header->size()) return false;
  const std::string_view payload = whole.substr(kFrameHeaderSize);
  if (!payload_holds(*header, payload, identity_, position)) {
    claimed_end_ = position + header->size();
    return false;
  }
  frame_ = Frame{.position = position, .header = *header, .payload = payload};
  return true;
}

Result<SegmentReader::Step> SegmentReader::next() {
  if (found_behind_gap_) {
    found_behind_gap_ = false;
    at_ = frame_.end();
    return Step::frame;
  }
  if (at_ >= limit_) return Step::end;
  if (TRY(frame_at(at_))) {
    at_ = frame_.end();
    return Step::frame;
  }
  if (at_ >= limit_) return Step::end;  // the file turned out to end here
  return search(at_);
}

Result<SegmentReader::Step> SegmentReader::search(Position begin) {
  bool only_zeros = claimed_end_ == 0;
  Position position = claimed_end_ != 0 ? claimed_end_ : begin;
  while (position < limit_) {
    const std::string_view window = TRY(rest_of_buffer(position));
    if (window.empty()) break;
    const std::size_t found = window.find(kSyncWord);
    const std::size_t skipped = std::min(found, window.size());
    only_zeros = only_zeros && window.substr(0, skipped).find_first_not_of('\0') == window.npos;
    if (found == window.npos) {
      // The sync word may begin in the last bytes of this window.
      const std::size_t overlap = kSyncWord.size() - 1;
      if (position + window.size() >= limit_) break;
      position += window.size() - overlap;
      continue;
    }
    position += found;
    if (TRY(frame_at(position))) {
      gap_ = Gap{.begin = begin, .end = position, .only_zeros = only_zeros};
      found_behind_gap_ = true;
      return Step::gap;
    }
    only_zeros = false;
    position = claimed_end_ != 0 ? claimed_end_ : position + 1;
  }
  gap_ = Gap{.begin = begin, .end = limit_, .only_zeros = only_zeros};
  at_ = limit_;
  return Step::gap;
}

Diagnostic finding_of(const Error& error) {
  Diagnostic finding;
  finding.code = error.code;
  finding.message = error.message;
  finding.hint = error.hint;
  return finding;
}

}  // namespace cannula::store
