// A scripted workload on a disk that may do anything a disk may do: whatever was acknowledged must
// be there afterwards, whole and in order, and nothing may come back in part.
#include <csignal>
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/store/journal.h"
#include "engine/store/record_codec.h"
#include "engine/store/store_files.h"
#include "tests/faults/store_faulty_file_system.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

using Unsynced = FaultyFileSystem::Unsynced;

std::string bytes_of(const Record& record) {
  std::string bytes;
  encode(record, bytes);
  return bytes;
}

// A submission of the workload, told apart by its step.
struct Step {
  int number = 0;
  std::vector<Committed> committed;
  std::vector<std::string> records;  // as committed, ids filled in
};

struct Told {
  std::vector<Step> stored;  // completions reported success
  std::vector<int> failed;   // completions reported an error
};

// Each record carries "step/index/count" where it can be read back.
std::string mark(int step, std::size_t index, std::size_t count) {
  return fmt::format("{}/{}/{}", step, index, count);
}

std::string mark_of(const Record& record) {
  if (const auto* one = std::get_if<Accepted>(&record)) return one->control_id;
  if (const auto* one = std::get_if<Outcome>(&record)) return one->reason;
  return std::get<Attempt>(record).reason;
}

// What step `number` commits: a new message; or outcome and attempt for the message of the step
// before, with a new one.
std::vector<Record> records_of(int number, MessageId previous) {
  const std::size_t size = static_cast<std::size_t>(number) * 137 % 1900;
  std::vector<Record> records;
  const bool follows = previous && number % 2 == 1;
  const std::size_t count = follows ? 3 : 1;
  if (follows) {
    auto worked = outcome(previous, "lab", MessageState::queued, {"ehr"});
    worked.reason = mark(number, 0, count);
    auto delivered = attempt(previous, "lab", 1, "ehr", DeliveryState::delivered);
    delivered.reason = mark(number, 1, count);
    records.emplace_back(std::move(worked));
    records.emplace_back(std::move(delivered));
  }
  auto taken = accepted("lab", noise(static_cast<unsigned>(number), size));
  taken.control_id = mark(number, count - 1, count);
  records.emplace_back(std::move(taken));
  return records;
}

class StoreCrashTest : public StoreFixture {
 protected:
  Options options_on(FileSystem& disk) const {
    Options options;
    options.directory = directory();
    options.file_system = &disk;
    options.segment_size = 5000;  // a handful of steps
    options.zero_ahead = 0;
    options.keys = keys();
    return options;
  }

  static constexpr int kSteps = 24;

  static void run(Store& store, Told& told, int first = 0, int steps = kSteps) {
    MessageId previous;
    for (int number = first; number < first + steps; ++number) {
      std::vector<Record> records = records_of(number, previous);
      auto result = store.commit(records);
      if (!result) {
        told.failed.push_back(number);
        previous = {};
        continue;
      }
      Step step{.number = number, .committed = *result, .records = {}};
      for (std::size_t i = 0; i < records.size(); ++i) {
        if (auto* taken = std::get_if<Accepted>(&records[i])) taken->id = (*result)[i].id;
        step.records.push_back(bytes_of(records[i]));
      }
      previous = result->back().id;
      told.stored.push_back(std::move(step));
    }
  }

  static void expect_readable(const Store& store, const Told& told) {
    for (const Step& step : told.stored) {
      for (std::size_t i = 0; i < step.records.size(); ++i) {
        const auto record = store.read(step.committed[i].position);
        ASSERT_TRUE(record) << "step " << step.number << ": " << record.error().text();
        ASSERT_EQ(bytes_of(*record), step.records[i]) << "step " << step.number;
      }
    }
  }

  // Every record of the journal belongs to a submission that is there as a whole; those come in the
  // order of their steps; `allowed` says for a step that was not acknowledged whether it may be
  // there.
  void expect_whole_submissions(FileSystem& disk, const Told& told,
                                const std::function<bool(int)>& allowed) const {
    Recovery recovery;
    const auto ring = keys();
    const auto journal = Journal::open({.directory = journal_directory(directory()),
                                        .file_system = &disk,
                                        .segment_size = 0,
                                        .zero_ahead = 0,
                                        .read_only = true,
                                        .keys = ring.get()},
                                       recovery);
    ASSERT_TRUE(journal) << journal.error().text();
    std::vector<std::string> marks;
    const auto visit = [&](const Frame& frame) -> Result<bool> {
      if (frame.header.type != 0) {
        marks.push_back(mark_of(TRY((*journal)->record_of(frame))));
      }
      return true;
    };
    std::vector<Diagnostic> gaps;
    ASSERT_TRUE((*journal)->scan(0, (*journal)->end(), visit, &gaps));
    EXPECT_THAT(render(gaps), testing::IsEmpty());

    std::set<int> acknowledged;
    for (const Step& step : told.stored) acknowledged.insert(step.number);
    std::set<int> found;
    int last = -1;
    for (std::size_t i = 0; i < marks.size();) {
      const int number = std::stoi(marks[i]);
      const std::size_t count = records_of(number, MessageId{1}).size();
      EXPECT_GT(number, last);
      EXPECT_TRUE(acknowledged.contains(number) || allowed(number)) << "step " << number;
      last = number;
      found.insert(number);
      // A step that followed no message has one record; the mark says so.
      const std::size_t marked =
          static_cast<std::size_t>(std::stoul(marks[i].substr(marks[i].rfind('/') + 1)));
      ASSERT_LE(marked, count);
      for (std::size_t index = 0; index < marked; ++index, ++i) {
        ASSERT_LT(i, marks.size()) << "half of step " << number;
        EXPECT_EQ(marks[i], mark(number, index, marked));
      }
    }
    for (const int number : acknowledged) EXPECT_TRUE(found.contains(number)) << "step " << number;
  }

  void expect_sound(FileSystem& disk) const {
    const auto found = check(directory(), &disk, keys());
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(render(found->damage), "");
    EXPECT_EQ(found->torn_bytes_cut, 0u);
  }

  // Runs the workload into a crash at operation `at` and looks at what is left. False: the workload
  // ended before.
  bool crash_and_verify(std::uint64_t at, Unsynced unsynced, std::uint64_t seed,
                        std::size_t zero_ahead) {
    FaultyFileSystem disk(seed);
    disk.crash_at(at);
    Options options = options_on(disk);
    options.zero_ahead = zero_ahead;
    Told told;
    {
      auto store = Store::open(options);
      if (store) run(**store, told);
    }
    if (!disk.crashed()) return false;
    disk.restart(unsynced);
    MessageId highest;
    {
      const auto store = open(options);
      EXPECT_EQ(render(store->recovery().damage), "");
      expect_readable(*store, told);
      for (const Step& step : told.stored) highest = std::max(highest, step.committed.back().id);
      const Position end = store->end();
      Told after;
      run(*store, after, kSteps, 4);
      EXPECT_TRUE(after.failed.empty());
      for (const Step& step : after.stored) {
        EXPECT_GT(step.committed.back().id, highest);
        EXPECT_GE(step.committed.front().position, end);
      }
      told.stored.insert(told.stored.end(), after.stored.begin(), after.stored.end());
    }
    // Only the step that was under way when the power went may be there without having been
    // acknowledged.
    const int under_way = told.failed.empty() ? -1 : told.failed.front();
    expect_whole_submissions(disk, told, [&](int number) { return number == under_way; });
    expect_sound(disk);
    std::filesystem::remove_all(directory());
    return true;
  }
};

TEST_F(StoreCrashTest, nothing_acknowledged_is_lost_when_unsynced_writes_are_dropped) {
  std::uint64_t at = 1;
  while (!HasFailure() && crash_and_verify(at, Unsynced::lost, 1, 0)) ++at;
  EXPECT_GT(at, 60u) << "the workload has become too short";
}

TEST_F(StoreCrashTest, nothing_acknowledged_is_lost_when_unsynced_writes_are_torn) {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    std::uint64_t at = 1;
    while (!HasFailure() && crash_and_verify(at, Unsynced::torn, seed * 7919 + at, 0)) ++at;
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", operation " << at;
  }
}

TEST_F(StoreCrashTest, nothing_acknowledged_is_lost_while_zeros_are_written_ahead) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    std::uint64_t at = 1;
    while (!HasFailure() && crash_and_verify(at, Unsynced::torn, seed * 104729 + at, 1500)) ++at;
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", operation " << at;
  }
}

struct Failure {
  const char* code;
  std::uint64_t count;  // of operations in a row
};

class StoreFailureTest : public StoreCrashTest, public testing::WithParamInterface<Failure> {};

TEST_P(StoreFailureTest, what_fails_is_refused_and_never_comes_back) {
  std::uint64_t operations = 0;
  {
    FaultyFileSystem disk;
    const auto store = open(options_on(disk));
    const std::uint64_t opened = disk.operations();
    Told told;
    run(*store, told);
    operations = disk.operations();
    ASSERT_GT(operations, opened + 40);
    store->close();
    std::filesystem::remove_all(directory());
  }
  for (std::uint64_t at = 1; at <= operations && !HasFailure(); ++at) {
    FaultyFileSystem disk(at);
    Told told;
    {
      disk.fail_at(at, GetParam().count, GetParam().code);
      auto store = Store::open(options_on(disk));
      if (!store) {
        EXPECT_EQ(store.error().code, GetParam().code);
        disk.fail_at(0, 0, "");
        store = Store::open(options_on(disk));
        ASSERT_TRUE(store) << store.error().text();
      }
      run(**store, told);
      disk.fail_at(0, 0, "");
      const std::size_t failed = told.failed.size();
      run(**store, told, kSteps, 4);
      EXPECT_EQ(told.failed.size(), failed) << "the store did not recover";
      expect_readable(**store, told);
    }
    {
      const auto store = open(options_on(disk));
      EXPECT_EQ(render(store->recovery().damage), "");
      expect_readable(*store, told);
    }
    expect_whole_submissions(disk, told, [](int) { return false; });
    expect_sound(disk);
    std::filesystem::remove_all(directory());
    ASSERT_FALSE(HasFailure()) << "operation " << at;
  }
}

INSTANTIATE_TEST_SUITE_P(DiskFullAndBroken, StoreFailureTest,
                         testing::Values(Failure{"J103", 1}, Failure{"J103", 2}, Failure{"J103", 9},
                                         Failure{"J104", 1}, Failure{"J104", 3},
                                         Failure{"J104", 12}));

// A batch fails in a segment that has nothing yet, after one that failed in the segment before.
TEST_F(StoreCrashTest, what_failed_in_two_segments_does_not_come_back) {
  for (std::uint64_t later = 1; later < 12 && !HasFailure(); ++later) {
    FaultyFileSystem disk(later);
    Told told;
    {
      const auto store = open(options_on(disk));
      run(*store, told, 0, 1);
      disk.fail_at(disk.operations() + 2, 1, "J104");  // the sync
      run(*store, told, 1, 1);
      disk.fail_at(disk.operations() + later, 1, "J104");
      run(*store, told, 2, 1);
      disk.fail_at(0, 0, "");
    }
    ASSERT_FALSE(told.failed.empty());
    {
      const auto store = open(options_on(disk));
      EXPECT_EQ(render(store->recovery().damage), "");
      expect_readable(*store, told);
    }
    expect_whole_submissions(disk, told, [](int) { return false; });
    expect_sound(disk);
    std::filesystem::remove_all(directory());
  }
}

// The disk fails and then the power goes: an error was reported, so the records may be there whole
// or not at all.
TEST_F(StoreCrashTest, a_failure_followed_by_a_crash_leaves_no_half_submissions) {
  for (std::uint64_t at = 3; at < 80 && !HasFailure(); ++at) {
    for (const std::uint64_t later : {1, 2, 3, 4, 6, 9}) {
      FaultyFileSystem disk(at * 31 + later);
      Told told;
      {
        disk.fail_at(at, 1, "J104");
        disk.crash_at(at + later);
        auto store = Store::open(options_on(disk));
        if (store) run(**store, told);
      }
      disk.restart(Unsynced::torn);
      {
        const auto store = open(options_on(disk));
        EXPECT_EQ(render(store->recovery().damage), "");
        expect_readable(*store, told);
      }
      expect_whole_submissions(disk, told, [](int) { return true; });
      expect_sound(disk);
      std::filesystem::remove_all(directory());
      ASSERT_FALSE(HasFailure()) << "operation " << at << ", crash " << later << " later";
    }
  }
}

// On the real file system, with threads and zeros ahead: the parent knows what was acknowledged
// from a pipe.
TEST_F(StoreCrashTest, a_killed_process_leaves_everything_it_acknowledged) {
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      Options options;
      options.directory = directory();
      options.segment_size = 200'000;
      options.keys = keys();
      auto store = Store::open(options);
      for (int number = 0; store; ++number) {
        const auto done =
            (*store)->commit({accepted("lab", noise(static_cast<unsigned>(number), 700))});
        if (!done || ::write(ends[1], &done->front(), sizeof(Committed)) < 0) ::_exit(1);
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    std::vector<Committed> acknowledged;
    Committed one;
    while (acknowledged.size() < 400 && ::read(ends[0], &one, sizeof(one)) == sizeof(one)) {
      acknowledged.push_back(one);
    }
    ::kill(child, SIGKILL);
    while (::read(ends[0], &one, sizeof(one)) == sizeof(one)) acknowledged.push_back(one);
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    ASSERT_GE(acknowledged.size(), 400u);

    const auto store = open(options());
    EXPECT_EQ(render(store->recovery().damage), "");
    for (const Committed& expected : acknowledged) {
      const auto record = store->read(expected.position);
      ASSERT_TRUE(record) << record.error().text();
      EXPECT_EQ(std::get<Accepted>(*record).id, expected.id);
    }
    EXPECT_EQ(state(*store, acknowledged.back().id), MessageState::accepted);
  }
  const auto found = check(directory(), nullptr, keys());
  ASSERT_TRUE(found);
  EXPECT_EQ(render(found->damage), "");
}

}  // namespace
}  // namespace cannula::store
