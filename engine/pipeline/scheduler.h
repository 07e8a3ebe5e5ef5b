// The workers: threads that run the channels' scripts. Each worker has a Lua state of its own for
// each channel it works for, so no two share a lock. Channels take turns. A script that is not done
// after its first slice moves, Lua state and all, to the slow lane: threads of lower priority that
// share their time among such scripts. So a slow script costs the others no more than its first
// slice, and a hostile one starves nobody.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/pipeline/channel.h"
#include "engine/script/runtime.h"

namespace cannula::pipeline {

class Scheduler {
 public:
  Scheduler(std::size_t workers, std::size_t script_memory, store::Store& store,
            script::Host& host);
  ~Scheduler();

  void start();
  // Ends after the scripts that are running have ended or used up their slice; what was suspended
  // is dropped, and run again at the next start, since nothing of it was committed.
  void stop();

  void add(std::shared_ptr<Channel> channel);
  // Returns when no worker works for the channel any more and its Lua states are gone.
  void remove(const std::string& name);

  // Any thread: the channel may have work. Cheap when it is known already.
  void ready(Channel& channel);
  std::size_t script_memory_used() const { return pool_.used(); }

  // While the store cannot take an outcome no new script is begun. Counted; any thread.
  void stall();
  void unstall();

 private:
  // A script in the middle of a message, with the Lua state that it runs in.
  struct Suspended {
    std::shared_ptr<Channel> channel;
    WorkQueue::Lane::Entry* entry = nullptr;
    std::shared_ptr<const hl7v2::Message> message;
    std::shared_ptr<const script::Program> program;
    std::unique_ptr<script::Runtime> runtime;
    std::unique_ptr<script::Run> run;  // ends before its runtime
    std::chrono::nanoseconds worked{0};
    std::string findings{};  // of [validate], as trace lines
  };
  struct Worker;

  void run(Worker& worker);
  std::shared_ptr<Channel> next_channel(Worker& worker);
  bool may_be_taken(const Channel& channel) const;
  void take_turn(Worker& worker, const std::shared_ptr<Channel>& channel);
  void run_slow_lane();
  void leave_slow_lane(Suspended run);
  bool work_one(Worker& worker, const std::shared_ptr<Channel>& channel,
                WorkQueue::Lane::Entry* entry);
  Result<void> read_back(WorkItem& item) const;
  script::Runtime* runtime_for(Worker& worker, const std::shared_ptr<Channel>& channel,
                               std::string& why_not);
  bool validated(Channel& channel, WorkQueue::Lane::Entry* entry, std::string& findings);
  void end_run(Suspended& run);
  bool take_spare(Channel& channel, Suspended& into);
  void refill_queues();
  void refill(Channel& channel);

  store::Store& store_;
  script::Host& host_;
  script::MemoryPool pool_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> slow_threads_;

  std::mutex mutex_;
  std::condition_variable wake_;    // workers wait for work
  std::condition_variable let_go_;  // remove() waits for workers
  std::vector<std::shared_ptr<Channel>> channels_;
  std::deque<std::shared_ptr<Channel>> ring_;  // channels with work, in turn
  std::deque<Suspended> slow_lane_;            // in turn
  std::condition_variable slow_wake_;
  std::uint64_t removals_ = 0;
  // Lua states that came out of the slow lane and wait for a worker, by channel.
  std::unordered_map<const Channel*, std::vector<Suspended>> spare_;
  std::size_t stalls_ = 0;
  bool stopping_ = false;
};

}  // namespace cannula::pipeline
