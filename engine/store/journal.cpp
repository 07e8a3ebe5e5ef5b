#include "engine/store/journal.h"

#include <random>
#include <set>

#include <fmt/format.h>

#include "engine/store/frame_seal.h"
#include "engine/store/zero_ahead.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".new";  // of a packed segment, or of `pruned`
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

Error newer(const std::filesystem::path& path, std::string what) {
  return Error{"J118", fmt::format("{} was written by a newer Cannula: {}", path.string(), what),
               "run the version that wrote it, or put back a backup from before it ran; nothing "
               "was changed"};
}

// Nothing when the header is damaged; J118 when it is of a version that is not known.
Result<std::optional<SegmentHeader>> header_of(FileSystem& files,
                                               const std::filesystem::path& path) {
  const auto file = TRY(files.open(path, FileSystem::Access::read));
  std::string bytes(kSegmentHeaderSize, '\0');
  bytes.resize(TRY(file->read(0, bytes.data(), bytes.size())));
  if (const auto version = unknown_version(bytes)) {
    return newer(path, fmt::format("its format is version {}, and this one reads version {}",
                                   *version, kSegmentVersion));
  }
  return SegmentHeader::parse(bytes);
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
    if (!unknown_ && !is_known(frame.header)) unknown_ = frame.position;
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
  // Where the first frame stands that only a newer Cannula can have written.
  std::optional<Position> unknown() const { return unknown_; }

 private:
  bool torn(const Gap& gap) const {
    return gap.begin >= last_frame_end_ || last_batch_ <= gap.begin;
  }

  Position boundary_;  // end of the last whole submission
  Position last_batch_ = 0;
  Position last_frame_end_ = 0;
  std::uint64_t last_id_ = 0;
  std::optional<Position> unknown_;
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
    if (!base_of_segment_name(name) && !base_of_packed_name(name)) continue;
    const auto header = TRY(header_of(file_system, directory / name));
    if (!header || header->keys == 0) continue;
    return Error{"K105",
                 fmt::format("segment {} is sealed with the keys {}, and the file `keys` of the "
                             "store is not there",
                             (directory / name).string(), security::ring_text(header->keys)),
                 "put it back from a backup of this store; nothing was changed"};
  }
  return {};
}

Result<std::unique_ptr<Journal>> Journal::open_to_read(const std::filesystem::path& directory,
                                                       FileSystem& file_system, Position up_to,
                                                       Recovery& recovery) {
  Settings settings;
  settings.directory = directory;
  settings.file_system = &file_system;
  settings.read_only = true;
  settings.up_to = up_to;
  return open(std::move(settings), recovery);
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

std::filesystem::path Journal::path_of(const Segment& segment) const {
  const Position base = segment.header.base;
  return segment.packed ? settings_.directory / packed_name(base) : path_of(base);
}

Position Journal::begin() const {
  const std::shared_lock guard(segments_lock_);
  return segments_.empty() ? kFirstPosition : segments_.front().header.base;
}

Result<void> Journal::open_segments(Recovery& recovery) {
  pruned_ = TRY(Pruned::load(*settings_.file_system, settings_.directory));
  const std::vector<fs::path> leftover = TRY(load_headers(recovery));
  TRY(compare_keys());
  if (segments_.empty()) {
    if (settings_.read_only) return {};
    identity_ = new_identity();
    end_.store(kFirstPosition);
    return begin_segment(kFirstPosition, 0, 0);
  }
  if (pruned_.begin != 0 && pruned_.identity != identity_) {
    return Error{"J110",
                 fmt::format("the file `pruned` in {} belongs to store {}, the segments to {}",
                             settings_.directory.string(), identity_text(pruned_.identity),
                             identity_text(identity_)),
                 "put back the file of this store from a backup"};
  }
  if (!settings_.read_only && !leftover.empty()) remove_files(leftover);
  TRY(compare_neighbours(recovery));
  return recover_last(recovery);
}

// Answers with the files that do not count any more: of segments that retention took, that were
// packed, or were being packed.
Result<std::vector<fs::path>> Journal::load_headers(Recovery& recovery) {
  std::vector<Position> bases;
  std::set<Position> packed;
  std::vector<fs::path> leftover;
  for (const std::string& name : TRY(settings_.file_system->list(settings_.directory))) {
    auto base = base_of_packed_name(name);
    if (base && *base >= pruned_.begin) packed.insert(*base);
    if (!base) base = base_of_segment_name(name);
    if (base && *base >= pruned_.begin) {
      bases.push_back(*base);
    } else if (base || name.ends_with(kUnfinished)) {
      leftover.push_back(settings_.directory / name);
    }
  }
  std::sort(bases.begin(), bases.end());
  for (const Position base : packed) {
    const auto [first, last] = std::equal_range(bases.begin(), bases.end(), base);
    if (last - first > 1) leftover.push_back(path_of(base));  // as it was before it was packed
  }
  bases.erase(std::unique(bases.begin(), bases.end()), bases.end());
  while (settings_.up_to > 0 && bases.size() > 1 && bases.back() >= settings_.up_to) {
    bases.pop_back();
  }

  std::vector<Segment> found;
  std::vector<std::size_t> without_header;
  for (const Position base : bases) {
    Segment segment;
    segment.header.base = base;
    segment.packed = packed.contains(base);
    auto header = TRY(header_of(*settings_.file_system, path_of(segment)));
    if (header && header->base != base) header.reset();
    if (!header) without_header.push_back(found.size());
    if (header && identity_ != 0 && header->identity != identity_) {
      return Error{"J110",
                   fmt::format("segment {} belongs to store {}, the ones before it to {}",
                               path_of(segment).string(), identity_text(header->identity),
                               identity_text(identity_)),
                   "move the segments of the other store out of this folder",
                   {}};
    }
    if (header) identity_ = header->identity;
    if (header) segment.header = *header;
    found.push_back(segment);
  }

  for (auto index = without_header.rbegin(); index != without_header.rend(); ++index) {
    const auto path = path_of(found[*index]);
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
  for (Segment& segment : found) {
    if (segment.packed) TRY(read_packed(segment, recovery));
  }
  segments_ = std::move(found);
  return leftover;
}

Result<void> Journal::read_packed(Segment& segment, Recovery& recovery) {
  const auto path = path_of(segment);
  const auto file = TRY(settings_.file_system->open(path, FileSystem::Access::read));
  segment.size = TRY(file->size());
  const auto summary = TRY(PackedTable::summary(*file));
  if (summary && !settings_.read_only) {  // a start does not wait for the tables
    segment.as_of = summary->as_of;
    segment.records = summary->records;
    return {};
  }
  bool damaged = false;
  const PackedTable table = TRY(PackedTable::load(*file, identity_, damaged));
  segment.as_of = table.as_of();
  segment.records = table.entries().size();
  if (damaged) {
    add_once(recovery.damage,
             damage("J202", path,
                    "the table of its records is damaged; they were found by going through them",
                    "restore the file from a backup if there is one"));
  }
  return {};
}

Result<void> Journal::compare_keys() const {
  for (const Segment& segment : segments_) {
    const std::uint64_t sealed_with = segment.header.keys;
    if (sealed_with == 0 || (settings_.read_only && settings_.keys == nullptr)) continue;
    if (settings_.keys != nullptr && settings_.keys->id() == sealed_with) continue;
    const std::string wanted =
        fmt::format("segment {} is sealed with the keys {}", path_of(segment).string(),
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
    const auto path = path_of(*segment);
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
        segment->limit = segment->packed ? next.base : has;
        add_once(recovery.damage,
                 damage("J203", path_of(next.previous_base),
                        fmt::format(
                            "the segment is missing, and with it what stood from position {} to {}",
                            next.previous_base, next.previous_end),
                        "restore the file from a backup, with the store closed"));
      } else {
        segment->limit = next.previous_end;
        if (!segment->packed && has < next.previous_end) {
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
  const SegmentHeader& first = segments_.front().header;
  if (first.previous_base != 0 && first.base > pruned_.begin) {
    add_once(recovery.damage,
             damage("J203", path_of(first.previous_base),
                    fmt::format("the segment is missing, and with it what stood from position {} "
                                "to {}; retention did not take it",
                                std::max(pruned_.begin, first.previous_base), first.previous_end),
                    "restore the file from a backup, with the store closed"));
  }
  return {};
}

Result<void> Journal::recover_last(Recovery& recovery) {
  const SegmentHeader header = segments_.back().header;
  if (segments_.back().packed) return recover_packed();
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
  if (survey.unknown()) {
    return newer(path, fmt::format("the record at offset {} (position {}) is of a kind that this "
                                   "one does not know",
                                   file_offset(header.base, *survey.unknown()), *survey.unknown()));
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

// The segments behind a packed one are missing: it gets no more, and what comes begins a new one
// behind all that it can have had.
Result<void> Journal::recover_packed() {
  Segment& last = segments_.back();
  last.limit = std::max(last.as_of, last.header.base);
  end_.store(last.limit);
  last_id_ = last.header.last_id;
  abandoned_ = true;
  return scan(
      last.header.base, last.limit,
      [&](const Frame& frame) -> Result<bool> {
        last_id_ = std::max(last_id_, message_id_of(frame.payload).value);
        return true;
      },
      nullptr);
}

Result<void> Journal::append(std::string_view batch, Position first, std::uint64_t last_id) {
  const Position base = segments_.back().header.base;
  const bool full =
      first != base && file_offset(base, first) + batch.size() > settings_.segment_size;
  // A segment is either plain or sealed with one ring: its header says so.
  const bool other_keys = segments_.back().header.keys != keys_id();
  const bool roll = roll_.load() && first != base;
  if (abandoned_ || full || other_keys || roll) TRY(begin_segment(first, end(), last_id));
  if (roll) roll_.store(false);
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
  for (auto step = TRY(reader.next()); step != Reader::Step::end; step = TRY(reader.next())) {
    if (step == Reader::Step::gap) {
      reached = reader.gap().end;
      if (gaps) add_once(*gaps, gap_finding(path, segment.base, reader.gap()));
      continue;
    }
    reached = reader.frame().end();
    if (!TRY(visit(reader.frame()))) return false;
  }
  if (gaps && !segment.table && reached < stop) {
    add_once(*gaps, gap_finding(path, segment.base, Gap{.begin = reached, .end = stop}));
  }
  return true;
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
    const Position limit = i + 1 == segments_.size() ? end() : segment.limit;
    files.push_back({segment.header, limit, path_of(segment), segment.packed, segment.as_of,
                     segment.records,
                     segment.packed ? segment.size : file_offset(segment.header.base, limit)});
  }
  return files;
}

}  // namespace cannula::store
