// The running engine: store, threads, channels. Built from a Site, replaced piece by piece on
// reload.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "engine/config/site.h"
#include "engine/pipeline/act_log.h"
#include "engine/pipeline/audit_trail.h"
#include "engine/pipeline/bulk_acts.h"
#include "engine/pipeline/channel.h"
#include "engine/pipeline/channel_intake.h"
#include "engine/pipeline/holds.h"
#include "engine/pipeline/io_threads.h"
#include "engine/pipeline/resource_keeper.h"
#include "engine/pipeline/retention.h"
#include "engine/pipeline/scheduler.h"
#include "engine/script/runtime.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

// Why a source takes nothing, although nobody has stopped it.
struct NotReached {
  std::int64_t since = 0;  // microseconds since 1970
  Error why;               // at the last try
};

// A channel as it stands, for status and metrics. Valid while the visitor runs.
struct ChannelView {
  const Channel& channel;
  std::string address;  // what its source listens on; empty when it does not
  // Why its source is not open, and is tried again; nothing when it is.
  const std::optional<NotReached>& not_open;
  // Its source is open and does not get to where its messages are: a server, a folder.
  std::optional<NotReached> not_reached;
};

// A reload that changed nothing, because of what was wrong.
struct FailedReload {
  std::int64_t at = 0;  // microseconds since 1970
  std::vector<Diagnostic> findings;
};

// Public members may be called from any thread; start, reload and stop one at a time.
class Engine : private script::Host {
 public:
  // `transports` outlive the engine. `file_system` is the store's: null for the real one, a double
  // in fault tests. `clock` judges delivery windows and times on record; it outlives the engine.
  Engine(std::shared_ptr<const config::Site> site, std::span<const Transport> transports,
         store::FileSystem* file_system = nullptr, const WallClock& clock = WallClock::real());
  ~Engine() override;

  // Opens the store, continues what an earlier run left, and opens the listeners last. Every
  // finding that stood in the way; empty: it runs. `on_index_progress` as the store has it.
  std::vector<Diagnostic> start(
      std::function<void(std::uint64_t done, std::uint64_t all)> on_index_progress = nullptr);
  // Takes nothing new, lets scripts and deliveries under way end within `grace`, closes the store.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(10));
  // Goes over to `site`. Channels that did not change run on untouched, one whose script alone
  // changed keeps its connections. On any finding nothing has changed.
  std::vector<Diagnostic> reload(std::shared_ptr<const config::Site> site);

  // How a reload went, of the files as well: no findings, and the site is as its files say. Kept
  // for those who ask how the engine stands.
  void note_reload(std::vector<Diagnostic> findings);
  // The last reload, when it failed.
  std::optional<FailedReload> failed_reload() const;

  // Tables and rules that were saved and are not in use, because of what is wrong with them.
  std::optional<RefusedFiles> refused_files() const {
    return resources_ ? resources_->refused() : std::nullopt;
  }

  // What a person does. `ordinal` 0: the message; else one of its deliveries. Block on the disk. A
  // delivery that is still to be made is not sent twice: it is tried at once. Of what is discarded
  // no new attempt begins after the answer, which says how many were under way (BulkDone).
  Result<void> resend(MessageId id, std::uint32_t ordinal, const std::string& actor,
                      const std::string& reason);
  Result<std::size_t> discard(MessageId id, std::uint32_t ordinal, const std::string& actor,
                              const std::string& reason);

  // The same of many together, with few waits for the disk. Those that have gone on or ended
  // meanwhile are passed over.
  Result<BulkDone> resend_all(std::span<const store::Letter> letters, const std::string& actor,
                              const std::string& reason, const store::LetterQuery& of = {});
  Result<BulkDone> discard_all(std::span<const store::Letter> letters, const std::string& actor,
                               const std::string& reason, const store::LetterQuery& of = {});
  // All that a query finds, at a rate, on threads of its own.
  BulkActs& bulk_acts() { return *bulk_acts_; }
  // A new message of the same channel, with another body, worked as if it had just come in. The
  // original stays as it is; where it was dead or parked it is discarded. Blocks on the disk.
  Result<MessageId> edit(MessageId id, Bytes body, const std::string& actor,
                         const std::string& reason);

  // Pauses or resumes a part of a channel: "intake", "work", or "to:NAME" of a destination. It is
  // recorded, and survives a restart. The error (P317) says that there is no such part.
  Result<void> pause(const std::string& channel, const std::string& part, bool paused,
                     const std::string& actor, const std::string& reason);
  ActLog& acts() { return *act_log_; }
  const ActLog& acts() const { return *act_log_; }
  Holds& holds() { return *holds_; }
  // Null until the engine has started and once it stops.
  Retention* retention() const { return retention_.get(); }
  // Less room than `keep_free`: nothing new is taken.
  bool disk_low() const { return disk_low_.load(); }

  store::Store& store() { return *store_; }
  // Open as long as the store; null when the engine does not run.
  audit::Log* audit() const { return audit_.get(); }
  const store::Store& store() const { return *store_; }
  std::shared_ptr<const config::Site> site() const;
  // The tables and rules in use.
  std::shared_ptr<const rules::Resources> resources() const override;
  void each_channel(const std::function<void(const ChannelView&)>& visit) const;
  std::size_t script_memory_used() const {
    return scheduler_ ? scheduler_->script_memory_used() : 0;
  }
  // Every listener is open and the store takes messages.
  bool ready() const { return !why_not_ready(); }
  // In words, for those who ask an engine that is not; nothing when it is.
  std::optional<std::string> why_not_ready() const;

 private:
  struct Running;
  using Channels = std::map<std::string, std::unique_ptr<Running>>;

  // script::Host
  std::int64_t now() const override;
  std::optional<std::string> state(const std::string& channel,
                                   const std::string& key) const override;
  Result<std::string> secret(const std::string& channel, const std::string& name) const override;
  Result<std::string> delivered_before(const std::string& message, const std::string& destination,
                                       std::size_t n) const override;

  std::shared_ptr<const script::Program> program_of(const config::Site& site,
                                                    const config::ChannelConfig& config);
  std::unique_ptr<Running> build(const config::Site& site, const config::ChannelConfig& config,
                                 std::vector<Diagnostic>& findings);
  std::shared_ptr<ChannelIntake> intake_of(const config::Site& site, Running& running);
  bool open_source(const config::Site& site, Running& running, std::vector<Diagnostic>& findings);
  void open_source_or_wait(Running& running, std::vector<Diagnostic>& findings);
  std::vector<Diagnostic> why_nothing_is_open() const;
  void open_waiting_sources();
  void close_source(Running& running, std::chrono::milliseconds grace);
  bool begin_work(Running& running, std::vector<Diagnostic>& findings);
  // Of all of them side by side: each delivery under way has `grace` to be answered.
  void end_work(const std::vector<Running*>& ending, std::chrono::milliseconds grace);
  const Transport* transport(std::string_view type) const;
  Ports ports(const config::Site& site, Report& report);
  void flush_store();
  void settle_offers(Channels& channels);
  std::shared_ptr<Channel> channel_named(const std::string& name) const;
  std::vector<std::shared_ptr<Channel>> all_channels() const;
  void warn_of_the_master_key() const;
  void warn_of_the_stranded() const;
  struct Stranded {  // what waits under names that a new configuration does not have
    std::vector<Diagnostic> findings;
    std::uint64_t count = 0;
    bool for_long = false;  // it waits for a person or a time, or it cannot be told
  };
  Stranded what_would_be_stranded(const config::Site& next) const;
  Stranded what_stays_behind(const config::Site& next) const;
  static bool loses_something(const config::ChannelConfig& channel, const config::Site& next);
  void take_nothing(const std::vector<Running*>& of);
  void restore_pauses(Channel& channel) const;
  void stop_on_error(const Channel& channel, MessageId id);
  void watch_disk();
  void watch_journal();
  void watch_index();
  bool release_mapped(const rules::Resources& resources);
  void enter_configuration(const char* act);
  audit::JournalEnd journal_end() const;
  void compare_with_trail(const audit::JournalEnd& told);
  Retention::Hands retention_hands();
  BulkActs::Hands bulk_hands();
  void enter_end_of(const BulkProgress& progress);
  std::shared_ptr<Channel> channel_of(const Chosen& one) const;

  const std::span<const Transport> transports_;
  store::FileSystem* const file_system_;
  const WallClock& clock_;
  std::mutex acts_;                  // reload, stop, resend and discard, one at a time
  mutable std::shared_mutex mutex_;  // site_ and channels_
  std::shared_ptr<const config::Site> site_;
  std::unique_ptr<store::Store> store_;
  std::string ring_;  // the keys that the store is sealed with
  std::unique_ptr<audit::Log> audit_;
  std::unique_ptr<ConfigurationWatch> configuration_;
  std::optional<FailedReload> failed_reload_;  // under mutex_
  std::mutex configuration_mutex_;
  std::unique_ptr<ActLog> act_log_;
  std::unique_ptr<BulkActs> bulk_acts_;
  std::unique_ptr<Holds> holds_;
  std::unique_ptr<Retention> retention_;
  std::atomic<bool> disk_low_{false};
  bool journal_stuck_ = false;  // of watch_journal()
  bool index_stuck_ = false;    // of watch_index()
  unsigned looks_ = 0;          // of watch_disk()
  std::unique_ptr<IoThreads> io_;
  std::unique_ptr<boost::asio::thread_pool>
      background_;  // one thread: reading from disk, timers of retries
  std::unique_ptr<ResourceKeeper> resources_;
  std::unique_ptr<Scheduler> scheduler_;
  Channels channels_;
  std::atomic<bool> ready_{false};
  std::shared_ptr<boost::asio::steady_timer> disk_timer_;  // on background_
};

}  // namespace cannula::pipeline
