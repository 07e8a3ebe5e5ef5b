// The Store on the disk of this machine: journal, group commit and index put together.
#pragma once

#include <memory>
#include <string>

#include "engine/store/file_system.h"
#include "engine/store/group_commit.h"
#include "engine/store/index_reader.h"
#include "engine/store/indexer.h"
#include "engine/store/journal.h"
#include "engine/store/store.h"

namespace cannula::store {

class LocalStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const Options& options);
  ~LocalStore() override;

  void submit(std::vector<Record> records, Completion done) override;
  bool has_room() const override;
  void when_room(std::function<void()> resume) override;
  std::optional<Error> trouble() const override;
  bool is_displaced() const override;
  void probe() override;

  Result<Record> read(Position position) const override;
  Result<std::vector<Record>> trail(MessageId id) const override;

  Position begin() const override { return journal_->begin(); }
  Position end() const override { return journal_->end(); }
  IndexMoment index_moment() const override { return indexer_->moment(); }
  std::optional<Error> index_trouble() const override { return indexer_->trouble(); }
  void catch_up() override { indexer_->catch_up(); }
  Result<void> catch_up_within(std::chrono::milliseconds time) override {
    return indexer_->catch_up_within(time);
  }

  Result<std::optional<MessageRow>> message(MessageId id) const override;
  Result<std::vector<MessageRow>> messages(const MessageQuery& query) const override;
  Result<std::vector<DeliveryRow>> deliveries(MessageId id) const override;
  Result<std::vector<StateCount>> counts() const override;
  Result<std::vector<Letter>> letters(const LetterQuery& query) const override;
  Result<std::vector<CauseRow>> causes(const LetterQuery& query) const override;
  Result<std::vector<MessageId>> edited_as(MessageId id) const override;
  Result<std::vector<Waiting>> waiting_messages(const std::string& channel, Position after,
                                                std::size_t limit) const override;
  Result<std::vector<DeliveryRow>> waiting_deliveries(const std::string& channel,
                                                      const std::string& destination,
                                                      Position after, std::uint32_t after_ordinal,
                                                      std::size_t limit) const override;
  Result<std::vector<DeliveryRow>> waiting_handlers(const std::string& channel) const override;
  Result<std::vector<StateWrite>> script_state(const std::string& channel) const override;
  Result<std::vector<StateWrite>> wire_state(const std::string& channel) const override;
  Result<std::vector<UnmappedRow>> unmapped(const std::string& table,
                                            std::size_t limit) const override;
  Result<std::vector<AwaitingRow>> awaiting(MessageId after, std::size_t limit) const override;

  const Recovery& recovery() const override { return recovery_; }
  const std::string& identity() const override { return identity_; }
  std::uint64_t search_key(std::string_view kind, std::string_view text) const override {
    return seal_->search(kind, text);
  }
  std::uint64_t order_key(std::string_view text) const override;
  Result<std::uint64_t> free_space() const override { return journal_->free_space(); }
  std::shared_ptr<const void> pin_segments() const override { return journal_->pin(); }
  Result<PruneReport> prune(const PruneOrder& order) override;
  Result<Owed> owed() const override;
  void close() override;

 private:
  LocalStore() = default;
  void note_sealed_from();

  std::unique_ptr<FileLock> lock_;
  std::shared_ptr<security::KeyRing> keys_;
  std::unique_ptr<RowSeal> seal_;
  Recovery recovery_;
  std::string identity_;
  std::unique_ptr<Journal> journal_;
  mutable std::unique_ptr<IndexReader> reader_;
  std::unique_ptr<Indexer> indexer_;
  std::unique_ptr<GroupCommit> group_commit_;
  std::filesystem::path directory_;
  std::mutex prune_lock_;
  std::mutex close_lock_;
  bool closed_ = false;
};

}  // namespace cannula::store
