// A disk that takes its time, or does not answer any more.
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "channels/file/background.h"
#include "channels/file/file_writer.h"
#include "channels/file/sender.h"
#include "tests/unit/channels/support.h"

namespace {

// Called at the next sync, and not again.
std::atomic<const std::function<void()>*> at_sync{nullptr};

}  // namespace

// In place of the C library's, in this program.
extern "C" int fsync(int file) {
  if (const auto* const act = at_sync.exchange(nullptr)) (*act)();
  return static_cast<int>(::syscall(SYS_fsync, file));
}

namespace cannula::test {

namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class HangingDisk : public ExecutorTest {
 protected:
  HangingDisk() { fs::create_directory(out); }

  fs::path out = folder.path / "out";
};

std::shared_ptr<file::FileWriter::Request> request_of(const std::string& key,
                                                      const std::string& content) {
  return std::make_shared<file::FileWriter::Request>(
      file::FileWriter::Request{.name = "same.hl7", .key = key, .content = make_bytes(content)});
}

// Two destinations may have one folder.
TEST_F(HangingDisk, TwoWritersNeverWriteIntoOneFile) {
  file::FileWriter first(out), second(out);
  const auto slow = request_of("1-a-1", "of the first");
  const auto fast = request_of("1-b-1", "of the second");
  const std::function<void()> act = [&] {
    second.add(fast);
    EXPECT_TRUE(second.write(*fast));
    EXPECT_EQ(content_of(out / "same.hl7"), "of the second");
  };
  at_sync = &act;
  first.add(slow);
  EXPECT_TRUE(first.write(*slow));
  EXPECT_EQ(content_of(out / "same.hl7"), "of the first");
  EXPECT_THAT(names_in(out), ElementsAre("same.hl7"));
}

// The next writer may be at the same delivery by then.
TEST_F(HangingDisk, AWriterThatIsAbandonedGivesNothingItsName) {
  file::FileWriter abandoned(out);
  const auto request = request_of("1-a-1", "content");
  const std::function<void()> act = [&] {
    abandoned.abandon();
    fs::remove(out / ".1-a-1.tmp");
    folder.write("out/.1-a-1.tmp", "a part of what the next one writes");
  };
  at_sync = &act;
  abandoned.add(request);
  static_cast<void>(abandoned.write(*request));
  EXPECT_THAT(names_in(out), ElementsAre(".1-a-1.tmp"));
}

TEST_F(HangingDisk, DoesNotKeepADestinationFromStopping) {
  struct Disk {
    std::promise<void> hangs, answers;
  };
  const auto disk = std::make_shared<Disk>();
  static std::function<void()> act;  // the thread is in it when the test has ended
  act = [disk] {
    disk->hangs.set_value();
    disk->answers.get_future().wait();
  };
  at_sync = &act;
  auto sender =
      file::make_sender(values_of(file::sender_options(), {{"directory", "out"}}), ports()).value();
  std::optional<Answer> answer;
  asio::co_spawn(
      io,
      [](Sender& to, std::optional<Answer>& got) -> asio::awaitable<void> {
        Parcel parcel;
        parcel.key = "1-a-1";
        parcel.payload = make_bytes("content");
        got = co_await to.deliver(parcel);
      }(*sender, answer),
      asio::detached);
  auto hangs = disk->hangs.get_future();
  run([&]() -> asio::awaitable<void> {
    co_await until([&] { return hangs.wait_for(0s) == std::future_status::ready; });
  }());
  const auto begun = std::chrono::steady_clock::now();
  run([&]() -> asio::awaitable<void> {
    co_await sender->stop();
    co_await until([&] { return answer.has_value(); });
  }());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->kind, Answer::Kind::retry);
  EXPECT_EQ(answer->reason.code, "F204");
  sender.reset();
  disk->answers.set_value();
}

TEST_F(HangingDisk, CallsThatEndInTimeAreWaitedFor) {
  file::Background background(io.get_executor());
  run([&]() -> asio::awaitable<void> {
    int result = 0;
    asio::co_spawn(
        io,
        [](file::Background& on, int& into) -> asio::awaitable<void> {
          const auto work = [] {
            std::this_thread::sleep_for(50ms);
            return 7;
          };
          into = co_await on.run(work);
        }(background, result),
        asio::detached);
    co_await pause(10ms);
    const bool finished = co_await background.finish(kNever);
    EXPECT_TRUE(finished);
    co_await until([&] { return result == 7; });
    EXPECT_EQ(result, 7);
  }());
}

}  // namespace

}  // namespace cannula::test
