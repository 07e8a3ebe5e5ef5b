// The workers: threads that run the channels' scripts. Each worker has a Lua state of its own for
// each channel it works for, so no two share a lock. Channels take turns; a script that runs on is
// suspended after its slice and goes on between the turns of others, so that a slow or hostile
// script starves nobody.
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
  struct Suspended;
  struct Worker;

  void run(Worker& worker);
  std::shared_ptr<Channel> next_channel(Worker& worker);
  void take_turn(Worker& worker, const std::shared_ptr<Channel>& channel);
  void run_suspended(Worker& worker);
  bool work_one(Worker& worker, const std::shared_ptr<Channel>& channel,
                WorkQueue::Lane::Entry* entry);
  script::Runtime* runtime_for(Worker& worker, Channel& channel, std::string& why_not);
  void end_run(Suspended& run);
  void refill_queues();

  store::Store& store_;
  script::Host& host_;
  script::MemoryPool pool_;
  std::vector<std::unique_ptr<Worker>> workers_;

  std::mutex mutex_;
  std::condition_variable wake_;    // workers wait for work
  std::condition_variable let_go_;  // remove() waits for workers
  std::vector<std::shared_ptr<Channel>> channels_;
  std::deque<std::shared_ptr<Channel>> ring_;  // channels with work, in turn
  std::uint64_t removals_ = 0;
  std::size_t stalls_ = 0;
  bool stopping_ = false;
};

}  // namespace cannula::pipeline
