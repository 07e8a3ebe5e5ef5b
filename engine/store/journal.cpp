#include "engine/store/journal.h"

#include <fmt/format.h>

#include "channels/transport/wall_clock.h"
#include "engine/store/frame_seal.h"
#include "engine/store/journal_findings.h"
#include "engine/store/zero_ahead.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesKeptOpen = 32;
constexpr std::chrono::seconds kLookedForEach{1};  // whether the last segment is in its place
constexpr std::size_t kFirstRead = 4096;           // most records come with one read

}  // namespace

Journal::Journal(Settings settings) : settings_(std::move(settings)) {}
Journal::~Journal() = default;

std::filesystem::path Journal::path_of(Position base) const {
  return settings_.directory / segment_name(base);
}

std::filesystem::path Journal::path_of(const Segment& segment) const {
  const Position base = segment.header.base;
  return segment.packed ? settings_.directory / packed_name(base) : path_of(base);
}

Position Journal::begin() const {
  const std::shared_lock guard(segments_lock_);
  return segments_.empty() ? kFirstPosition : segments_.front().header.base;
}

// Others read segments, and retention removes the first of them, while this one is written.
SegmentHeader Journal::last_header() const {
  const std::shared_lock guard(segments_lock_);
  return segments_.empty() ? SegmentHeader() : segments_.back().header;
}

Result<void> Journal::append(std::string_view batch, Position first, std::uint64_t last_id) {
  const SegmentHeader last = last_header();
  const Position base = last.base;
  const bool full =
      first != base && file_offset(base, first) + batch.size() > settings_.segment_size;
  // A segment is either plain or sealed with one ring: its header says so.
  const bool other_keys = last.keys != keys_id();
  const bool roll = roll_.load() && first != base;
  const bool begins = abandoned_ || full || other_keys || roll;
  if (begins || displaced_) TRY(look_whether_in_place(true));
  if (begins) TRY(begin_segment(first, end(), last_id));
  if (roll) roll_.store(false);
  auto written = write_batch(batch, first);
  if (written) written = look_whether_in_place(false);
  if (!written) {
    abandon_last();
    return std::move(written).error();
  }
  end_.store(first + batch.size(), std::memory_order_release);
  return {};
}

Result<void> Journal::write_batch(std::string_view batch, Position first) {
  const std::uint64_t offset = file_offset(last_header().base, first);
  if (zero_ahead_) zero_ahead_->claim(offset + batch.size());
  TRY(last_file_->write(offset, batch));
  return last_file_->sync();
}

// After the write, so that nothing is acknowledged that went into a file which is gone. To see that
// it has no name costs next to nothing; where the name leads is looked up once a second.
Result<void> Journal::look_whether_in_place(bool closely) {
  const auto now = std::chrono::steady_clock::now();
  bool in_place = last_file_->has_name();
  if (in_place && (closely || now >= next_look_)) {
    in_place = last_file_->is_at(path_of(last_header().base));
    next_look_ = now + kLookedForEach;
  }
  displaced_ = !in_place;
  if (in_place) return {};
  return Error{"J120",
               fmt::format("{}, which is being written, is no longer in its folder: it was removed "
                           "or moved while the store is open",
                           path_of(last_header().base).string()),
               "put the folder back as it was, and work resumes by itself; or see `cannula explain "
               "J120` before the engine is stopped"};
}

bool Journal::is_displaced() const {
  if (settings_.file_system != &FileSystem::real()) return false;
  fs::path last;
  {
    const std::shared_lock guard(segments_lock_);
    if (segments_.empty()) return false;
    last = path_of(segments_.back());
  }
  std::error_code failed;
  return !fs::exists(last, failed) && !failed;
}

void Journal::abandon_last() {
  if (zero_ahead_) zero_ahead_->release();
  abandoned_ = true;
  // So that a restart before the next segment exists does not find a batch that was reported as
  // failed. Should this fail too, such a batch can come back whole, never in part. Nothing of this
  // segment may be on record yet: then the end is in the one before.
  const Position base = last_header().base;
  if (last_file_->truncate(file_offset(base, std::max(base, end())))) {
    static_cast<void>(last_file_->sync().has_value());
  }
}

Result<void> Journal::begin_segment(Position base, Position previous_end, std::uint64_t last_id) {
  FileSystem& file_system = *settings_.file_system;
  const auto path = path_of(base);
  SegmentHeader header;
  header.identity = identity_;
  header.base = base;
  header.previous_base = last_header().base;
  header.previous_end = previous_end;
  header.last_id = last_id;
  header.created = now_microseconds();
  header.keys = keys_id();
  if (settings_.keys) header.seal = seal_of(header, *settings_.keys);

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
    static_cast<void>(
        last_file_->truncate(file_offset(header.previous_base, previous_end)).has_value());
  }
  {
    const std::unique_lock guard(segments_lock_);
    if (!segments_.empty()) segments_.back().limit = previous_end;
    const bool sealed = header.keys != 0 || (!segments_.empty() && segments_.back().sealed);
    segments_.push_back(Segment{.header = header, .sealed = sealed});
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

// Puts the file of a segment into `opened`, and what it has been read by.
Result<void> Journal::open_file(Opened& opened, bool packed) const {
  {
    const std::lock_guard guard(files_lock_);
    const auto known = std::find_if(files_.begin(), files_.end(),
                                    [&](const Opened& one) { return one.base == opened.base; });
    if (known != files_.end()) {
      std::rotate(files_.begin(), known, std::next(known));
      opened.file = files_.front().file;
      opened.table = files_.front().table;
      return {};
    }
  }
  const auto name = packed ? packed_name(opened.base) : segment_name(opened.base);
  opened.file =
      TRY(settings_.file_system->open(settings_.directory / name, FileSystem::Access::read));
  if (packed) {
    bool damaged = false;  // was said at opening
    opened.table = std::make_shared<const PackedTable>(
        TRY(PackedTable::load(*opened.file, identity_, damaged)));
  }
  const std::lock_guard guard(files_lock_);
  if (files_.size() >= kFilesKeptOpen) files_.pop_back();
  files_.insert(files_.begin(), opened);
  return {};
}

void Journal::forget_file(Position base) {
  const std::lock_guard guard(files_lock_);
  std::erase_if(files_, [&](const Opened& one) { return one.base == base; });
}

// The file is opened under the lock, so that prune() and replace() find it among those to be
// closed.
Result<std::optional<Journal::Opened>> Journal::segment_from(Position position) const {
  const std::shared_lock guard(segments_lock_);
  auto segment = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](Position wanted, const Segment& one) { return wanted < one.header.base; });
  if (segment != segments_.begin()) --segment;
  Opened opened;
  for (; segment != segments_.end(); ++segment) {
    opened.limit = std::next(segment) == segments_.end() ? end() : segment->limit;
    if (opened.limit > position) break;
  }
  if (segment == segments_.end()) return std::optional<Opened>();
  opened.base = segment->header.base;
  TRY(open_file(opened, segment->packed));
  return std::optional<Opened>(std::move(opened));
}

// False when the visitor has seen enough.
template <class Reader>
Result<bool> Journal::visit_frames(Reader& reader, const Opened& segment, Position start,
                                   Position stop, const Visitor& visit,
                                   std::vector<Diagnostic>* gaps) const {
  const auto path = settings_.directory /
                    (segment.table ? packed_name(segment.base) : segment_name(segment.base));
  Position reached = start;
  Intruders intruders;
  const auto told = [&](bool go_on) {
    if (gaps && intruders.count > 0) {
      add_once(*gaps, intruder_finding(path, intruders));
    }
    return go_on;
  };
  for (auto step = TRY(reader.next()); step != Reader::Step::end; step = TRY(reader.next())) {
    if (step == Reader::Step::gap) {
      reached = reader.gap().end;
      if (gaps) add_once(*gaps, gap_finding(path, segment.base, reader.gap()));
      continue;
    }
    reached = reader.frame().end();
    if (const char* what = intruder(reader.frame())) {
      intruders.add(reader.frame().position, what);
      continue;
    }
    if (!TRY(visit(reader.frame()))) return told(false);
  }
  if (gaps && !segment.table && reached < stop) {
    add_once(*gaps, gap_finding(path, segment.base, Gap{.begin = reached, .end = stop}));
  }
  return told(true);
}

Result<void> Journal::scan(Position from, Position to, const Visitor& visit,
                           std::vector<Diagnostic>* gaps) const {
  to = std::min(to, end());
  from = std::max(from, begin());
  while (from < to) {
    const auto segment = TRY(segment_from(from));
    if (!segment || segment->base >= to) return {};
    const Position start = std::max(from, segment->base);
    const Position stop = std::min(to, segment->limit);
    bool go_on = true;
    if (segment->table) {
      PackedReader reader(*segment->file, *segment->table, identity_, start, stop);
      go_on = TRY(visit_frames(reader, *segment, start, stop, visit, gaps));
    } else {
      SegmentReader reader(*segment->file, identity_, segment->base, start, stop);
      go_on = TRY(visit_frames(reader, *segment, start, stop, visit, gaps));
    }
    if (!go_on) return {};
    from = stop;
  }
  return {};
}

Result<Frame> Journal::read(Position position, std::string& buffer) const {
  if (position >= end()) {
    return Error{"J107",
                 fmt::format("position {} is not on disk; the journal ends at {}", position, end()),
                 "",
                 {}};
  }
  const auto found = TRY(segment_from(position));
  if (position < begin()) {
    return Error{"J107",
                 fmt::format("position {} is before the journal's begin", position),
                 "its segment was removed, by retention or by hand",
                 {}};
  }
  if (!found || found->base > position) {
    return Error{"J107", fmt::format("no record begins at position {}", position),
                 "run `cannula store check` to see what is damaged"};
  }
  const Opened& segment = *found;
  const PackedTable::Entry* entry = segment.table ? segment.table->find(position) : nullptr;
  if (segment.table && !entry) {
    return Error{"J107", fmt::format("no record begins at position {} any more", position),
                 "retention removed it"};
  }
  const std::uint64_t offset = entry ? entry->offset : file_offset(segment.base, position);
  const auto missing = [&](std::string_view code, std::string_view what) {
    return Error{
        std::string(code),
        fmt::format("{} at offset {} of {} (position {})", what, offset,
                    entry ? packed_name(segment.base) : segment_name(segment.base), position),
        "run `cannula store check` to see what is damaged",
        {}};
  };
  const std::uint64_t left =
      entry ? segment.table->end_of_frames() - offset : segment.limit - position;
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
  const Frame frame{.position = position, .header = *header, .payload = payload};
  if (const char* what = intruder(frame)) return not_ours(frame, what);
  return frame;
}

bool Journal::all_is_sealed_at(Position position) const {
  if (settings_.keys) {
    const Position from = settings_.keys->sealed_from().records;
    if (from != 0 && position >= from) return true;
  }
  const std::shared_lock guard(segments_lock_);
  const auto above = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](Position wanted, const Segment& segment) { return wanted < segment.header.base; });
  return above != segments_.begin() && std::prev(above)->sealed;
}

const char* Journal::intruder(const Frame& frame) const {
  const bool plain = frame.header.format == kPlainFormat;
  if (static_cast<RecordType>(frame.header.type) != RecordType::closed) {
    return plain && all_is_sealed_at(frame.position) ? "a plain record" : nullptr;
  }
  if (!all_is_sealed_at(frame.position)) return nullptr;
  constexpr const char* kNoMark = "a mark that is not the store's";
  const std::size_t size = frame.payload.size();
  if (!plain || (size != 0 && size != kMarkSealSize)) return kNoMark;
  if (!settings_.keys) return nullptr;
  const Position sealed_from = settings_.keys->sealed_from().marks;
  const bool may_be_empty = sealed_from == 0 || frame.position < sealed_from;
  if (size == 0) return may_be_empty ? nullptr : kNoMark;
  return mark_holds(frame.payload, identity_, frame.position, *settings_.keys) ? nullptr : kNoMark;
}

Error Journal::not_ours(const Frame& frame, const char* what) const {
  return Error{
      "J119",
      fmt::format("{}: {} stands where everything is sealed", place_of(frame.position), what),
      std::string(kIntruderHint)};
}

Result<Record> Journal::record_of(const Frame& frame) const {
  if (const char* what = intruder(frame)) return not_ours(frame, what);
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

Pruned Journal::pruned() const {
  const std::shared_lock guard(segments_lock_);
  return pruned_;
}

Result<bool> Journal::prune(const Pruned& next) {
  const std::lock_guard pins_guard(pins_lock_);
  if (pins_.use_count() > 1) return false;
  TRY(next.save(*settings_.file_system, settings_.directory));
  std::vector<fs::path> gone;
  {
    const std::unique_lock guard(segments_lock_);
    while (segments_.size() > 1 && segments_.front().header.base < next.begin) {
      gone.push_back(path_of(segments_.front()));
      forget_file(segments_.front().header.base);  // an open file gives no room back
      segments_.erase(segments_.begin());
    }
    pruned_ = next;
  }
  if (!gone.empty()) remove_files(gone);
  return true;
}

// What cannot be removed now is when the journal is opened: it does not count any more.
void Journal::remove_files(const std::vector<fs::path>& paths) const {
  for (const fs::path& path : paths) {
    static_cast<void>(settings_.file_system->remove(path).has_value());
  }
  static_cast<void>(settings_.file_system->sync_directory(settings_.directory).has_value());
}

fs::path Journal::replacement_of(Position base) const {
  return settings_.directory / (packed_name(base) + std::string(kUnfinished));
}

bool Journal::is_packed(Position position) const {
  const std::shared_lock guard(segments_lock_);
  const auto above = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](Position wanted, const Segment& segment) { return wanted < segment.header.base; });
  return above == segments_.begin() || std::prev(above)->packed;
}

Result<bool> Journal::note(const Pruned& next) {
  const std::lock_guard pins_guard(pins_lock_);
  if (pins_.use_count() > 1) return false;
  TRY(next.save(*settings_.file_system, settings_.directory));
  const std::unique_lock guard(segments_lock_);
  pruned_ = next;
  return true;
}

Result<bool> Journal::replace(Position base, Position as_of, std::uint64_t records) {
  FileSystem& files = *settings_.file_system;
  const std::lock_guard pins_guard(pins_lock_);
  if (pins_.use_count() > 1) return false;
  const fs::path packed = settings_.directory / packed_name(base);
  TRY(files.rename(replacement_of(base), packed));
  TRY(files.sync_directory(settings_.directory));
  const std::uint64_t size = TRY(TRY(files.open(packed, FileSystem::Access::read))->size());
  bool was_packed = false;
  {
    const std::unique_lock guard(segments_lock_);
    const auto segment = std::find_if(segments_.begin(), segments_.end(),
                                      [&](const Segment& one) { return one.header.base == base; });
    was_packed = std::exchange(segment->packed, true);
    segment->as_of = as_of;
    segment->records = records;
    segment->size = size;
    forget_file(base);
  }
  if (!was_packed) remove_files({path_of(base)});
  return true;
}

std::string Journal::place_of(Position position) const {
  const std::shared_lock guard(segments_lock_);
  const auto above = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](Position wanted, const Segment& segment) { return wanted < segment.header.base; });
  if (above == segments_.begin()) return fmt::format("position {}", position);
  const Segment& segment = *std::prev(above);
  if (segment.packed) {
    return fmt::format("{} (position {})", packed_name(segment.header.base), position);
  }
  const Position base = segment.header.base;
  return fmt::format("{}, offset {} (position {})", segment_name(base), file_offset(base, position),
                     position);
}

std::vector<Journal::SegmentFile> Journal::segments() const {
  const std::shared_lock guard(segments_lock_);
  std::vector<SegmentFile> files;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    const Position limit =
        i + 1 == segments_.size() ? std::max(segment.header.base, end()) : segment.limit;
    files.push_back({segment.header, limit, path_of(segment), segment.packed, segment.as_of,
                     segment.records,
                     segment.packed ? segment.size : file_offset(segment.header.base, limit)});
  }
  return files;
}

}  // namespace cannula::store
