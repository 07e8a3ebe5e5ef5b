// What the store costs: the floor that the disk sets, one waiting caller, many, and the life of a
// message with its three records including the index. CPU is that of the whole process, over all
// threads, for each message or record.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/security/keys/key_ring.h"
#include "engine/store/store.h"

namespace cannula::store {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Folder {
 public:
  Folder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "cannula-bench-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

double size_of(const std::filesystem::path& folder) {
  double size = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) size += static_cast<double>(entry.file_size());
  }
  return size;
}

// Reports CPU and rate over `count` things.
class Meter {
 public:
  explicit Meter(benchmark::State& state) : state_(state), cpu_(cpu_seconds()) {}
  void report(std::string_view thing, std::int64_t count) {
    const double cpu = cpu_seconds() - cpu_;
    state_.SetItemsProcessed(count);
    state_.counters["cpu_us/" + std::string(thing)] = cpu * 1e6 / static_cast<double>(count);
  }

 private:
  benchmark::State& state_;
  double cpu_;
};

// 918 bytes that compress as a result does: fixed segments around what differs.
Bytes body(std::int64_t number) {
  std::string text =
      "MSH|^~\\&|LAB|REFERENCE|EHR|GENERAL|20260115083000+0000||ORU^R01^ORU_R01|MSG" +
      std::to_string(10'000'000 + number) + "|P|2.5.1\r" + "PID|1||" +
      std::to_string(number * 7919 % 1'000'003) +
      "^^^GENERAL^MR||Muster^Erika^Q||19700101|F|||Musterweg 4^^Musterstadt^^12345\r"
      "OBR|1|ORD-" +
      std::to_string(number) + "|ACC-" + std::to_string(number) +
      "|PANEL^Basic metabolic panel^L|||20260115080000+0000\r";
  for (int i = 1; text.size() < 860; ++i) {
    text += "OBX|" + std::to_string(i) + "|NM|2823-" + std::to_string(i) + "^Potassium^LN||" +
            std::to_string((number * 31 + i * 17) % 97) + "." + std::to_string(number * i % 10) +
            "|mmol/L|3.5-5.1|N|||F|||20260115080000+0000\r";
  }
  text.resize(918, 'x');
  return make_bytes(std::move(text));
}

Accepted accepted(std::int64_t number) {
  Accepted record;
  record.channel = "lab-results";
  record.at = 1'760'000'000'000'000 + number * 100;
  record.peer = "10.1.0.7:51234";
  record.partner = "reference-lab";
  record.event = "ORU^R01";
  record.control_id = "MSG" + std::to_string(10'000'000 + number);
  record.body = body(number);
  return record;
}

Outcome outcome(MessageId id) {
  Outcome record;
  record.id = id;
  record.channel = "lab-results";
  record.at = 1'760'000'000'000'000;
  record.order_keys = {id.value * 0x9E3779B97F4A7C15u};
  DeliveryRequest request;
  request.ordinal = 1;
  request.destination = "ehr";
  request.order_keys = record.order_keys;
  request.payload = body(static_cast<std::int64_t>(id.value % 1'000'000));
  record.deliveries.push_back(std::move(request));
  return record;
}

Attempt attempt(MessageId id) {
  static const Bytes response = make_bytes(std::string(150, 'r'));
  Attempt record;
  record.id = id;
  record.channel = "lab-results";
  record.ordinal = 1;
  record.destination = "ehr";
  record.at = 1'760'000'000'000'000;
  record.response = response;
  return record;
}

std::shared_ptr<security::KeyRing> keys_in(const std::filesystem::path& folder) {
  security::MasterKeySource source;
  source.place = "the benchmark";
  source.read = []() -> Result<std::string> { return std::string(64, '7'); };
  auto keys = security::KeyRing::open({folder, source});
  return *std::move(keys);
}

std::unique_ptr<Store> open(const Folder& folder, std::size_t zero_ahead = 4u << 20,
                            bool sealed = true) {
  Options options;
  if (sealed) options.keys = keys_in(folder.path());
  options.directory = folder.path();
  options.zero_ahead = zero_ahead;
  auto store = Store::open(std::move(options));
  return *std::move(store);
}

// The least it could cost: append and fdatasync, a 1 KB record each or 100 at once, to a growing
// file or over zeros.
void floor_of_the_disk(benchmark::State& state) {
  const Folder folder;
  const auto records = state.range(0);
  const bool zeroed = state.range(1) != 0;
  const int file = ::open((folder.path() / "file").c_str(), O_RDWR | O_CREAT, 0600);
  const std::string bytes(static_cast<std::size_t>(records) * 1100, 'x');
  if (zeroed) {
    const std::string zeros(1u << 20, '\0');
    for (int i = 0; i < 128; ++i)
      static_cast<void>(::pwrite(file, zeros.data(), zeros.size(), off_t{i} << 20) < 0);
    ::fsync(file);
  }
  Meter meter(state);
  off_t at = 0;
  for (auto _ : state) {
    if (::pwrite(file, bytes.data(), bytes.size(), at) < 0 || ::fdatasync(file) != 0) {
      state.SkipWithError("write failed");
    }
    at += static_cast<off_t>(bytes.size());
    if (zeroed && at + static_cast<off_t>(bytes.size()) > off_t{128} << 20) at = 0;
  }
  meter.report("record", state.iterations() * records);
  ::close(file);
}
BENCHMARK(floor_of_the_disk)
    ->ArgNames({"records", "zeroed"})
    ->ArgsProduct({{1, 100}, {0, 1}})
    ->UseRealTime();

// One caller that waits for each commit; with and without zeros written ahead.
void commit_alone(benchmark::State& state) {
  const Folder folder;
  const auto store = open(folder, static_cast<std::size_t>(state.range(0)));
  Meter meter(state);
  std::int64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(store->commit({accepted(number++)}));
  store->catch_up();
  meter.report("message", state.iterations());
}
BENCHMARK(commit_alone)->ArgName("zero_ahead")->Arg(0)->Arg(4 << 20)->UseRealTime();

// Keeps `window` messages under way, each going on when its last step is on disk, as the pipeline
// does.
class Life {
 public:
  Life(Store& store, int steps) : store_(store), steps_(steps) {}

  void run(std::int64_t messages, std::int64_t window) {
    left_ = messages - window;
    under_way_ = window;
    for (std::int64_t i = 0; i < window; ++i) begin(i);
    std::unique_lock guard(lock_);
    ended_.wait(guard, [this] { return under_way_ == 0; });
  }

 private:
  using Done = Result<std::vector<Committed>>;

  void begin(std::int64_t number) {
    store_.submit({accepted(number)}, [this](Done done) {
      const MessageId id = done->front().id;
      if (steps_ == 1) return end();
      store_.submit({outcome(id)}, [this, id](const Done&) {
        store_.submit({attempt(id)}, [this](const Done&) { end(); });
      });
    });
  }
  void end() {
    const std::int64_t number = left_.fetch_sub(1);
    if (number > 0) return begin(number);
    const std::lock_guard guard(lock_);
    if (--under_way_ == 0) ended_.notify_one();
  }

  Store& store_;
  int steps_;
  std::atomic<std::int64_t> left_{0};
  std::int64_t under_way_ = 0;
  std::mutex lock_;
  std::condition_variable ended_;
};

void life_of_messages(benchmark::State& state) {
  constexpr std::int64_t kMessages = 50'000;
  const Folder folder;
  const auto store = open(folder, static_cast<std::size_t>(state.range(2)), state.range(3) != 0);
  Meter meter(state);
  for (auto _ : state)
    Life(*store, static_cast<int>(state.range(0))).run(kMessages, state.range(1));
  store->catch_up();
  meter.report("message", state.iterations() * kMessages);
  state.counters["disk_bytes/message"] =
      size_of(folder.path()) / static_cast<double>(state.iterations() * kMessages);
}
// Sealed beside plain: one after the other in one run.
BENCHMARK(life_of_messages)
    ->ArgNames({"records", "window", "zero_ahead", "sealed"})
    ->Args({1, 64, 4 << 20, 0})
    ->Args({1, 64, 4 << 20, 1})
    ->Args({3, 64, 0, 1})
    ->Args({3, 64, 4 << 20, 0})
    ->Args({3, 64, 4 << 20, 1})
    ->Args({3, 256, 4 << 20, 0})
    ->Args({3, 256, 4 << 20, 1})
    ->Args({3, 2000, 4 << 20, 0})
    ->Args({3, 2000, 4 << 20, 1})
    ->Iterations(4)
    ->UseRealTime();

// 64 threads that each wait for their commit.
void commit_from_64_threads(benchmark::State& state) {
  constexpr int kThreads = 64;
  constexpr int kEach = 300;
  const Folder folder;
  const auto store = open(folder);
  Meter meter(state);
  for (auto _ : state) {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&store] {
        for (int n = 0; n < kEach; ++n) benchmark::DoNotOptimize(store->commit({accepted(n)}));
      });
    }
  }
  store->catch_up();
  meter.report("message", state.iterations() * kThreads * kEach);
}
BENCHMARK(commit_from_64_threads)->UseRealTime();

// The index alone: what a rebuild from the journal costs.
void rebuild_index(benchmark::State& state) {
  constexpr std::int64_t kMessages = 100'000;
  const Folder folder;
  Life(*open(folder), 3).run(kMessages, 500);
  Meter meter(state);
  for (auto _ : state) {
    for (const char* name : {"index.db", "index.db-wal", "index.db-shm"})
      std::filesystem::remove(folder.path() / name);
    const auto store = open(folder);
    if (store->recovery().records_replayed != 3 * kMessages)
      state.SkipWithError("records are missing");
  }
  meter.report("message", state.iterations() * kMessages);
}
BENCHMARK(rebuild_index)->Iterations(2)->UseRealTime();

}  // namespace
}  // namespace cannula::store
