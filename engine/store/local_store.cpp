#include "engine/store/local_store.h"

#include <algorithm>

#include "engine/store/pruner.h"
#include "engine/store/record_codec.h"
#include "engine/store/restore.h"
#include "engine/store/segment.h"
#include "engine/store/store_files.h"

namespace cannula::store {

namespace {

// What only a store that was at work leaves in its folder. Of a new site's folder, the master key
// may be there before.
Result<std::vector<std::string>> traces_of_a_store(FileSystem& files,
                                                   const std::filesystem::path& directory) {
  constexpr std::string_view kTraces[] = {"acts.jsonl", "audit", "holds.jsonl", "index.db", "keys"};
  std::vector<std::string> found;
  for (std::string& name : TRY(files.list(directory))) {
    if (std::find(std::begin(kTraces), std::end(kTraces), name) != std::end(kTraces))
      found.push_back(std::move(name));
  }
  std::sort(found.begin(), found.end());
  return {boost::system::in_place_value, std::move(found)};
}

}  // namespace

Result<std::unique_ptr<Store>> LocalStore::open(const Options& options) {
  FileSystem& file_system = options.file_system ? *options.file_system : FileSystem::real();
  std::unique_ptr<LocalStore> store(new LocalStore);
  TRY(file_system.make_directories(options.directory));
  store->lock_ = TRY(file_system.lock(lock_path(options.directory)));
  TRY(no_restore_is_unfinished(file_system, options.directory));
  std::vector<std::string> traces = TRY(traces_of_a_store(file_system, options.directory));
  store->directory_ = options.directory;
  store->keys_ = options.keys;
  store->seal_ = std::make_unique<RowSeal>(
      options.keys.get(), [raw = store.get(), tell = options.on_index_changed](const Error& error) {
        if (raw->indexer_ && raw->indexer_->distrust() && tell) tell(error);
      });
  if (options.keys && options.keys->is_new()) {
    TRY(file_system.make_directories(journal_directory(options.directory)));
    TRY(Journal::may_get_new_keys(file_system, journal_directory(options.directory),
                                  options.believe_plain));
    TRY(FileSystem::real().make_directories(options.directory));
    TRY(options.keys->save_new());
  }
  store->journal_ = TRY(Journal::open({.directory = journal_directory(options.directory),
                                       .file_system = &file_system,
                                       .segment_size = options.segment_size,
                                       .zero_ahead = options.zero_ahead,
                                       .read_only = false,
                                       .keys = options.keys.get()},
                                      store->recovery_));
  store->note_sealed_from();
  if (store->recovery_.made_new) store->recovery_.left_behind = std::move(traces);
  store->identity_ = identity_text(store->journal_->identity());
  // The index is SQLite's, which has a way to the disk of its own.
  TRY(FileSystem::real().make_directories(options.directory));
  const auto index = index_path(options.directory);
  store->reader_ = std::make_unique<IndexReader>(index, *store->seal_);
  store->indexer_ =
      TRY(Indexer::open(index, *store->journal_, *store->seal_, *store->reader_,
                        options.index_in_background, store->recovery_, options.on_index_progress));
  store->group_commit_ =
      std::make_unique<GroupCommit>(*store->journal_, options.keys.get(), options.pending_limit,
                                    [indexer = store->indexer_.get()](std::vector<Durable> batch) {
                                      indexer->take(std::move(batch));
                                    });
  return std::unique_ptr<Store>(std::move(store));
}

// A store that began with keys has nothing that is plain. One that was there before has what is
// sealed by now. A disk that is full now is not at the next start.
void LocalStore::note_sealed_from() {
  if (!keys_ || keys_->sealed_from() != security::SealedFrom{}) return;
  security::SealedFrom from{.records = journal_->end(), .marks = journal_->end()};
  const auto segments = journal_->segments();
  const SegmentHeader& last = segments.back().header;  // one that has nothing in it yet
  if (last.base == from.marks && last.seal == SegmentHeader{}.seal) ++from.marks;
  for (const Journal::SegmentFile& segment : segments) {
    if (segment.header.keys == 0) continue;
    from.records = segment.header.base;
    break;
  }
  if (auto noted = keys_->note_sealed_from(from); !noted) {
    recovery_.damage.push_back(finding_of(noted.error()));
  }
}

Result<PruneReport> LocalStore::prune(const PruneOrder& order) {
  const std::lock_guard guard(prune_lock_);
  auto rows = TRY(RetentionReader::open(index_path(directory_), *seal_));
  Pruner pruner({*this, *journal_, *indexer_, *reader_, *group_commit_, keys_.get()},
                std::move(rows), order);
  auto report = pruner.run();
  if (!report && report.error().code == "J302") {
    static_cast<void>(seal_->changed("its file is damaged"));
  }
  return report;
}

Result<Owed> LocalStore::owed() const {
  auto rows = TRY(RetentionReader::open(index_path(directory_), *seal_));
  return rows.owed();
}

LocalStore::~LocalStore() {
  close();
}

void LocalStore::close() {
  const std::lock_guard guard(close_lock_);
  if (std::exchange(closed_, true)) return;
  if (group_commit_) group_commit_->close();
  // SQLite moves the WAL into the file when the last connection closes, if that one may write.
  if (reader_) reader_->reopen();
  if (indexer_) indexer_->close();
  lock_.reset();
}

void LocalStore::submit(std::vector<Record> records, Completion done) {
  group_commit_->submit(std::move(records), std::move(done));
}

bool LocalStore::has_room() const {
  return group_commit_->has_room();
}

void LocalStore::when_room(std::function<void()> resume) {
  group_commit_->when_room(std::move(resume));
}

std::optional<Error> LocalStore::trouble() const {
  return group_commit_->trouble();
}

bool LocalStore::is_displaced() const {
  return journal_->is_displaced();
}

void LocalStore::probe() {
  group_commit_->probe();
}

Result<Record> LocalStore::read(Position position) const {
  std::string buffer;
  const Frame frame = TRY(journal_->read(position, buffer));
  return journal_->record_of(frame);
}

std::uint64_t LocalStore::order_key(std::string_view text) const {
  return keys_ ? keys_->order_hash().of(text) : seal_->search(identity_, text);
}

Result<std::vector<Record>> LocalStore::trail(MessageId id) const {
  std::vector<Record> records;
  const auto row = TRY(reader_->message(id));
  for (const Position position : TRY(reader_->trail(id))) {
    Record record = TRY(read(position));
    // What is forgotten is gone, also while its segment has it.
    const bool removed = row && row->bodies_removed != 0;
    records.push_back(removed ? without_bodies(std::move(record), row->bodies_removed)
                              : std::move(record));
  }
  return records;
}

Result<std::optional<MessageRow>> LocalStore::message(MessageId id) const {
  return reader_->message(id);
}

Result<std::vector<MessageRow>> LocalStore::messages(const MessageQuery& query) const {
  return reader_->messages(query);
}

Result<std::vector<DeliveryRow>> LocalStore::deliveries(MessageId id) const {
  return reader_->deliveries(id);
}

Result<std::vector<StateCount>> LocalStore::counts() const {
  return reader_->counts();
}

Result<std::vector<Letter>> LocalStore::letters(const LetterQuery& query) const {
  return reader_->letters(query);
}

Result<std::vector<CauseRow>> LocalStore::causes(const LetterQuery& query) const {
  return reader_->causes(query);
}

Result<std::vector<MessageId>> LocalStore::edited_as(MessageId id) const {
  return reader_->edited_as(id);
}

Result<std::vector<Store::Waiting>> LocalStore::waiting_messages(const std::string& channel,
                                                                 Position after,
                                                                 std::size_t limit) const {
  return reader_->waiting_messages(channel, after, limit);
}

Result<std::vector<DeliveryRow>> LocalStore::waiting_deliveries(const std::string& channel,
                                                                const std::string& destination,
                                                                Position after,
                                                                std::uint32_t after_ordinal,
                                                                std::size_t limit) const {
  return reader_->waiting_deliveries(channel, destination, after, after_ordinal, limit);
}

Result<std::vector<DeliveryRow>> LocalStore::waiting_handlers(const std::string& channel) const {
  return reader_->waiting_handlers(channel);
}

Result<std::vector<UnmappedRow>> LocalStore::unmapped(const std::string& table,
                                                      std::size_t limit) const {
  return reader_->unmapped(table, limit);
}

Result<std::vector<AwaitingRow>> LocalStore::awaiting(MessageId after, std::size_t limit) const {
  return reader_->awaiting(after, limit);
}

Result<std::vector<StateWrite>> LocalStore::wire_state(const std::string& channel) const {
  return reader_->wire_state(channel);
}

Result<std::vector<StateWrite>> LocalStore::script_state(const std::string& channel) const {
  return reader_->script_state(channel);
}

}  // namespace cannula::store
