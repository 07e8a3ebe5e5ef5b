// The opening of a journal: what its files say of each other, and what a crash left at the end.
#include <random>
#include <set>

#include <fmt/format.h>

#include "engine/store/frame_seal.h"
#include "engine/store/journal.h"
#include "engine/store/journal_findings.h"
#include "engine/store/zero_ahead.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;

std::uint64_t new_identity() {
  std::random_device device;
  std::uint64_t identity = 0;
  while (identity == 0) identity = (static_cast<std::uint64_t>(device()) << 32) | device();
  return identity;
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

// What one pass over the last segment tells: where it ends, and whether a gap is a torn tail or
// damage.
//
// Everything but the last batch was on disk before the last batch was written. So a gap is a torn
// tail, which nobody was told is stored, when no batch began behind it; otherwise it is damage,
// which stays where it is.
class LastSegmentSurvey {
 public:
  explicit LastSegmentSurvey(Position base) : boundary_(base) {}

  // `counts`: it is the store's own, so the id in it was given.
  void add(const Frame& frame, bool counts) {
    if (!unknown_ && !is_known(frame.header)) unknown_ = frame.position;
    last_batch_ = frame.batch();
    last_frame_end_ = frame.end();
    if (!frame.header.continues()) boundary_ = frame.end();
    if (counts && frame.header.type == static_cast<std::uint8_t>(RecordType::accepted)) {
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

// Anybody can make a segment that says it is plain, and take the file of keys away.
Result<void> Journal::may_get_new_keys(FileSystem& file_system,
                                       const std::filesystem::path& directory, bool believe_plain) {
  fs::path plain;
  for (const std::string& name : TRY(file_system.list(directory))) {
    if (!base_of_segment_name(name) && !base_of_packed_name(name)) continue;
    const auto header = TRY(header_of(file_system, directory / name));
    if (!header || header->keys == 0) {
      plain = directory / name;
      continue;
    }
    return Error{"K105",
                 fmt::format("segment {} is sealed with the keys {}, and the file `keys` of the "
                             "store is not there",
                             (directory / name).string(), security::ring_text(header->keys)),
                 "put it back from a backup of this store; nothing was changed"};
  }
  if (plain.empty() || believe_plain) return {};
  return Error{"K118",
               fmt::format("there is a journal ({}), and the file `keys` of the store is not there",
                           plain.string()),
               "put the file back from a backup of this store. Only if you know that the store was "
               "written before stores were sealed: `cannula keys begin`; nothing was changed"};
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

Result<void> Journal::open_segments(Recovery& recovery) {
  pruned_ = TRY(Pruned::load(*settings_.file_system, settings_.directory));
  const std::vector<fs::path> leftover = TRY(load_headers(recovery));
  TRY(compare_keys());
  if (segments_.empty()) {
    if (settings_.read_only) return {};
    recovery.made_new = true;
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
  note_sealed();
  TRY(compare_neighbours(recovery));
  TRY(recover_last(recovery));
  compare_seals(recovery);
  return {};
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
    header.keys = index > 0 ? found[index - 1].header.keys : 0;
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
    add_once(
        recovery.damage,
        damage_finding("J202", path,
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

// What was sealed once is not plain again.
void Journal::note_sealed() {
  bool sealed = false;
  for (Segment& segment : segments_) {
    sealed = sealed || segment.header.keys != 0;
    segment.sealed = sealed;
  }
}

// Headers have checksums that anybody can make, and since seals were added to them, those.
void Journal::compare_seals(Recovery& recovery) const {
  const security::KeyRing* keys = settings_.keys;
  const auto from = keys ? keys->sealed_from() : security::SealedFrom{};
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    const SegmentHeader& header = segment.header;
    const auto add = [&](std::string what) {
      add_once(recovery.damage, damage_finding("J119", path_of(segment), std::move(what),
                                               std::string(kIntruderHint)));
    };
    if (segment.header_damaged) continue;  // was said
    const Position limit = i + 1 == segments_.size() ? end() : segment.limit;
    const bool behind = segment.sealed || (from.records != 0 && header.base >= from.records);
    if (header.keys == 0 && behind && limit > header.base) {
      add("the header says that its records are plain, and everything from before it on is sealed");
    } else if (from.marks != 0 && header.base >= from.marks &&
               header.seal != seal_of(header, *keys)) {
      add("the header was changed: its seal does not hold; what it says of the segment before may "
          "be wrong");
    }
  }
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
        add_once(
            recovery.damage,
            damage_finding(
                "J203", path_of(next.previous_base),
                fmt::format("the segment is missing, and with it what stood from position {} to {}",
                            next.previous_base, next.previous_end),
                "restore the file from a backup, with the store closed"));
      } else {
        segment->limit = next.previous_end;
        if (!segment->packed && has < next.previous_end) {
          add_once(
              recovery.damage,
              damage_finding(
                  "J201", path,
                  fmt::format("the file ends {} bytes early, at offset {} (positions {} to {})",
                              next.previous_end - has, size, has, next.previous_end),
                  std::string(kDamageHint)));
        }
      }
    }
    if (segment->header_damaged) {
      add_once(
          recovery.damage,
          damage_finding(
              "J202", path,
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
             damage_finding(
                 "J203", path_of(first.previous_base),
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
  Intruders intruders;
  SegmentReader reader(
      *last_file_, identity_, header.base, header.base,
      header.base + std::max<std::uint64_t>(size, kSegmentHeaderSize) - kSegmentHeaderSize);
  for (auto step = TRY(reader.next()); step != SegmentReader::Step::end;
       step = TRY(reader.next())) {
    if (step == SegmentReader::Step::frame) {
      const char* what = intruder(reader.frame());
      if (what) intruders.add(reader.frame().position, what);
      survey.add(reader.frame(), what == nullptr);
    } else {
      survey.add(reader.gap());
    }
  }
  if (survey.unknown()) {
    return newer(path, fmt::format("the record at offset {} (position {}) is of a kind that this "
                                   "one does not know",
                                   file_offset(header.base, *survey.unknown()), *survey.unknown()));
  }
  for (const Gap& gap : survey.damage()) {
    add_once(recovery.damage, gap_finding(path, header.base, gap));
  }
  if (intruders.count > 0) add_once(recovery.damage, intruder_finding(path, intruders));
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

}  // namespace cannula::store
