#include "engine/store/journal.h"

#include <random>

#include <fmt/format.h>

#include "engine/store/frame_seal.h"
#include "engine/store/zero_ahead.h"

namespace cannula::store {
namespace {

constexpr std::size_t kFilesKeptOpen = 32;
constexpr std::size_t kFirstRead = 4096;  // most records come with one read

Timestamp now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::uint64_t new_identity() {
  std::random_device device;
  std::uint64_t identity = 0;
  while (identity == 0) identity = (static_cast<std::uint64_t>(device()) << 32) | device();
  return identity;
}

std::uint64_t file_offset(Position base, Position position) {
  return kSegmentHeaderSize + (position - base);
}

Diagnostic damage(std::string code, const std::filesystem::path& path, std::string message,
                  std::string hint) {
  Diagnostic finding;
  finding.code = std::move(code);
  finding.message = fmt::format("{}: {}", path.filename().string(), message);
  finding.hint = std::move(hint);
  finding.path = path.string();
  return finding;
}

constexpr std::string_view kDamageHint =
    "what stood there is lost unless a backup has this file; everything behind it was read";

void add_once(std::vector<Diagnostic>& findings, Diagnostic finding) {
  for (const Diagnostic& known : findings) {
    if (known.message == finding.message) return;
  }
  findings.push_back(std::move(finding));
}

Diagnostic gap_finding(const std::filesystem::path& path, Position base, const Gap& gap) {
  return damage("J201", path,
                fmt::format("{} bytes at offset {} are no records (positions {} to {}){}",
                            gap.end - gap.begin, file_offset(base, gap.begin), gap.begin, gap.end,
                            gap.only_zeros ? ", all of them zero" : ""),
                std::string(kDamageHint));
}

// What one pass over the last segment tells: where it ends, and whether a gap is a torn tail or
// damage.
//
// Everything but the last batch was on disk before the last batch was written. So a gap is a torn
// tail, which nobody was told is stored, when no batch began behind it; otherwise it is damage,
// which stays where it is.
class LastSegmentSurvey {
 public:
  explicit LastSegmentSurvey(Position base) : boundary_(base) {}

  void add(const Frame& frame) {
    last_batch_ = frame.batch();
    last_frame_end_ = frame.end();
    if (!frame.header.continues()) boundary_ = frame.end();
    if (frame.header.type == static_cast<std::uint8_t>(RecordType::accepted)) {
      last_id_ = std::max(last_id_, message_id_of(frame.payload).value);
    }
  }
  void add(const Gap& gap) {
    gaps_.push_back({gap, boundary_});
    boundary_ = gap.end;  // if this is damage, what was begun before it stays
  }

  // Where the journal goes on: behind the last whole submission before a torn tail.
  Position end() const {
    for (const auto& [gap, boundary] : gaps_) {
      if (torn(gap)) return boundary;
    }
    return boundary_;
  }
  std::vector<Gap> damage() const {
    std::vector<Gap> found;
    for (const auto& [gap, boundary] : gaps_) {
      if (torn(gap)) break;
      found.push_back(gap);
    }
    return found;
  }
  std::uint64_t last_id() const { return last_id_; }

 private:
  bool torn(const Gap& gap) const {
    return gap.begin >= last_frame_end_ || last_batch_ <= gap.begin;
  }

  Position boundary_;  // end of the last whole submission
  Position last_batch_ = 0;
  Position last_frame_end_ = 0;
  std::uint64_t last_id_ = 0;
  std::vector<std::pair<Gap, Position>> gaps_;
};

// The end of the bytes of `file` that are not zero, not before `from`.
Result<std::uint64_t> end_of_content(const File& file, std::uint64_t from) {
  std::uint64_t end = TRY(file.size());
  std::string buffer(1u << 16, '\0');
  while (end > from) {
    const std::size_t size =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - from));
    const std::size_t count = TRY(file.read(end - size, buffer.data(), size));
    const std::size_t last = std::string_view(buffer.data(), count).find_last_not_of('\0');
    if (last != std::string_view::npos) return end - size + last + 1;
    end -= size;
  }
  return from;
}

}  // namespace

Journal::Journal(Settings settings) : settings_(std::move(settings)) {}
Journal::~Journal() = default;

Result<void> Journal::none_is_sealed(FileSystem& file_system,
                                     const std::filesystem::path& directory) {
  TRY(file_system.make_directories(directory));
  for (const std::string& name : TRY(file_system.list(directory))) {
    if (!base_of_segment_name(name)) continue;
    const auto file = TRY(file_system.open(directory / name, FileSystem::Access::read));
    std::string bytes(kSegmentHeaderSize, '\0');
    bytes.resize(TRY(file->read(0, bytes.data(), bytes.size())));
    const auto header = SegmentHeader::parse(bytes);
    if (!header || header->keys == 0) continue;
    return Error{"K105",
                 fmt::format("segment {} is sealed with the keys {}, and the file `keys` of the "
                             "store is not there",
                             (directory / name).string(), security::ring_text(header->keys)),
                 "put it back from a backup of this store; nothing was changed"};
  }
  return {};
}

Result<std::unique_ptr<Journal>> Journal::open(Settings settings, Recovery& recovery) {
  std::unique_ptr<Journal> journal(new Journal(std::move(settings)));
  if (!journal->settings_.read_only) {
    TRY(journal->settings_.file_system->make_directories(journal->settings_.directory));
    if (journal->settings_.zero_ahead > 0) {
      journal->zero_ahead_ = std::make_unique<ZeroAhead>(journal->settings_.zero_ahead);
    }
  }
  TRY(journal->open_segments(recovery));
  return journal;
}

std::filesystem::path Journal::path_of(Position base) const {
  return settings_.directory / segment_name(base);
}

Position Journal::begin() const {
  const std::shared_lock guard(segments_lock_);
  return segments_.empty() ? kFirstPosition : segments_.front().header.base;
}

Result<void> Journal::open_segments(Recovery& recovery) {
  TRY(load_headers(recovery));
  TRY(compare_keys());
  if (segments_.empty()) {
    if (settings_.read_only) return {};
    identity_ = new_identity();
    end_.store(kFirstPosition);
    return begin_segment(kFirstPosition, 0, 0);
  }
  TRY(compare_neighbours(recovery));
  return recover_last(recovery);
}

Result<void> Journal::load_headers(Recovery& recovery) {
  std::vector<Position> bases;
  for (const std::string& name : TRY(settings_.file_system->list(settings_.directory))) {
    if (const auto base = base_of_segment_name(name)) bases.push_back(*base);
  }
  std::sort(bases.begin(), bases.end());
  while (settings_.up_to > 0 && bases.size() > 1 && bases.back() >= settings_.up_to) {
    bases.pop_back();
  }

  std::vector<Segment> found;
  std::vector<std::size_t> without_header;
  for (const Position base : bases) {
    const auto file = TRY(settings_.file_system->open(path_of(base), FileSystem::Access::read));
    std::string bytes(kSegmentHeaderSize, '\0');
    bytes.resize(TRY(file->read(0, bytes.data(), bytes.size())));
    auto header = SegmentHeader::parse(bytes);
    if (header && header->base != base) header.reset();
    if (!header) without_header.push_back(found.size());
    if (header && identity_ != 0 && header->identity != identity_) {
      return Error{"J110",
                   fmt::format("segment {} belongs to store {}, the ones before it to {}",
                               path_of(base).string(), identity_text(header->identity),
                               identity_text(identity_)),
                   "move the segments of the other store out of this folder",
                   {}};
    }
    if (header) identity_ = header->identity;
    found.push_back(Segment{.header = header.value_or(SegmentHeader{.base = base})});
  }

  for (auto index = without_header.rbegin(); index != without_header.rend(); ++index) {
    const auto path = path_of(found[*index].header.base);
    const auto file = TRY(settings_.file_system->open(path, FileSystem::Access::read));
    const std::uint64_t content = TRY(end_of_content(*file, 0));
    if (*index + 1 == found.size() && content <= kSegmentHeaderSize) {
      // A segment gets frames only when its header is on disk: this one was being made when the
      // power went.
      recovery.torn_bytes_cut += content;
      if (!settings_.read_only) TRY(settings_.file_system->remove(path));
      found.pop_back();
      continue;
    }
    if (identity_ == 0) {
      return Error{"J110",
                   fmt::format("{} has no readable header, and no other segment tells which store "
                               "it belongs to",
                               path.string()),
                   "restore the file from a backup"};
    }
  }
  for (const std::size_t index : without_header) {
    if (index >= found.size()) break;
    SegmentHeader& header = found[index].header;
    header.identity = identity_;
    header.previous_base = index > 0 ? found[index - 1].header.base : 0;
    header.previous_end = index > 0 ? header.base : 0;
    found[index].header_damaged = true;
  }
  segments_ = std::move(found);
  return {};
}

Result<void> Journal::compare_keys() const {
  for (const Segment& segment : segments_) {
    const std::uint64_t sealed_with = segment.header.keys;
    if (sealed_with == 0 || (settings_.read_only && settings_.keys == nullptr)) continue;
    if (settings_.keys != nullptr && settings_.keys->id() == sealed_with) continue;
    const std::string wanted =
        fmt::format("segment {} is sealed with the keys {}", path_of(segment.header.base).string(),
                    security::ring_text(sealed_with));
    return Error{"J112",
                 settings_.keys == nullptr
                     ? wanted + ", and none were given"
                     : fmt::format("{}; the file `keys` beside it holds {}", wanted,
                                   security::ring_text(settings_.keys->id())),
                 "put the file `keys` of this store back from a backup"};
  }
  return {};
}

Result<void> Journal::compare_neighbours(Recovery& recovery) {
  std::vector<Segment> kept;
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    const auto path = path_of(segment->header.base);
    if (!kept.empty()) {
      const SegmentHeader& next = kept.back().header;
      if (segment->header.base > next.previous_base) {
        // Begun, but the segment that counts was begun in its place: its making failed half way.
        if (!settings_.read_only) TRY(settings_.file_system->remove(path));
        continue;
      }
      const auto file = TRY(settings_.file_system->open(path, FileSystem::Access::read));
      const std::uint64_t size = TRY(file->size());
      const Position has =
          segment->header.base + size - std::min<std::uint64_t>(size, kSegmentHeaderSize);
      if (segment->header.base < next.previous_base) {
        segment->limit = has;
        add_once(recovery.damage,
                 damage("J203", path_of(next.previous_base),
                        fmt::format(
                            "the segment is missing, and with it what stood from position {} to {}",
                            next.previous_base, next.previous_end),
                        "restore the file from a backup, with the store closed"));
      } else {
        segment->limit = next.previous_end;
        if (has < next.previous_end) {
          add_once(
              recovery.damage,
              damage("J201", path,
                     fmt::format("the file ends {} bytes early, at offset {} (positions {} to {})",
                                 next.previous_end - has, size, has, next.previous_end),
                     std::string(kDamageHint)));
        }
      }
    }
    if (segment->header_damaged) {
      add_once(
          recovery.damage,
          damage("J202", path,
                 "the header is damaged; the records were read by the position in the file's name",
                 "restore the file from a backup if there is one"));
    }
    kept.push_back(*segment);
  }
  std::reverse(kept.begin(), kept.end());
  segments_ = std::move(kept);
  return {};
}

Result<void> Journal::recover_last(Recovery& recovery) {
  const SegmentHeader header = segments_.back().header;
  const auto path = path_of(header.base);
  last_file_ = TRY(settings_.file_system->open(
      path, settings_.read_only ? FileSystem::Access::read : FileSystem::Access::write));
  if (settings_.up_to > 0) {
    // Its owner vouches for all of it: what is no record is damage, which scan() reports.
    end_.store(std::max(settings_.up_to, header.base));
    return {};
  }
  const std::uint64_t size = TRY(last_file_->size());

  LastSegmentSurvey survey(header.base);
  SegmentReader reader(
      *last_file_, identity_, header.base, header.base,
      header.base + std::max<std::uint64_t>(size, kSegmentHeaderSize) - kSegmentHeaderSize);
  for (auto step = TRY(reader.next()); step != SegmentReader::Step::end;
       step = TRY(reader.next())) {
    step == SegmentReader::Step::frame ? survey.add(reader.frame()) : survey.add(reader.gap());
  }
  for (const Gap& gap : survey.damage()) {
    add_once(recovery.damage, gap_finding(path, header.base, gap));
  }
  const Position end = survey.end();
  const std::uint64_t end_offset = file_offset(header.base, end);
  recovery.torn_bytes_cut += TRY(end_of_content(*last_file_, end_offset)) - end_offset;
  last_id_ = std::max(header.last_id, survey.last_id());
  end_.store(end);
  if (settings_.read_only) return {};

  if (size != end_offset) {
    TRY(last_file_->truncate(end_offset));
    TRY(last_file_->sync());
  }
  if (zero_ahead_) {
    zero_ahead_->follow(TRY(settings_.file_system->open(path, FileSystem::Access::write)),
                        end_offset, settings_.segment_size);
  }
  return {};
}

Result<void> Journal::append(std::string_view batch, Position first, std::uint64_t last_id) {
  const Position base = segments_.back().header.base;
  const bool full =
      first != base && file_offset(base, first) + batch.size() > settings_.segment_size;
  // A segment is either plain or sealed with one ring: its header says so.
  const bool other_keys = segments_.back().header.keys != keys_id();
  if (abandoned_ || full || other_keys) TRY(begin_segment(first, end(), last_id));
  if (auto written = write_batch(batch, first); !written) {
    abandon_last();
    return std::move(written).error();
  }
  end_.store(first + batch.size(), std::memory_order_release);
  return {};
}

Result<void> Journal::write_batch(std::string_view batch, Position first) {
  const std::uint64_t offset = file_offset(segments_.back().header.base, first);
  if (zero_ahead_) zero_ahead_->claim(offset + batch.size());
  TRY(last_file_->write(offset, batch));
  return last_file_->sync();
}

void Journal::abandon_last() {
  if (zero_ahead_) zero_ahead_->release();
  abandoned_ = true;
  // So that a restart before the next segment exists does not find a batch that was reported as
  // failed. Should this fail too, such a batch can come back whole, never in part.
  if (last_file_->truncate(file_offset(segments_.back().header.base, end()))) {
    static_cast<void>(last_file_->sync().has_value());
  }
}

Result<void> Journal::begin_segment(Position base, Position previous_end, std::uint64_t last_id) {
  FileSystem& file_system = *settings_.file_system;
  const auto path = path_of(base);
  SegmentHeader header;
  header.identity = identity_;
  header.base = base;
  header.previous_base = segments_.empty() ? 0 : segments_.back().header.base;
  header.previous_end = previous_end;
  header.last_id = last_id;
  header.created = now();
  header.keys = keys_id();

  const auto create = [&]() -> Result<std::shared_ptr<File>> {
    std::shared_ptr<File> file = TRY(file_system.open(path, FileSystem::Access::create));
    TRY(file->write(0, header.bytes()));
    TRY(file->sync());
    TRY(file_system.sync_directory(settings_.directory));
    return file;
  };
  auto created = create();
  if (!created) {
    static_cast<void>(file_system.remove(path).has_value());
    return std::move(created).error();
  }
  if (zero_ahead_) zero_ahead_->release();
  if (last_file_ && !abandoned_) {
    // Gives the zeros back. The new header says where this segment ends, so nothing depends on it.
    const Position old_base = segments_.back().header.base;
    static_cast<void>(last_file_->truncate(file_offset(old_base, previous_end)).has_value());
  }
  {
    const std::unique_lock guard(segments_lock_);
    if (!segments_.empty()) segments_.back().limit = previous_end;
    segments_.push_back(Segment{.header = header});
  }
  last_file_ = std::move(*created);
  abandoned_ = false;
  if (zero_ahead_) {
    if (auto handle = file_system.open(path, FileSystem::Access::write)) {
      zero_ahead_->follow(std::move(*handle), kSegmentHeaderSize, settings_.segment_size);
    }
  }
  return {};
}

Result<std::size_t> Journal::segment_of(Position position) const {
  const std::shared_lock guard(segments_lock_);
  const auto above = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](Position wanted, const Segment& segment) { return wanted < segment.header.base; });
  if (above == segments_.begin()) {
    return Error{"J107",
                 fmt::format("position {} is before the journal's begin", position),
                 "its segment was removed, by retention or by hand",
                 {}};
  }
  return static_cast<std::size_t>(above - segments_.begin()) - 1;
}

Result<Journal::Opened> Journal::opened(std::size_t index) const {
  Opened opened;
  {
    const std::shared_lock guard(segments_lock_);
    opened.base = segments_[index].header.base;
    opened.last = index + 1 == segments_.size();
    opened.limit = opened.last ? end() : segments_[index].limit;
  }
  const std::lock_guard guard(files_lock_);
  auto known = std::find_if(files_.begin(), files_.end(),
                            [&](const auto& entry) { return entry.first == opened.base; });
  if (known == files_.end()) {
    std::shared_ptr<const File> file =
        TRY(settings_.file_system->open(path_of(opened.base), FileSystem::Access::read));
    if (files_.size() >= kFilesKeptOpen) files_.pop_back();
    files_.emplace_back(opened.base, std::move(file));
    known = std::prev(files_.end());
  }
  std::rotate(files_.begin(), known, std::next(known));
  opened.file = files_.front().second;
  return opened;
}

Result<void> Journal::scan(Position from, Position to, const Visitor& visit,
                           std::vector<Diagnostic>* gaps) const {
  to = std::min(to, end());
  from = std::max(from, begin());
  if (from >= to) return {};
  for (std::size_t index = TRY(segment_of(from));; ++index) {
    {
      const std::shared_lock guard(segments_lock_);
      if (index >= segments_.size()) return {};
    }
    const Opened segment = TRY(opened(index));
    if (segment.base >= to) return {};
    const Position start = std::max(from, segment.base);
    const Position stop = std::min(to, segment.limit);
    if (start >= stop) continue;
    const auto path = path_of(segment.base);
    SegmentReader reader(*segment.file, identity_, segment.base, start, stop);
    Position reached = start;
    for (auto step = TRY(reader.next()); step != SegmentReader::Step::end;
         step = TRY(reader.next())) {
      if (step == SegmentReader::Step::gap) {
        reached = reader.gap().end;
        if (gaps) add_once(*gaps, gap_finding(path, segment.base, reader.gap()));
        continue;
      }
      reached = reader.frame().end();
      if (!TRY(visit(reader.frame()))) return {};
    }
    if (gaps && reached < stop) {
      add_once(*gaps, gap_finding(path, segment.base, Gap{.begin = reached, .end = stop}));
    }
  }
}

Result<Frame> Journal::read(Position position, std::string& buffer) const {
  if (position >= end()) {
    return Error{"J107",
                 fmt::format("position {} is not on disk; the journal ends at {}", position, end()),
                 "",
                 {}};
  }
  const Opened segment = TRY(opened(TRY(segment_of(position))));
  const std::uint64_t offset = file_offset(segment.base, position);
  const auto missing = [&](std::string_view code, std::string_view what) {
    return Error{std::string(code),
                 fmt::format("{} at offset {} of {} (position {})", what, offset,
                             path_of(segment.base).string(), position),
                 "run `cannula store check` to see what is damaged",
                 {}};
  };
  if (position >= segment.limit) return missing("J107", "no record begins");
  const std::uint64_t left = segment.limit - position;
  buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kFirstRead, left)));
  buffer.resize(TRY(segment.file->read(offset, buffer.data(), buffer.size())));
  const auto header = buffer.size() < kFrameHeaderSize
                          ? std::nullopt
                          : parse_frame(buffer.data(), identity_, position);
  if (!header) return missing("J107", "no record begins");
  if (header->size() > left) return missing("J108", "a record is cut off");
  const std::size_t size = static_cast<std::size_t>(header->size());
  if (buffer.size() < size) {
    const std::size_t have = buffer.size();
    buffer.resize(size);
    const std::size_t more =
        TRY(segment.file->read(offset + have, buffer.data() + have, size - have));
    if (have + more < size) return missing("J108", "a record is cut off");
  }
  const std::string_view payload =
      std::string_view(buffer).substr(kFrameHeaderSize, header->length);
  if (!payload_holds(*header, payload, identity_, position)) {
    return missing("J108", "a record does not match its checksum");
  }
  return Frame{.position = position, .header = *header, .payload = payload};
}

Result<Record> Journal::record_of(const Frame& frame) const {
  thread_local std::string buffer;
  const std::string_view payload = TRY(
      open_payload(frame.header, frame.payload, identity_, frame.position, settings_.keys, buffer));
  return decode(static_cast<RecordType>(frame.header.type), payload);
}

Result<std::uint64_t> Journal::free_space() const {
  return settings_.file_system->free_space(settings_.directory);
}

std::shared_ptr<const void> Journal::pin() const {
  const std::lock_guard guard(pins_lock_);
  return pins_;
}

bool Journal::unless_pinned(const std::function<void()>& remove) const {
  const std::lock_guard guard(pins_lock_);
  if (pins_.use_count() > 1) return false;
  remove();
  return true;
}

std::string Journal::place_of(Position position) const {
  const auto index = segment_of(position);
  if (!index) return fmt::format("position {}", position);
  const std::shared_lock guard(segments_lock_);
  const Position base = segments_[*index].header.base;
  return fmt::format("{}, offset {} (position {})", segment_name(base), file_offset(base, position),
                     position);
}

std::vector<Journal::SegmentFile> Journal::segments() const {
  const std::shared_lock guard(segments_lock_);
  std::vector<SegmentFile> files;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    const bool last = i + 1 == segments_.size();
    files.push_back({segment.header, last ? end() : segment.limit, path_of(segment.header.base)});
  }
  return files;
}

}  // namespace cannula::store
