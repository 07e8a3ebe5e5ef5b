#include "engine/pipeline/scheduler.h"

#include <list>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace cannula::pipeline {
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kTurn{5};         // a channel's share before the next one has its turn
constexpr microseconds kSlice{2000};     // of a script that goes on after it was suspended
constexpr milliseconds kRefillPoll{10};  // while messages wait on disk and the index is behind
constexpr std::size_t kBacklogForHelp =
    256;  // waiting messages of one channel that call a second worker

}  // namespace

// A script in the middle of a message. It stays with the worker whose Lua state it runs in.
struct Scheduler::Suspended {
  std::shared_ptr<Channel> channel;
  WorkQueue::Lane::Entry* entry = nullptr;
  std::shared_ptr<const hl7v2::Message> message;
  std::unique_ptr<script::Run> run;
  std::chrono::nanoseconds worked{0};
};

struct Scheduler::Worker {
  struct State {
    std::shared_ptr<Channel> channel;
    std::shared_ptr<const script::Program> program;
    std::unique_ptr<script::Runtime> runtime;
    bool busy = false;  // a run is suspended in it
  };
  std::thread thread;
  std::unordered_map<const Channel*, State> states;
  std::list<Suspended> suspended;
  std::uint64_t removals_seen = 0;  // under the scheduler's mutex
};

Scheduler::Scheduler(std::size_t workers, std::size_t script_memory, store::Store& store,
                     script::Host& host)
    : store_(store), host_(host), pool_(script_memory) {
  for (std::size_t i = 0; i < std::max<std::size_t>(1, workers); ++i)
    workers_.push_back(std::make_unique<Worker>());
}

Scheduler::~Scheduler() {
  stop();
}

void Scheduler::start() {
  for (auto& worker : workers_) {
    worker->thread = std::thread([this, &worker = *worker] { run(worker); });
  }
}

void Scheduler::stop() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
    worker->suspended.clear();  // before the Lua states that they run in
    worker->states.clear();
  }
}

void Scheduler::add(std::shared_ptr<Channel> channel) {
  {
    std::scoped_lock lock(mutex_);
    channels_.push_back(channel);
    if (!channel->turns().in_ring) {
      channel->turns().in_ring = true;
      ring_.push_back(channel);
    }
  }
  wake_.notify_one();
}

void Scheduler::remove(const std::string& name) {
  std::unique_lock lock(mutex_);
  std::erase_if(channels_, [&](const auto& channel) {
    if (channel->name() != name) return false;
    channel->stop_work();
    return true;
  });
  std::erase_if(ring_, [&](const auto& channel) { return channel->name() == name; });
  const std::uint64_t removal = ++removals_;
  wake_.notify_all();
  let_go_.wait(lock, [&] {
    return stopping_ || std::all_of(workers_.begin(), workers_.end(), [&](const auto& worker) {
             return worker->removals_seen >= removal;
           });
  });
}

// While a worker is at it, it looks for more by itself; others are only called to a backlog.
void Scheduler::ready(Channel& channel) {
  const int working = channel.turns().working;
  if (working > 0 &&
      channel.queue().in_memory() < kBacklogForHelp * static_cast<std::size_t>(working))
    return;
  {
    std::scoped_lock lock(mutex_);
    if (channel.turns().in_ring) return;
    auto found = std::find_if(channels_.begin(), channels_.end(),
                              [&](const auto& one) { return one.get() == &channel; });
    if (found == channels_.end()) return;
    channel.turns().in_ring = true;
    ring_.push_back(*found);
  }
  wake_.notify_one();
}

void Scheduler::stall() {
  std::scoped_lock lock(mutex_);
  ++stalls_;
}

void Scheduler::unstall() {
  {
    std::scoped_lock lock(mutex_);
    --stalls_;
  }
  wake_.notify_all();
}

std::shared_ptr<Channel> Scheduler::next_channel(Worker& worker) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (worker.removals_seen != removals_) {
      worker.removals_seen = removals_;
      std::erase_if(worker.suspended,
                    [&](const Suspended& run) { return !run.channel->may_work(); });
      std::erase_if(worker.states, [&](const auto& state) {
        return std::find(channels_.begin(), channels_.end(), state.second.channel) ==
               channels_.end();
      });
      let_go_.notify_all();
    }
    if (stalls_ == 0) {
      for (auto place = ring_.begin(); place != ring_.end(); ++place) {
        std::shared_ptr<Channel> channel = *place;
        auto state = worker.states.find(channel.get());
        if (state != worker.states.end() && state->second.busy) continue;
        ring_.erase(place);
        channel->turns().in_ring = false;
        return channel;
      }
    }
    if (!worker.suspended.empty()) return nullptr;
    const bool wants_refill = std::any_of(
        channels_.begin(), channels_.end(),
        [](const auto& channel) { return channel->may_work() && channel->queue().wants_refill(); });
    if (!wants_refill) {
      wake_.wait(lock);
      continue;
    }
    wake_.wait_for(lock, kRefillPoll);
    lock.unlock();
    refill_queues();
    lock.lock();
  }
  return nullptr;
}

void Scheduler::run(Worker& worker) {
  while (true) {
    std::shared_ptr<Channel> channel = next_channel(worker);
    {
      std::scoped_lock lock(mutex_);
      if (stopping_) return;
    }
    if (channel) take_turn(worker, channel);
    run_suspended(worker);
  }
}

void Scheduler::refill_queues() {
  std::vector<std::shared_ptr<Channel>> channels;
  {
    std::scoped_lock lock(mutex_);
    channels = channels_;
  }
  for (auto& channel : channels) {
    if (!channel->may_work() || !channel->queue().wants_refill()) continue;
    if (auto refilled = channel->queue().refill(store_); !refilled) {
      spdlog::error("channel {}: {}", channel->name(), refilled.error().text());
    }
    if (channel->queue().has_work()) ready(*channel);
  }
}

void Scheduler::take_turn(Worker& worker, const std::shared_ptr<Channel>& channel) {
  if (!channel->may_work()) return;
  ++channel->turns().working;
  const auto end = steady_clock::now() + kTurn;
  do {
    WorkQueue::Lane::Entry* entry = channel->queue().take();
    if (!entry) {
      if (!channel->queue().wants_refill()) break;
      auto refilled = channel->queue().refill(store_);
      if (!refilled) spdlog::error("channel {}: {}", channel->name(), refilled.error().text());
      entry = channel->queue().take();
      if (!entry) break;
    }
    if (!work_one(worker, channel, entry)) break;
  } while (channel->may_work() && steady_clock::now() < end);
  --channel->turns().working;
  // After the count went down, so that an arrival in between either saw it or is seen here.
  if (channel->may_work() && channel->queue().has_work()) ready(*channel);
}

script::Runtime* Scheduler::runtime_for(Worker& worker, Channel& channel, std::string& why_not) {
  Worker::State& state = worker.states[&channel];
  std::shared_ptr<const script::Program> program = channel.program();
  if (state.runtime && state.program == program && !state.runtime->closed())
    return state.runtime.get();
  state.runtime.reset();
  script::Limits limits;
  limits.memory = channel.config().script_memory;
  limits.time = channel.config().script_time;
  auto loaded = script::Runtime::load(program, limits, host_, pool_);
  if (auto* findings = std::get_if<std::vector<Diagnostic>>(&loaded)) {
    why_not = render(*findings);
    return nullptr;
  }
  state.program = std::move(program);
  state.runtime = std::move(std::get<std::unique_ptr<script::Runtime>>(loaded));
  return state.runtime.get();
}

// False when the turn ends with it: the script was suspended, or cannot be run.
bool Scheduler::work_one(Worker& worker, const std::shared_ptr<Channel>& channel,
                         WorkQueue::Lane::Entry* entry) {
  std::string why_not;
  script::Runtime* runtime = runtime_for(worker, *channel, why_not);
  if (!runtime) {
    channel->queue().put_back(entry);
    channel->pause_work("the script cannot be loaded: " + why_not);
    return false;
  }
  WorkItem& item = entry->item;
  script::Input input;
  input.id = item.id.text();
  input.received_at = item.received_at;
  input.partner = channel->config().partner;
  input.body = item.body;
  input.response = item.response;
  if (!input.body) {
    auto accepted = store_.read(item.accepted);
    auto* record = accepted ? std::get_if<store::Accepted>(&*accepted) : nullptr;
    if (!record) {
      spdlog::error("channel {}: message {} cannot be read back: {}", channel->name(), input.id,
                    accepted ? "another record stands there" : accepted.error().text());
      script::Conclusion lost;
      lost.kind = script::Conclusion::Kind::failed;
      lost.code = "P301";
      lost.reason = "its received bytes cannot be read from the journal; see `cannula store check`";
      channel->conclude(entry, nullptr, std::move(lost));
      return true;
    }
    input.body = item.body = record->body;
    input.received_at = item.received_at = record->at;
  }
  if (!item.parsed) {
    if (auto parsed = hl7v2::Message::parse(input.body)) {
      item.parsed = std::make_shared<const hl7v2::Message>(*std::move(parsed));
    }
  }
  input.parsed = item.parsed;

  Suspended run{channel, entry, item.parsed, nullptr, {}};
  const auto begun = steady_clock::now();
  run.run = runtime->begin(std::move(input));
  const auto step = run.run->resume(std::chrono::duration_cast<microseconds>(kTurn));
  run.worked = steady_clock::now() - begun;
  if (step == script::Run::Step::finished) {
    end_run(run);
    return true;
  }
  worker.states[channel.get()].busy = true;
  worker.suspended.push_back(std::move(run));
  return false;
}

void Scheduler::end_run(Suspended& run) {
  run.channel->metrics().work.record(run.worked);
  script::Conclusion conclusion = run.run->conclusion();
  run.run.reset();
  run.channel->conclude(run.entry, run.message.get(), std::move(conclusion));
}

void Scheduler::run_suspended(Worker& worker) {
  if (worker.suspended.empty()) return;
  Suspended run = std::move(worker.suspended.front());
  worker.suspended.pop_front();
  const auto begun = steady_clock::now();
  const auto step = run.run->resume(kSlice);
  run.worked += steady_clock::now() - begun;
  if (step == script::Run::Step::suspended) {
    worker.suspended.push_back(std::move(run));
    return;
  }
  worker.states[run.channel.get()].busy = false;
  end_run(run);
  if (run.channel->may_work() && run.channel->queue().has_work()) ready(*run.channel);
}

}  // namespace cannula::pipeline
