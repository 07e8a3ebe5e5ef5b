#include "channels/file/file.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/file/error_codes.h"
#include "channels/file/filename_template.h"
#include "channels/file/inbox.h"
#include "channels/file/receiver.h"
#include "channels/file/sender.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string message(const std::string& control_id) {
  return "MSH|^~\\&|LAB|HOSP|CANNULA|HOSP|20260101120000||ORU^R01^ORU_R01|" + control_id +
         "|P|2.5.1\rPID|1||4711\r";
}

// Also of those that are claimed, and of .done.
std::size_t files_below(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    count += entry.is_regular_file() ? 1 : 0;
  }
  return count;
}

class FileReceiver : public ExecutorTest {
 public:
  ~FileReceiver() override { receiver.reset(); }

  void start(std::map<std::string, std::string> written = {}) {
    written.emplace("directory", "in");
    written.emplace("poll", "10ms");
    written.emplace("stable_for", "0s");
    receiver =
        file::make_receiver(values_of(file::receiver_options(), written), ports(), intake).value();
    const auto started = receiver->start();
    ASSERT_TRUE(started) << started.error().text();
  }
  // Until the source has taken everything that matches.
  void run_until(std::function<bool()> condition) {
    run([&]() -> asio::awaitable<void> {
      co_await until(condition);
      EXPECT_TRUE(condition());
      co_await receiver->stop(kNever);
    }());
  }
  void put(const std::string& name, std::string_view content) const {
    folder.write("in/" + name, content);
  }

  fs::path in = [this] {
    fs::create_directories(folder.path / "in");
    return folder.path / "in";
  }();
  FakeIntake intake;
  std::unique_ptr<Receiver> receiver;
};

TEST_F(FileReceiver, TakesAFileAndMovesItWhenItsMessagesAreStored) {
  put("a.hl7", message("1"));
  start();
  run_until([this] { return !names_in(in / ".done").empty(); });
  EXPECT_THAT(intake.bodies(), ElementsAre(message("1")));
  EXPECT_EQ(intake.arrivals[0].event, "ORU^R01");
  EXPECT_EQ(intake.arrivals[0].control_id, "1");
  EXPECT_EQ(intake.arrivals[0].attributes, R"({"file":"a.hl7"})");
  EXPECT_THAT(names_in(in), IsEmpty());
  EXPECT_THAT(names_in(in / ".done"), ElementsAre("a.hl7"));
}

TEST_F(FileReceiver, LeavesFilesWhereTheyAreWhileNothingIsTaken) {
  put("a.hl7", message("1"));
  intake.why_closed = Error("P314", "the disk is nearly full");
  start({{"poll", "10ms"}});
  run([this]() -> asio::awaitable<void> {
    co_await pause(100ms);
    EXPECT_THAT(names_in(in), ElementsAre("a.hl7")) << "not claimed either";
    EXPECT_THAT(intake.batches, IsEmpty());
    intake.why_closed.reset();
  }());
  run_until([this] { return names_in(in / ".done").size() == 1; });
  EXPECT_THAT(intake.bodies(), ElementsAre(message("1")));
}

TEST_F(FileReceiver, StopsBetweenFilesWhenNothingIsTakenAnyMore) {
  put("a.hl7", message("1"));
  put("b.hl7", message("2"));
  intake.decide = [this](const Arrival&) {
    intake.why_closed = Error("P318", "paused");
    Receipt receipt;
    receipt.disposition = Disposition::accepted;
    return receipt;
  };
  start({{"poll", "10ms"}});
  run_until([this] { return names_in(in / ".done").size() == 1; });
  EXPECT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(names_in(in).size(), 1u);
}

TEST_F(FileReceiver, DeletesAFileWhereThatIsAskedFor) {
  put("a.hl7", message("1"));
  start({{"after", "delete"}});
  run_until([this] { return files_below(in) == 0; });
  EXPECT_EQ(intake.arrivals.size(), 1u);
  EXPECT_FALSE(fs::exists(in / ".done"));
}

TEST_F(FileReceiver, TakesOldFilesFirstAndOnlyThoseOfThePattern) {
  put("b.hl7", message("old"));
  put("a.hl7", message("new"));
  put("c.txt", "other");
  put(".hidden.hl7", message("hidden"));
  fs::create_directory(in / "d.hl7");
  fs::create_symlink("/etc/passwd", in / "e.hl7");
  const auto now = fs::file_time_type::clock::now();
  fs::last_write_time(in / "b.hl7", now - 2h);
  fs::last_write_time(in / "a.hl7", now - 1h);
  start({{"pattern", "*.hl7"}});
  run_until([this] { return names_in(in / ".done").size() == 2; });
  EXPECT_THAT(intake.bodies(), ElementsAre(message("old"), message("new")));
  EXPECT_TRUE(fs::exists(in / "c.txt"));
  EXPECT_TRUE(fs::is_symlink(in / "e.hl7")) << "links are not followed";
}

TEST_F(FileReceiver, DividesAFileOfSeveralMessages) {
  put("batch.hl7",
      "FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r" + message("1") + message("2") + "BTS|2\rFTS|1\r");
  start();
  run_until([this] { return !names_in(in / ".done").empty(); });
  EXPECT_THAT(intake.bodies(), ElementsAre(message("1"), message("2")));
  EXPECT_EQ(intake.arrivals[1].attributes, R"({"file":"batch.hl7","message":2})");
  EXPECT_THAT(intake.batches, ElementsAre(2u));
}

TEST_F(FileReceiver, TakesAFileWholeWhereThatIsAskedForOrItIsNoHl7) {
  put("a.hl7", message("1") + message("2"));
  start({{"split", "none"}});
  run_until([this] { return !names_in(in / ".done").empty(); });
  EXPECT_THAT(intake.bodies(), ElementsAre(message("1") + message("2")));
  intake.arrivals.clear();
  put("b.csv", "code,text\r\nMSH|no message\r\n");
  start();
  run_until([this] { return names_in(in / ".done").size() == 2; });
  EXPECT_THAT(intake.bodies(), ElementsAre("code,text\r\nMSH|no message\r\n"));
  EXPECT_FALSE(intake.arrivals[0].defect);
}

TEST_F(FileReceiver, OffersAHugeBatchInSlices) {
  std::string batch;
  for (int i = 0; i < 1000; ++i) batch += message(std::to_string(i));
  put("batch.hl7", batch);
  start();
  run_until([this] { return !names_in(in / ".done").empty(); });
  EXPECT_EQ(intake.arrivals.size(), 1000u);
  for (const std::size_t size : intake.batches) EXPECT_LE(size, 256u);
}

TEST_F(FileReceiver, SetsAFileWithRefusedMessagesAsideWithTheReasons) {
  intake.decide = [](const Arrival& arrival) {
    Receipt receipt;
    receipt.id = MessageId{5};
    receipt.disposition =
        arrival.control_id == "bad" ? Disposition::refused : Disposition::accepted;
    receipt.reason = {"P123", "this partner may not send it", "", std::nullopt};
    return receipt;
  };
  put("mixed.hl7", message("good") + message("bad"));
  start({{"after", "delete"}});
  run_until([this] { return names_in(in / ".errors").size() == 2; });
  EXPECT_THAT(names_in(in / ".errors"), ElementsAre("mixed.hl7", "mixed.hl7.reason.txt"));
  const std::string reason = content_of(in / ".errors/mixed.hl7.reason.txt");
  EXPECT_THAT(reason, HasSubstr("message 2 (control id 'bad', 0000000000005)"));
  EXPECT_THAT(reason, HasSubstr("[P123]"));
  EXPECT_THAT(reason, Not(HasSubstr("good")));
  EXPECT_EQ(report.lines_with("[F106]"), 1u);
}

TEST_F(FileReceiver, KeepsTheBeginningOfAnOversizedFile) {
  put("big.hl7", message("1") + std::string(300'000, 'x'));
  start({{"max_size", "100KB"}});
  run_until([this] { return !names_in(in / ".errors").empty(); });
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(intake.arrivals[0].body->size(), file::Inbox::kKept);
  EXPECT_EQ(intake.arrivals[0].defect->code, "F105");
  EXPECT_EQ(fs::file_size(in / ".errors/big.hl7"), message("1").size() + 300'000);
}

TEST_F(FileReceiver, LeavesAFileUntilItCanBeStoredAndOffersNothingTwice) {
  int room = 300;
  intake.decide = [&room](const Arrival&) {
    Receipt receipt;
    if (room-- > 0) receipt.disposition = Disposition::accepted;
    receipt.reason = {"J101", "the disk is full", "", std::nullopt};
    return receipt;
  };
  std::string batch;
  for (int i = 0; i < 512; ++i) batch += message(std::to_string(i));
  put("batch.hl7", batch);
  start();
  run([&]() -> asio::awaitable<void> {
    co_await until([this] { return report.lines_with("[J101]") == 1; });
    co_await pause(50ms);
    EXPECT_TRUE(fs::exists(in / ".claimed/batch.hl7"));
    EXPECT_EQ(report.lines_with("[J101]"), 1u) << "said once";
    intake.arrivals.clear();
    room = 10'000;
    co_await until([this] { return !names_in(in / ".done").empty(); });
    co_await receiver->stop(kNever);
  }());
  ASSERT_EQ(intake.arrivals.size(), 212u) << "the 300 that were accepted are not offered again";
  EXPECT_EQ(intake.arrivals[0].control_id, "300");
}

TEST_F(FileReceiver, DoesNotOfferAFileAgainThatCannotBeTakenAway) {
  put("a.hl7", message("1"));
  intake.decide = [this](const Arrival&) {
    fs::remove(in / "done");
    put("done", "a file in the way");
    Receipt receipt;
    receipt.disposition = Disposition::accepted;
    return receipt;
  };
  start({{"move_to", "done"}, {"pattern", "*.hl7"}});
  run([&]() -> asio::awaitable<void> {
    co_await until([this] { return report.lines_with("[F107]") > 0; });
    co_await pause(60ms);
    EXPECT_TRUE(fs::exists(in / ".claimed/a.hl7"));
    fs::remove(in / "done");
    co_await until([this] { return fs::exists(in / "done/a.hl7"); });
    co_await receiver->stop(kNever);
  }());
  EXPECT_EQ(report.lines_with("[F104]"), 1u);
  EXPECT_EQ(report.lines_with("[F107]"), 1u) << "said once";
  EXPECT_EQ(intake.arrivals.size(), 1u);
  EXPECT_TRUE(fs::exists(in / "done/a.hl7")) << "moved once it can be";
}

// A sender that always renames a new result.hl7 into place.
TEST_F(FileReceiver, TakesAlsoTheFileThatReplacesTheOneBeingOffered) {
  for (const std::string after : {"move", "delete"}) {
    intake.arrivals.clear();
    put("result.hl7", message("first"));
    intake.decide = [this](const Arrival& arrival) {
      if (arrival.control_id == "first") {
        put("next.tmp", message("second"));
        fs::rename(in / "next.tmp", in / "result.hl7");
      }
      Receipt receipt;
      receipt.disposition = Disposition::accepted;
      return receipt;
    };
    start({{"pattern", "*.hl7"}, {"after", after}});
    run_until([this] { return intake.arrivals.size() == 2 && names_in(in).empty(); });
    EXPECT_THAT(intake.bodies(), ElementsAre(message("first"), message("second"))) << after;
    EXPECT_THAT(names_in(in / ".claimed"), IsEmpty()) << after;
  }
  EXPECT_THAT(names_in(in / ".done"), ElementsAre("result.hl7", "result.hl7.1"));
  EXPECT_EQ(content_of(in / ".done/result.hl7"), message("first"));
  EXPECT_EQ(content_of(in / ".done/result.hl7.1"), message("second"));
}

TEST_F(FileReceiver, ShowsFileNamesWithoutWhatATerminalOrALogReaderWouldObey) {
  intake.decide = [](const Arrival&) {
    Receipt receipt;
    receipt.disposition = Disposition::refused;
    receipt.reason = {"P123", "refused\nmessage 9 (control id 'forged')", "", std::nullopt};
    return receipt;
  };
  put("a\x1b[31m\n2026-01-01T00:00:00.000Z critical forged.hl7", message("\x1b[2J"));
  start();
  run_until([this] { return names_in(in / ".errors").size() == 2; });
  ASSERT_EQ(report.lines_with("[F106]"), 1u);
  for (const auto& [level, text] : report.lines) {
    EXPECT_EQ(text.find_first_of("\x1b\n"), std::string::npos) << text;
  }
  for (const std::string& name : names_in(in / ".errors")) {
    if (!name.ends_with(".reason.txt")) continue;
    const std::string reason = content_of(in / ".errors" / name);
    EXPECT_EQ(reason.find('\x1b'), std::string::npos) << reason;
    EXPECT_EQ(std::count(reason.begin(), reason.end(), '\n'), 1) << "a line for each message";
    EXPECT_EQ(fs::status(in / ".errors" / name).permissions() & fs::perms::others_all,
              fs::perms::none);
  }
}

TEST_F(FileReceiver, WaitsWhileALinkStandsWhereItsFolderShouldBe) {
  const fs::path elsewhere = folder.path / "elsewhere";
  fs::create_directory(elsewhere);
  intake.decide = [](const Arrival&) {
    Receipt receipt;
    receipt.disposition = Disposition::refused;
    return receipt;
  };
  fs::create_symlink(elsewhere, in / ".errors");
  put("evil.hl7", message("1"));
  start();
  run([&]() -> asio::awaitable<void> {
    co_await pause(60ms);
    EXPECT_EQ(report.lines_with("[F107]"), 1u) << "said once";
    EXPECT_EQ(report.lines_with((in / ".errors").string() + " is a link"), 1u);
    EXPECT_TRUE(intake.arrivals.empty());
    EXPECT_TRUE(fs::is_empty(elsewhere));
    fs::remove(in / ".errors");
    co_await until([this] { return names_in(in / ".errors").size() == 2; });
    co_await receiver->stop(kNever);
  }());
  EXPECT_EQ(intake.arrivals.size(), 1u);
  EXPECT_TRUE(fs::is_empty(elsewhere));
}

TEST_F(FileReceiver, SaysWhileItsFolderIsAway) {
  start();
  run([&]() -> asio::awaitable<void> {
    co_await pause(30ms);
    EXPECT_FALSE(report.not_reached_because);
    fs::rename(in, folder.path / "away");
    co_await until([this] { return report.not_reached_because.has_value(); });
    EXPECT_EQ(report.not_reached_because->code, "F102");
    EXPECT_THAT(report.not_reached_because->message, HasSubstr(in.string()));
    fs::rename(folder.path / "away", in);
    co_await until([this] { return !report.not_reached_because; });
    co_await receiver->stop(kNever);
  }());
}

TEST_F(FileReceiver, SaysWhichClaimedFilesItsPatternLeavesBehind) {
  fs::create_directory(in / ".claimed");
  folder.write("in/.claimed/left.csv", "1,2");
  folder.write("in/.claimed/a.hl7", message("1"));
  start({{"pattern", "*.hl7"}});
  run_until([this] { return !names_in(in / ".done").empty(); });
  EXPECT_EQ(report.lines_with("left.csv"), 1u);
  EXPECT_EQ(report.lines_with("[F109]"), 1u);
  EXPECT_THAT(names_in(in / ".claimed"), ElementsAre("left.csv"));
}

TEST_F(FileReceiver, NumbersFilesOfTheSameName) {
  fs::create_directories(in / ".done");
  folder.write("in/.done/a.hl7", "an earlier one");
  put("a.hl7", message("1"));
  start();
  run_until([this] { return names_in(in / ".done").size() == 2; });
  EXPECT_THAT(names_in(in / ".done"), ElementsAre("a.hl7", "a.hl7.1"));
  EXPECT_EQ(content_of(in / ".done/a.hl7"), "an earlier one");
}

TEST_F(FileReceiver, OffersLeftoversAgainAfterARestart) {
  put("a.hl7", message("1"));
  start();
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  run([&]() -> asio::awaitable<void> {
    co_await until([this] { return intake.arrivals.size() == 1; });
    receiver.reset();  // as a crash between storing and moving
    intake.held->cancel();
    co_await pause(30ms);
  }());
  intake.held.reset();
  EXPECT_THAT(names_in(in / ".claimed"), ElementsAre("a.hl7"));
  put("a.hl7", message("2"));  // a sender that uses one name always
  start();
  run_until([this] { return names_in(in / ".done").size() == 2; });
  EXPECT_THAT(intake.bodies(), ElementsAre(message("1"), message("1"), message("2")));
}

TEST_F(FileReceiver, FinishesTheFileUnderWayWhenStopped) {
  put("a.hl7", message("1"));
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  start();
  run([&]() -> asio::awaitable<void> {
    co_await until([this] { return intake.arrivals.size() == 1; });
    asio::steady_timer release(io, 20ms);
    release.async_wait([this](boost::system::error_code) { intake.held->cancel(); });
    co_await receiver->stop(kNever);
    EXPECT_THAT(names_in(in / ".done"), ElementsAre("a.hl7"));
  }());
}

TEST_F(FileReceiver, SaysWhyItCannotStart) {
  const auto error_of = [this](std::map<std::string, std::string> written) {
    return file::make_receiver(values_of(file::receiver_options(), written), ports(), intake)
        .value()
        ->start()
        .error();
  };
  EXPECT_EQ(error_of({{"directory", "missing"}}).code, "F101");
  EXPECT_THAT(error_of({{"directory", "missing"}}).message, HasSubstr("missing"));
  EXPECT_THAT(error_of({{"directory", "in"}, {"move_to", "/proc"}}).message,
              HasSubstr("another file system"));
  fs::create_directory_symlink(in, folder.path / "way");
  EXPECT_EQ(error_of({{"directory", "way/"}}).code, "F101");
  EXPECT_THAT(error_of({{"directory", "way/"}}).message, HasSubstr("is a link"));
}

TEST_F(FileReceiver, IsLookedAtByCheckWhereLinksAndFilesStandForFolders) {
  const auto code = [this](std::map<std::string, std::string> written) {
    written.emplace("directory", "in");
    const auto looked =
        file::look_at_source(values_of(file::receiver_options(), written), folder.path);
    return looked ? std::string() : looked.error().code;
  };
  EXPECT_EQ(code({}), "") << "what is not there yet is no error";
  EXPECT_EQ(code({{"directory", "missing"}}), "");
  fs::create_directory_symlink(in, folder.path / "way");
  EXPECT_EQ(code({{"directory", "way"}}), "F101");
  fs::create_directory_symlink(folder.path, in / "planted");
  EXPECT_EQ(code({{"errors_to", "planted"}}), "F107");
  EXPECT_EQ(code({{"move_to", "planted/deeper"}}), "F107");
  EXPECT_EQ(code({{"move_to", "planted"}, {"after", "delete"}}), "");
  EXPECT_EQ(code({{"move_to", (in / "planted").string()}}), "F107");
  put("file", "");
  EXPECT_EQ(code({{"errors_to", "file"}}), "F107");
  put(".claimed", "");
  EXPECT_EQ(code({}), "F107");
}

std::string name_by(std::string_view text, const Parcel& parcel) {
  return file::FilenameTemplate::parse(text)->name_of(parcel).value();
}

TEST(FilenameTemplate, FillsInItsPlaceholders) {
  Parcel parcel;
  parcel.message = MessageId{std::uint64_t{1'767'312'000'000} << 20};  // 2026-01-02 00:00 UTC
  parcel.key = "0K2H8ZQ4R7T1C-ehr-1";
  parcel.channel = "lab-results";
  parcel.event = "ORU^R01";
  EXPECT_EQ(name_by("{date}/{channel}-{event}-{key}.hl7", parcel),
            "20260102/lab-results-ORU_R01-0K2H8ZQ4R7T1C-ehr-1.hl7");
  EXPECT_EQ(name_by("{id}", parcel), parcel.message.text());
}

TEST(FilenameTemplate, TellsDeliveriesOfOneMessageApart) {
  Parcel parcel;
  parcel.message = MessageId{1};
  parcel.key = "0000000000001-out-3";
  const std::string id = parcel.message.text();
  EXPECT_EQ(name_by("{id}.hl7", parcel), id + ".hl7");
  parcel.among = "2";
  EXPECT_EQ(name_by("{id}.hl7", parcel), id + "-2.hl7");
  EXPECT_EQ(name_by("a.b/{id}", parcel), "a.b/" + id + "-2");
  EXPECT_EQ(name_by("{key}.hl7", parcel), parcel.key + ".hl7") << "the key does so already";
  EXPECT_EQ(name_by("{id}/{key}.hl7", parcel), id + "/" + parcel.key + ".hl7");
  parcel.among = "r3";
  EXPECT_EQ(name_by("{id}.tar.gz", parcel), id + ".tar-r3.gz");
}

TEST(FilenameTemplate, LetsNoValueLeaveTheFolder) {
  Parcel parcel;
  const std::vector<std::string> keys = {
      "../../etc/passwd",     "/etc/passwd", "..",      ".", "a/../b", "a\\b",
      std::string("a\0b", 3), ".hidden",     "\xC3\xA4"};
  for (const std::string& key : keys) {
    parcel.key = key;
    const std::string name = name_by("out/{key}", parcel);
    EXPECT_EQ(std::count(name.begin(), name.end(), '/'), 1) << name;
    EXPECT_NE(name[4], '.') << name;
  }
  parcel.event = "";
  EXPECT_EQ(name_by("{event}-{id}", parcel), "_-0000000000000");
}

TEST(FilenameTemplate, RefusesTemplatesThatCannotWork) {
  for (const char* text : {"", "fixed.hl7", "{date}.hl7", "{name}-{key}", "{key", "../{key}",
                           "/tmp/{key}", "a//{key}", "{key}/", "a/../{key}", "./{key}"}) {
    const auto parsed = file::FilenameTemplate::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, "F201");
  }
  Parcel parcel;
  parcel.key = std::string(300, 'k');
  EXPECT_EQ(file::FilenameTemplate::parse("{key}")->name_of(parcel).error().code, "F203");
}

class FileSender : public ExecutorTest {
 public:
  asio::awaitable<Answer> deliver(const std::string& key, const std::string& content) {
    Parcel parcel;
    parcel.message = MessageId{1};
    parcel.key = key;
    parcel.payload = make_bytes(content);
    co_return co_await sender->deliver(parcel);
  }
  void start(std::map<std::string, std::string> written) {
    sender = file::make_sender(values_of(file::sender_options(), written), ports()).value();
  }

  std::unique_ptr<Sender> sender;
};

using Kind = Answer::Kind;

TEST_F(FileSender, WritesAFileForEachDeliveryAndTheSameForTheSameKey) {
  fs::create_directory(folder.path / "out");
  start({{"directory", "out"}, {"filename", "day/{key}.hl7"}});
  run([this]() -> asio::awaitable<void> {
    for (const std::string content : {"first attempt", "second attempt"}) {
      const Answer answer = co_await deliver("A-1", content);
      EXPECT_EQ(answer.kind, Kind::delivered) << answer.reason.text();
    }
    const Answer other = co_await deliver("A-2", "");
    EXPECT_EQ(other.kind, Kind::delivered);
    co_await sender->stop();
    const Answer late = co_await deliver("A-3", "late");
    EXPECT_EQ(late.kind, Kind::retry);
    EXPECT_EQ(late.reason.code, "F204");
  }());
  EXPECT_THAT(names_in(folder.path / "out/day"), UnorderedElementsAre("A-1.hl7", "A-2.hl7"))
      << "no temporary file is left";
  EXPECT_EQ(content_of(folder.path / "out/day/A-1.hl7"), "second attempt");
}

TEST_F(FileSender, FinishesWhatIsUnderWayWhenItIsStopped) {
  fs::create_directory(folder.path / "out");
  start({{"directory", "out"}});
  std::size_t delivered = 0;
  for (std::size_t n = 0; n < sender->concurrency(); ++n) {
    asio::co_spawn(
        io,
        [](FileSender& test, std::size_t number, std::size_t& count) -> asio::awaitable<void> {
          const Answer answer = co_await test.deliver(std::to_string(number), "content");
          count += answer.kind == Kind::delivered ? 1 : 0;
        }(*this, n, delivered),
        asio::detached);
  }
  run([this]() -> asio::awaitable<void> {
    co_await asio::post(io, asio::use_awaitable);  // so that all of them have begun
    co_await sender->stop();
  }());
  run(until([&] { return delivered == sender->concurrency(); }));
  EXPECT_EQ(delivered, sender->concurrency());
  EXPECT_EQ(names_in(folder.path / "out").size(), sender->concurrency());
}

// Each has a file of its own; worked again, a message replaces what it wrote before.
TEST_F(FileSender, KeepsTheDeliveriesOfOneRunApartWhereTheNameIsTheMessages) {
  fs::create_directory(folder.path / "out");
  start({{"directory", "out"}, {"filename", "{id}.hl7"}});
  run([this]() -> asio::awaitable<void> {
    for (const std::string run : {"first run", "second run"}) {
      for (const std::string among : {"", "2"}) {
        Parcel parcel;
        parcel.message = MessageId{1};
        parcel.key = run + among;
        parcel.among = among;
        parcel.payload = make_bytes(run + among);
        const Answer answer = co_await sender->deliver(parcel);
        EXPECT_EQ(answer.kind, Kind::delivered) << answer.reason.text();
      }
    }
  }());
  EXPECT_THAT(names_in(folder.path / "out"),
              ElementsAre("0000000000001-2.hl7", "0000000000001.hl7"));
  EXPECT_EQ(content_of(folder.path / "out/0000000000001.hl7"), "second run");
  EXPECT_EQ(content_of(folder.path / "out/0000000000001-2.hl7"), "second run2");
}

TEST_F(FileSender, TriesAgainWhereTheFolderIsAway) {
  start({{"directory", "out"}});
  run([this]() -> asio::awaitable<void> {
    const Answer away = co_await deliver("A-1", "content");
    EXPECT_EQ(away.kind, Kind::retry);
    EXPECT_EQ(away.reason.code, "F202");
    EXPECT_THAT(away.reason.message, HasSubstr("No such file"));
    fs::create_directory(folder.path / "out");
    const Answer there = co_await deliver("A-1", "content");
    EXPECT_EQ(there.kind, Kind::delivered);
  }());
  EXPECT_EQ(content_of(folder.path / "out/A-1.hl7"), "content");
}

TEST_F(FileSender, RefusesATemplateThatCannotWork) {
  const Values values =
      values_of(file::sender_options(), {{"directory", "out"}, {"filename", "x.hl7"}});
  EXPECT_EQ(file::make_sender(values, ports()).error().code, "F201");
}

TEST(FileTransport, DescribesItsOptionsAndCodes) {
  const Transport transport = file::transport();
  EXPECT_EQ(transport.type, "file");
  for (const auto options : {transport.source_options, transport.destination_options}) {
    EXPECT_FALSE(options.empty());
    for (const Option& option : options) {
      EXPECT_TRUE(option.description.ends_with('.')) << option.name;
      if (option.default_value.empty()) continue;
      EXPECT_NO_THROW(parse_value(option, option.default_value));
    }
  }
  std::string_view last;
  for (const ErrorCode& code : file::error_codes()) {
    EXPECT_LT(last, code.code);
    EXPECT_GT(code.explanation.size(), 40u) << code.code;
    last = code.code;
  }
}

}  // namespace

}  // namespace cannula::test
