// What the engine makes of an index that has not followed the journal yet, or is being built anew.
#include <condition_variable>
#include <future>

#include <pthread.h>

#include "engine/store/sqlite.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using namespace std::chrono_literals;
using store::File;
using testing::HasSubstr;
using testing::IsEmpty;

// Lets the indexer read nothing of the journal while it is shut.
class Gate {
 public:
  void shut() { set(true); }
  void open() { set(false); }
  void pass() {
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof(name));
    if (std::string_view(name) != "indexer") return;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !shut_; });
  }

 private:
  void set(bool shut) {
    {
      std::scoped_lock lock(mutex_);
      shut_ = shut;
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool shut_ = false;
};

class GatedFile final : public File {
 public:
  GatedFile(std::unique_ptr<File> file, Gate& gate) : file_(std::move(file)), gate_(gate) {}
  Result<std::size_t> read(std::uint64_t offset, char* into, std::size_t size) const override {
    gate_.pass();
    return file_->read(offset, into, size);
  }
  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    return file_->write(offset, bytes);
  }
  Result<void> sync() override { return file_->sync(); }
  Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
  Result<std::uint64_t> size() const override { return file_->size(); }
  bool has_name() const override { return file_->has_name(); }
  bool is_at(const std::filesystem::path& path) const override { return file_->is_at(path); }

 private:
  std::unique_ptr<File> file_;
  Gate& gate_;
};

class GatedFileSystem final : public store::FileSystem {
 public:
  using Path = std::filesystem::path;
  Gate gate;

  Result<std::unique_ptr<File>> open(const Path& path, Access access) override {
    return std::unique_ptr<File>(std::make_unique<GatedFile>(TRY(real().open(path, access)), gate));
  }
  Result<std::unique_ptr<File>> open_plain(const Path& path) override {
    return real().open_plain(path);
  }
  Result<std::vector<std::string>> list(const Path& folder) override { return real().list(folder); }
  Result<void> rename(const Path& from, const Path& to) override { return real().rename(from, to); }
  Result<void> remove(const Path& path) override { return real().remove(path); }
  Result<void> destroy(const Path& path) override { return real().destroy(path); }
  Result<void> make_directories(const Path& path) override { return real().make_directories(path); }
  Result<void> make_directory(const Path& path) override { return real().make_directory(path); }
  bool is_directory(const Path& path) override { return real().is_directory(path); }
  Result<void> sync_directory(const Path& folder) override { return real().sync_directory(folder); }
  Result<std::uint64_t> free_space(const Path& folder) override {
    return real().free_space(folder);
  }
  Result<std::unique_ptr<store::FileLock>> lock(const Path& path) override {
    return real().lock(path);
  }
  Result<std::unique_ptr<store::FileLock>> lock_directory(const Path& folder) override {
    return real().lock_directory(folder);
  }
};

// So large that a few of them fill the windows in memory.
std::string large(int number) {
  return oru(number, "P" + std::to_string(number), "|" + std::string(1 << 20, 'x'));
}

class IndexBehindTest : public EngineTest {
 protected:
  std::unique_ptr<store::Connection> index() const {
    return store::Connection::open(store::index_path(folder_.path() / "state"),
                                   store::Connection::Mode::create)
        .value();
  }
  // As long as it lives nothing is written to the index.
  std::unique_ptr<store::Connection> index_that_cannot_be_written(Engine& engine) const {
    engine.store().catch_up();
    auto connection = index();
    EXPECT_TRUE(connection->execute("BEGIN IMMEDIATE"));
    return connection;
  }

  std::unique_ptr<Engine> start_gated(std::shared_ptr<const config::Site> site) {
    auto engine = std::make_unique<Engine>(std::move(site), transports_, &files_);
    const auto findings = engine->start();
    EXPECT_THAT(findings, IsEmpty()) << render(findings);
    return engine;
  }
  // From here on until the gate is opened the index is new and has nothing in it.
  void begin_to_build_anew(Engine& engine, MessageId any) {
    engine.store().catch_up();
    files_.gate.shut();
    ASSERT_TRUE(index()->execute("UPDATE messages SET texts = zeroblob(60) WHERE id = " +
                                 std::to_string(any.value)));
    const auto read = engine.store().message(any);
    ASSERT_FALSE(read);
    ASSERT_EQ(read.error().code, "J302");
    for (int i = 0; i < 6000; ++i) {
      const auto counts = engine.store().counts();
      if (counts && counts->empty()) return;
      std::this_thread::sleep_for(10ms);
    }
    FAIL() << "the index is not built anew";
  }
  static std::size_t in_memory(const Engine& engine) {
    std::size_t count = 0;
    engine.each_channel([&](const ChannelView& view) {
      count = view.channel.destinations().at("ehr")->in_memory();
    });
    return count;
  }
  static std::set<std::string> keys(const std::vector<Sent>& sent) {
    std::set<std::string> keys;
    for (const Sent& one : sent) keys.insert(one.key);
    return keys;
  }

  GatedFileSystem files_;
};

TEST_F(IndexBehindTest, DeliveriesThatWaitOnDiskAreNotForgottenWhileItIsBuiltAnew) {
  constexpr std::size_t kAll = 24;
  MessageId any;
  {
    auto engine = start(site(kRelay));
    ASSERT_TRUE(engine->pause("lab", "to:ehr", true, "ina", "the test"));
    for (std::size_t i = 0; i < kAll; ++i) {
      any = wires_.offer("lab", {large(static_cast<int>(i))})[0].id;
    }
    wait_for(*engine, any, store::MessageState::queued);
  }
  auto engine = start_gated(site(kRelay));
  constexpr std::size_t kInMemory = 8;  // what is read back until half of the window is full
  for (int i = 0; i < 6000 && in_memory(*engine) < kInMemory; ++i)
    std::this_thread::sleep_for(10ms);
  ASSERT_LT(in_memory(*engine), kAll) << "nothing is left on disk";

  begin_to_build_anew(*engine, any);
  EXPECT_TRUE(engine->pause("lab", "to:ehr", false, "ina", "the test"));
  wires_.delivered(kInMemory);
  EXPECT_EQ(wires_.offer("lab", {oru(1000, "A")})[0].disposition, Disposition::accepted);
  std::this_thread::sleep_for(500ms);
  files_.gate.open();
  const auto sent = wires_.delivered(kAll + 1);
  EXPECT_EQ(keys(sent).size(), kAll + 1);
  EXPECT_THAT(sent.back().payload, HasSubstr("|N1000|")) << "it overtook what had waited";
}

TEST_F(IndexBehindTest, MessagesThatWaitOnDiskAreNotForgottenWhileItIsBuiltAnew) {
  MessageId first, discarded;
  {
    auto engine = start(site(kRelay));
    ASSERT_TRUE(engine->pause("lab", "work", true, "ina", "the test"));
    const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "A"), oru(3, "A")});
    first = receipts[0].id;
    discarded = receipts[1].id;
  }
  auto engine = start_gated(site(kRelay));
  ASSERT_TRUE(engine->discard(discarded, 0, "ina", "the test"));
  begin_to_build_anew(*engine, first);
  EXPECT_TRUE(engine->pause("lab", "work", false, "ina", "the test"));
  wires_.offer("lab", {oru(4, "A")});
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(wires_.delivered_count(), 0u);
  files_.gate.open();
  const auto sent = wires_.delivered(3);
  EXPECT_THAT(sent[0].payload, HasSubstr("|N1|"));
  EXPECT_THAT(sent[1].payload, HasSubstr("|N3|"));
  EXPECT_THAT(sent[2].payload, HasSubstr("|N4|"));
}

TEST_F(IndexBehindTest, WhetherAMessageCameBeforeIsNotSaidWhileItIsBuiltAnew) {
  auto watching = site(kRelay);
  watching->channels["lab"].source.set("duplicates", std::chrono::milliseconds(3'600'000));
  MessageId first;
  {
    auto engine = start(watching);
    first = wires_.offer("lab", {oru(1, "A")})[0].id;
    wait_for(*engine, first, store::MessageState::done);
  }
  auto engine = start_gated(watching);
  begin_to_build_anew(*engine, first);
  const Receipt not_now = wires_.offer("lab", {oru(1, "A")})[0];
  EXPECT_EQ(not_now.disposition, Disposition::failed);
  EXPECT_EQ(not_now.reason.code, "J303");
  files_.gate.open();
  engine->store().catch_up();
  const Receipt known = wires_.offer("lab", {oru(1, "A")})[0];
  EXPECT_EQ(known.disposition, Disposition::accepted);
  EXPECT_EQ(known.id, first);
  EXPECT_EQ(wires_.delivered_count(), 1u);
}

TEST_F(IndexBehindTest, NoSequenceNumberIsTakenBeforeItIsKnownWhichOneIsDue) {
  const auto numbered = [](const std::string& number) {
    return "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101||ORU^R01^ORU_R01|N" + number + "|P|2.5.1|" + number +
           "\rPID|1||A^^^GEN^MR\r";
  };
  auto following = site(kRelay);
  following->channels["lab"].source.set("sequence", true);
  MessageId first;
  {
    auto engine = start(following);
    first = wires_.offer("lab", {numbered("1")})[0].id;
    wait_for(*engine, first, store::MessageState::done);
  }
  auto engine = start_gated(following);
  begin_to_build_anew(*engine, first);
  EXPECT_EQ(wires_.offer("lab", {numbered("1")})[0].reason.code, "J303");
  files_.gate.open();
  engine->store().catch_up();
  EXPECT_EQ(wires_.offer("lab", {numbered("1")})[0].disposition, Disposition::accepted);
  EXPECT_EQ(wires_.offer("lab", {numbered("3")})[0].reason.code, "P326");
  EXPECT_EQ(wires_.offer("lab", {numbered("2")})[0].disposition, Disposition::accepted);
  EXPECT_EQ(wires_.delivered(2).size(), 2u);
}

// The old source takes in what the index has not heard of when the new one is opened.
TEST_F(IndexBehindTest, AReloadWaitsForItSoThatARepeatIsKnown) {
  const auto watching = [this](const std::string& written) {
    auto made = site(kRelay);
    made->channels["lab"].source.set("duplicates", std::chrono::milliseconds(3'600'000));
    made->channels["lab"].source_written = written;
    return made;
  };
  auto engine = start(watching("lab"));
  std::unique_ptr<store::Connection> held;
  std::future<void> later;
  wires_.when_closing = [&](const std::string&) {
    wires_.when_closing = nullptr;
    held = index_that_cannot_be_written(*engine);
    wires_.offer_later("lab", oru(1, "A"));
    later = std::async(std::launch::async, [&] {
      std::this_thread::sleep_for(500ms);
      held.reset();
    });
  };
  wires_.when_listening = [&](const std::string&) { wires_.offer_later("lab", oru(1, "A")); };
  EXPECT_THAT(engine->reload(watching("another")), IsEmpty());
  later.get();
  wait_for(*engine, wires_.offer("lab", {oru(2, "A")})[0].id, store::MessageState::done);
  EXPECT_EQ(wires_.delivered_count(), 2u);
}

TEST_F(IndexBehindTest, AReloadThatWaitsForItInVainChangesNothing) {
  auto engine = start(site(kRelay));
  auto changed = site("function main(msg) return skip('no') end");
  changed->channels["lab"].source_written = "another";
  std::unique_ptr<store::Connection> held;
  wires_.when_closing = [&](const std::string&) {
    wires_.when_closing = nullptr;
    held = index_that_cannot_be_written(*engine);
    wires_.offer_later("lab", oru(1, "A"));
  };
  EXPECT_THAT(render(engine->reload(changed)), HasSubstr("J303"));
  const MessageId second = wires_.offer("lab", {oru(2, "A")})[0].id;
  held.reset();
  wait_for(*engine, second, store::MessageState::done);
  EXPECT_EQ(wires_.delivered(2).size(), 2u);
}

TEST_F(IndexBehindTest, WhatAPersonPutBackToWorkRunsOnceThoughTheBacklogIsReadBehindIt) {
  constexpr std::size_t kBacklog = 40;  // the window takes 16 of them
  auto engine = start(site("function main(msg) return skip('later') end"));
  std::vector<std::string> bodies;
  for (int i = 0; i < 5; ++i) bodies.push_back(oru(1000 + i, "R" + std::to_string(i)));
  const auto filtered = wires_.offer("lab", bodies);
  wait_for(*engine, filtered.back().id, store::MessageState::filtered);
  ASSERT_THAT(engine->reload(site("function main(msg) msg['OBX-7'] = ''; send('ehr', msg) end")),
              IsEmpty());
  ASSERT_TRUE(engine->pause("lab", "work", true, "ina", "the test"));
  for (std::size_t i = 0; i < kBacklog; ++i) wires_.offer("lab", {large(static_cast<int>(i))});
  for (const Receipt& one : filtered) ASSERT_TRUE(engine->resend(one.id, 0, "ina", "now"));
  {
    const auto held = index_that_cannot_be_written(*engine);
    ASSERT_TRUE(engine->pause("lab", "work", false, "ina", "the test"));
    wires_.delivered(kBacklog + filtered.size());
    std::this_thread::sleep_for(500ms);
  }
  wait_for(*engine, wires_.offer("lab", {oru(2000, "Z")})[0].id, store::MessageState::done);
  EXPECT_EQ(wires_.delivered_count(), kBacklog + filtered.size() + 1);
}

TEST_F(IndexBehindTest, ADeliveryThatAPersonPutBackToWorkGoesOnceThoughTheBacklogIsReadBehindIt) {
  constexpr std::size_t kBacklog = 40;  // the window takes 16 of them
  std::atomic<Answer::Kind> kind{Answer::Kind::refused};
  wires_.answer = [&](const Parcel&, int) {
    return Answer{kind, nullptr, Error{"T1", "not now"}, {}};
  };
  auto engine = start(site(kRelay));
  const auto id = wires_.offer("lab", {oru(1000, "A")})[0].id;
  wait_for(*engine, id, store::MessageState::dead);
  kind = Answer::Kind::retry;
  for (std::size_t i = 0; i < kBacklog; ++i) {
    const auto receipt = wires_.offer("lab", {large(static_cast<int>(i))})[0];
    if (i + 1 == kBacklog) wait_for(*engine, receipt.id, store::MessageState::queued);
  }
  ASSERT_TRUE(engine->resend(id, 1, "ina", "now"));
  {
    const auto held = index_that_cannot_be_written(*engine);
    kind = Answer::Kind::delivered;
    wires_.delivered(kBacklog + 1);
    std::this_thread::sleep_for(500ms);
  }
  wait_for(*engine, wires_.offer("lab", {oru(2000, "Z")})[0].id, store::MessageState::done);
  EXPECT_EQ(wires_.delivered_count(), kBacklog + 2);
}

// All that is read back from disk is read on one thread.
TEST_F(IndexBehindTest, WhatASenderRemembersIsNotWaitedForWithoutEnd) {
  std::promise<Error> asked_in_vain;
  std::atomic<bool> told{false};
  wires_.deliver_remembering = [&](const Parcel&,
                                   Memory& memory) -> boost::asio::awaitable<Remembered> {
    const auto recalled = co_await memory.recall();
    Remembered ended;
    if (recalled) {
      ended.answer.kind = Answer::Kind::delivered;
    } else {
      ended.answer.reason = recalled.error();
      if (!told.exchange(true)) asked_in_vain.set_value(recalled.error());
    }
    co_return ended;
  };
  auto engine = start(site(kRelay));
  auto held = index_that_cannot_be_written(*engine);
  wires_.offer("lab", {oru(1, "A")});
  auto why = asked_in_vain.get_future();
  const bool is_told = why.wait_for(8s) == std::future_status::ready;
  held.reset();
  ASSERT_TRUE(is_told);
  EXPECT_EQ(why.get().code, "J303");
  wires_.delivered(1);
}

}  // namespace
}  // namespace cannula::pipeline
