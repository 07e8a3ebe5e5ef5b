#include "engine/pipeline/scheduler.h"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/pipeline/delivery_loader.h"
#include "engine/pipeline/validation.h"

namespace cannula::pipeline {
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kTurn{5};       // a channel's share before the next one has its turn
constexpr microseconds kSlice{2000};   // of a script, before others have their turn
constexpr int kSlowLanePriority = 10;  // nice: a tenth of a worker's share when the machine is busy
constexpr milliseconds kRefillPoll{10};  // while messages wait on disk and the index is behind
constexpr std::size_t kBacklogForHelp =
    256;  // waiting messages of one channel that call a second worker

// Where a message cannot be read and is not damaged.
std::string how_to_go_on(const Channel& channel) {
  return fmt::format(
      "once it can be read, start the engine again or say `cannula channel resume {}`; to go on "
      "without it, discard it first",
      channel.name());
}

}  // namespace

struct Scheduler::Worker {
  struct State {
    std::shared_ptr<Channel> channel;
    std::shared_ptr<const script::Program> program;
    std::unique_ptr<script::Runtime> runtime;
  };
  std::thread thread;
  std::unordered_map<const Channel*, State> states;
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
  std::size_t number = 0;
  for (auto& worker : workers_) {
    worker->thread = std::thread([this, &worker = *worker, number = ++number] {
      ::pthread_setname_np(::pthread_self(), fmt::format("worker {}", number).c_str());
      run(worker);
    });
  }
  for (std::size_t i = 0; i < std::max<std::size_t>(1, workers_.size() / 2); ++i) {
    slow_threads_.emplace_back([this] { run_slow_lane(); });
  }
}

void Scheduler::stop() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  slow_wake_.notify_all();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
    worker->states.clear();
  }
  for (auto& thread : slow_threads_) thread.join();
  slow_threads_.clear();
  slow_lane_.clear();
  spare_.clear();
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
  auto found = std::find_if(channels_.begin(), channels_.end(),
                            [&](const auto& channel) { return channel->name() == name; });
  if (found == channels_.end()) return;
  const std::shared_ptr<Channel> leaving = *found;
  leaving->stop_work();
  channels_.erase(found);
  std::erase_if(ring_, [&](const auto& channel) { return channel->name() == name; });
  const std::uint64_t removal = ++removals_;
  wake_.notify_all();
  slow_wake_.notify_all();
  let_go_.wait(lock, [&] {
    const bool workers_let_go =
        std::all_of(workers_.begin(), workers_.end(),
                    [&](const auto& worker) { return worker->removals_seen >= removal; });
    return stopping_ || (workers_let_go && leaving->turns().slow == 0);
  });
  spare_.erase(leaving.get());
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

// As many of its scripts in the slow lane as there are workers: the rest of its messages wait for
// them.
bool Scheduler::may_be_taken(const Channel& channel) const {
  return channel.turns().slow < static_cast<int>(workers_.size());
}

std::shared_ptr<Channel> Scheduler::next_channel(Worker& worker) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (worker.removals_seen != removals_) {
      worker.removals_seen = removals_;
      std::erase_if(worker.states, [&](const auto& state) {
        return std::find(channels_.begin(), channels_.end(), state.second.channel) ==
               channels_.end();
      });
      let_go_.notify_all();
    }
    if (stalls_ == 0) {
      auto place = std::find_if(ring_.begin(), ring_.end(),
                                [this](const auto& channel) { return may_be_taken(*channel); });
      if (place != ring_.end()) {
        std::shared_ptr<Channel> channel = std::move(*place);
        ring_.erase(place);
        channel->turns().in_ring = false;
        return channel;
      }
    }
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
  while (std::shared_ptr<Channel> channel = next_channel(worker)) take_turn(worker, channel);
}

void Scheduler::run_slow_lane() {
  ::pthread_setname_np(::pthread_self(), "slow lane");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()),
                kSlowLanePriority);  // of this thread alone, on Linux
  std::unique_lock lock(mutex_);
  while (true) {
    slow_wake_.wait(lock, [this] { return stopping_ || !slow_lane_.empty(); });
    if (stopping_) return;
    Suspended run = std::move(slow_lane_.front());
    slow_lane_.pop_front();
    lock.unlock();
    bool finished =
        run.channel->stopped();  // dropped: nothing of it is committed, so it runs again elsewhere
    if (!finished) {
      const auto begun = steady_clock::now();
      finished = run.run->resume(kSlice) == script::Run::Step::finished;
      run.worked += steady_clock::now() - begun;
      if (finished) end_run(run);
    }
    if (finished) run.run.reset();
    lock.lock();
    if (!finished) {
      slow_lane_.push_back(std::move(run));
    } else {
      leave_slow_lane(std::move(run));
    }
  }
}

// With mutex_ held. Its Lua state goes back to the workers, unless a limit has closed it.
void Scheduler::leave_slow_lane(Suspended run) {
  const std::shared_ptr<Channel> channel = run.channel;
  --channel->turns().slow;
  run.entry = nullptr;
  run.message.reset();
  if (!channel->stopped() && !run.runtime->closed())
    spare_[channel.get()].push_back(std::move(run));
  let_go_.notify_all();
  if (channel->may_work() && !channel->turns().in_ring) {
    channel->turns().in_ring = true;
    ring_.push_back(channel);
  }
  wake_.notify_one();
}

void Scheduler::refill_queues() {
  std::vector<std::shared_ptr<Channel>> channels;
  {
    std::scoped_lock lock(mutex_);
    channels = channels_;
  }
  for (auto& channel : channels) {
    if (!channel->may_work() || !channel->queue().wants_refill()) continue;
    refill(*channel);
    if (channel->queue().has_work()) ready(*channel);
  }
}

// A message that cannot be read now stops the work: those behind it would overtake it.
void Scheduler::refill(Channel& channel) {
  const auto refilled = channel.queue().refill();
  if (refilled) return;
  if (may_be_read_later(refilled.error())) {
    channel.pause_work(refilled.error().text(), how_to_go_on(channel));
  } else {
    spdlog::error("channel {}: {}", channel.name(), refilled.error().text());
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
      refill(*channel);
      if (channel->may_work()) entry = channel->queue().take();
      if (!entry) break;
    }
    if (!work_one(worker, channel, entry)) break;
  } while (channel->may_work() && may_be_taken(*channel) && steady_clock::now() < end);
  --channel->turns().working;
  // After the count went down, so that an arrival in between either saw it or is seen here.
  if (channel->may_work() && channel->queue().has_work()) ready(*channel);
}

bool Scheduler::take_spare(Channel& channel, Suspended& into) {
  std::scoped_lock lock(mutex_);
  auto found = spare_.find(&channel);
  if (found == spare_.end()) return false;
  into = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty()) spare_.erase(found);
  return true;
}

script::Runtime* Scheduler::runtime_for(Worker& worker, const std::shared_ptr<Channel>& channel,
                                        std::string& why_not) {
  Worker::State& state = worker.states[channel.get()];
  std::shared_ptr<const script::Program> program = channel->program();
  if (state.runtime && state.program == program && !state.runtime->closed())
    return state.runtime.get();
  state.channel = channel;
  state.runtime.reset();
  Suspended spare;
  if (take_spare(*channel, spare) && spare.program == program) {
    state.program = std::move(program);
    state.runtime = std::move(spare.runtime);
    return state.runtime.get();
  }
  script::Limits limits;
  limits.memory = channel->config().script_memory;
  limits.time = channel->config().script_time;
  auto loaded = script::Runtime::load(program, limits, host_, pool_);
  if (auto* findings = std::get_if<std::vector<Diagnostic>>(&loaded)) {
    why_not = render(*findings);
    return nullptr;
  }
  state.program = std::move(program);
  state.runtime = std::move(std::get<std::unique_ptr<script::Runtime>>(loaded));
  return state.runtime.get();
}

// By [validate] of the channel. False when the message is parked for what is wrong with it, and has
// been concluded; what a person puts back to work is worked nevertheless. What is wrong with it is
// added to `findings`.
bool Scheduler::validated(Channel& channel, WorkQueue::Lane::Entry* entry, std::string& findings) {
  using Policy = config::ValidationConfig::Policy;
  WorkItem& item = entry->item;
  if (item.response || !channel.config().validation.looks()) return true;
  std::shared_ptr<const Judgement> judgement = std::move(item.judgement);
  if (!judgement) {
    judgement =
        std::make_shared<const Judgement>(judge(item.body, channel.config(), *host_.resources()));
  }
  if (!item.resent) count(channel.metrics(), *judgement);
  // What is to be refused and stands here was accepted under another policy, or a person wrote it.
  if (judgement->policy < Policy::park || item.resent) {
    findings = judgement->trace;
    return true;
  }
  script::Conclusion parked;
  parked.kind = script::Conclusion::Kind::parked;
  parked.code = "P323";
  parked.reason = judgement->reason.message;
  parked.trace = judgement->trace;
  const std::shared_ptr<const hl7v2::Message> message = item.parsed;
  channel.conclude(entry, message.get(), std::move(parked));
  return false;
}

// Reads what is not in memory of a message. An error that is no damage: it has to wait.
Result<void> Scheduler::read_back(WorkItem& item) const {
  if (item.body) return {};
  const store::Record record = TRY(store_.read(item.accepted));
  const auto* accepted = std::get_if<store::Accepted>(&record);
  if (!accepted) {
    return Error{"P301", "another record stands where it was received",
                 "see `cannula store check`"};
  }
  item.body = accepted->body;
  item.attributes = accepted->attributes;
  item.received_at = accepted->at;
  return {};
}

// False when the turn ends with it, because the script cannot be run or the message cannot be read.
bool Scheduler::work_one(Worker& worker, const std::shared_ptr<Channel>& channel,
                         WorkQueue::Lane::Entry* entry) {
  std::string why_not;
  script::Runtime* runtime = runtime_for(worker, channel, why_not);
  if (!runtime) {
    channel->queue().put_back(entry);
    channel->pause_work("the script cannot be loaded: " + why_not);
    return false;
  }
  WorkItem& item = entry->item;
  if (const auto read = read_back(item); !read) {
    const std::string why =
        fmt::format("message {} cannot be read: {}", item.id.text(), read.error().text());
    if (may_be_read_later(read.error())) {
      channel->queue().put_back(entry);
      channel->pause_work(why, how_to_go_on(*channel));
      return false;
    }
    spdlog::error("channel {}: {}", channel->name(), why);
    script::Conclusion lost;
    lost.kind = script::Conclusion::Kind::failed;
    lost.code = "P301";
    lost.reason = "its received bytes cannot be read from the journal; see `cannula store check`";
    channel->conclude(entry, nullptr, std::move(lost));
    return true;
  }
  script::Input input;
  input.id = item.id.text();
  input.received_at = item.received_at;
  input.partner = channel->config().partner;
  input.body = item.body;
  input.response = item.response;
  if (!item.parsed) {
    if (auto parsed = hl7v2::Message::parse(input.body)) {
      item.parsed = std::make_shared<const hl7v2::Message>(*std::move(parsed));
    }
  }
  std::string findings;
  if (!validated(*channel, entry, findings)) return true;
  input.parsed = item.parsed;
  input.attributes = item.attributes;

  Suspended run;
  run.findings = std::move(findings);
  run.channel = channel;
  run.entry = entry;
  run.message = item.parsed;
  const auto begun = steady_clock::now();
  run.run = runtime->begin(std::move(input));
  const auto step = run.run->resume(kSlice);
  run.worked = steady_clock::now() - begun;
  if (step == script::Run::Step::finished) {
    end_run(run);
    return true;
  }
  Worker::State& state = worker.states[channel.get()];
  run.program = state.program;
  run.runtime = std::move(state.runtime);
  {
    std::scoped_lock lock(mutex_);
    ++channel->turns().slow;
    slow_lane_.push_back(std::move(run));
  }
  slow_wake_.notify_one();
  return true;
}

void Scheduler::end_run(Suspended& run) {
  run.channel->metrics().work.record(run.worked);
  script::Conclusion conclusion = run.run->conclusion();
  run.run.reset();
  if (!run.findings.empty()) conclusion.trace.insert(0, std::exchange(run.findings, {}));
  run.channel->conclude(run.entry, run.message.get(), std::move(conclusion));
}

}  // namespace cannula::pipeline
