#include <condition_variable>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/cli/listening.h"
#include "engine/cli/sending.h"
#include "tests/unit/engine/cli/run_cannula.h"

namespace cannula::cli {
namespace {

using testing::HasSubstr;

constexpr std::string_view kMessage =
    "MSH|^~\\&|LAB|A|EHR|B|20260115083000||ORU^R01|M1|P|2.5.1\rPID|1||90001\r";

// A listener on a port of its own, in a thread, until its count is reached.
class Listener {
 public:
  explicit Listener(ListenOrder order, const std::string& log = "") {
    order.address = {"127.0.0.1", 0};
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    order.announce = ::fdopen(ends[1], "w");
    announcement_ = order.announce;
    thread_ = std::thread([this, order, log] {
      JsonLines lines;
      if (!log.empty()) lines = *JsonLines::create(log);
      result_ = *listen_for_messages(order, lines);
    });
    std::FILE* in = ::fdopen(ends[0], "r");
    char line[128] = {};
    EXPECT_NE(std::fgets(line, sizeof line, in), nullptr);
    const std::string text(line);
    address_ = *Endpoint::parse(text.substr(13, text.size() - 14));
    std::fclose(in);
  }
  ~Listener() {
    if (thread_.joinable()) thread_.join();
    std::fclose(announcement_);
  }

  const Endpoint& address() const { return address_; }
  ListenResult wait() {
    thread_.join();
    return result_;
  }

 private:
  std::FILE* announcement_;
  Endpoint address_;
  ListenResult result_;
  std::thread thread_;
};

SendResult send(const Listener& listener, SendOrder order, bool unique = true,
                const std::string& log = "") {
  order.address = listener.address();
  const auto messages = MessageSource::of("test", kMessage, {unique, false});
  JsonLines lines;
  if (!log.empty()) lines = *JsonLines::create(log);
  return *send_messages(order, *messages, lines);
}

ListenOrder taking(int count) {
  ListenOrder listen;
  listen.count = count;
  return listen;
}

SendOrder sending(const Listener& listener, int count) {
  SendOrder order;
  order.address = listener.address();
  order.count = count;
  return order;
}

// The second one of two, or the only one, asks for no answer (MSH-15 and MSH-16 are NE).
constexpr const char* kUnasked = "MSH|^~\\&|LAB|A|EHR|B|2026||ORU^R01|M2|P|2.5.1|||NE|NE\r";

std::vector<nlohmann::json> lines_of(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(SendAndListen, EveryMessageIsSentOnceAndAnsweredOnce) {
  Folder folder;
  ListenOrder listen;
  listen.count = 500;
  listen.keys = {*hl7v2::Path::parse("PID-3.1")};
  Listener listener(listen, folder / "arrived");
  SendOrder order;
  order.count = 500;
  order.connections = 7;
  order.window = 3;
  const SendResult sent = send(listener, order, true, folder / "sent");
  const ListenResult arrived = listener.wait();
  EXPECT_EQ(sent.as_expected, 500);
  EXPECT_EQ(sent.sent, 500);
  EXPECT_EQ(sent.by_code.at("AA"), 500);
  EXPECT_EQ(sent.latencies.count(), 500u);
  EXPECT_EQ(arrived.messages, 500);
  EXPECT_EQ(arrived.repeated, 0);
  EXPECT_EQ(arrived.connections, 7);

  const auto log = lines_of(folder / "arrived");
  ASSERT_EQ(log.size(), 500u);
  EXPECT_EQ(log[0]["keys"]["PID-3.1"], "90001");
  EXPECT_THAT(log[0]["message"].get<std::string>(), HasSubstr("PID|1||90001\r"));
  EXPECT_EQ(log[0]["first"], true);
  EXPECT_EQ(lines_of(folder / "sent").size(), 500u);
}

TEST(SendAndListen, OneConnectionKeepsTheOrder) {
  Folder folder;
  ListenOrder listen;
  listen.count = 50;
  Listener listener(listen, folder / "arrived");
  SendOrder order;
  order.count = 50;
  order.window = 8;
  send(listener, order);
  listener.wait();
  const auto log = lines_of(folder / "arrived");
  ASSERT_EQ(log.size(), 50u);
  for (std::size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i]["control_id"], "M1-" + std::to_string(i + 1));
  }
}

TEST(SendAndListen, AnUnexpectedAnswerIsAFailureAndIsQuoted) {
  ListenOrder listen;
  listen.count = 10;
  listen.fail_every = 5;
  Listener listener(listen);
  SendOrder order;
  order.count = 10;
  const SendResult sent = send(listener, order);
  EXPECT_EQ(sent.as_expected, 8);
  EXPECT_EQ(sent.unexpected, 2);
  EXPECT_EQ(sent.by_code.at("AE"), 2);
  EXPECT_THAT(sent.remarks, testing::Contains(HasSubstr("message 5 (M1-5): AE")));
}

TEST(SendAndListen, ALostConnectionIsTriedAnewUntilEverythingIsAnswered) {
  Folder folder;
  ListenOrder listen;
  listen.count = 24;  // 20 messages, those that are closed upon and sent again, and the rest below
  listen.close_every = 6;
  Listener listener(listen, folder / "arrived");
  SendOrder order;
  order.count = 20;
  order.retry = std::chrono::seconds(30);
  const SendResult sent = send(listener, order, true, folder / "sent");
  EXPECT_EQ(sent.as_expected, 20);
  EXPECT_GE(sent.connections_lost, 3);
  EXPECT_EQ(sent.sent, 20 + sent.connections_lost);
  std::size_t lost = 0;
  for (const auto& line : lines_of(folder / "sent"))
    lost += line["code"].get<std::string>().empty() ? 1 : 0;
  EXPECT_EQ(lost, static_cast<std::size_t>(sent.connections_lost));
  // Whatever the listener still waits for.
  SendOrder rest;
  rest.count = 24 - sent.sent;
  if (rest.count > 0) send(listener, rest);
}

TEST(SendAndListen, WithoutRetryALostConnectionIsAFailure) {
  ListenOrder listen;
  listen.count = 1;
  listen.close_every = 1;
  Listener listener(listen);
  SendOrder order;
  order.count = 3;
  const SendResult sent = send(listener, order);
  EXPECT_EQ(sent.unanswered, 3);
  EXPECT_EQ(sent.as_expected, 0);
  EXPECT_EQ(sent.connections_lost, 1);
}

TEST(SendAndListen, SilenceEndsWithTheTimeout) {
  ListenOrder listen;
  listen.count = 1;
  listen.answer = "none";
  listen.delay = std::chrono::milliseconds(0);
  Listener listener(listen);
  SendOrder order;
  order.timeout = std::chrono::milliseconds(50);
  EXPECT_EQ(send(listener, order).unanswered, 1);
}

TEST(SendAndListen, WhatWantsNoAnswerIsNotWaitedFor) {
  Listener listener(taking(40));
  SendOrder order = sending(listener, 40);
  order.window = 3;
  const auto messages = MessageSource::of("test", std::string(kMessage) + kUnasked, {true, false});
  JsonLines lines;
  const SendResult result = *send_messages(order, *messages, lines);
  EXPECT_EQ(result.as_expected, 40);
  EXPECT_EQ(result.unasked, 20);
  EXPECT_EQ(result.unanswered, 0);
  EXPECT_EQ(listener.wait().messages, 40);
}

TEST(SendAndListen, OneAtATimeWhatWantsNoAnswerGoesOnItsOwn) {
  const auto messages = MessageSource::of("test", kUnasked, {true, false});
  for (const std::int64_t rate : {0, 10'000}) {
    Listener listener(taking(10));
    SendOrder order = sending(listener, 10);
    order.rate = rate;
    JsonLines lines;
    const SendResult result = *send_messages(order, *messages, lines);
    EXPECT_EQ(result.unasked, 10);
    EXPECT_EQ(listener.wait().messages, 10);
  }
}

TEST(SendAndListen, TheRateIsAnUpperBound) {
  ListenOrder listen;
  listen.count = 20;
  Listener listener(listen);
  SendOrder order;
  order.count = 20;
  order.rate = 100;
  EXPECT_GE(send(listener, order).seconds, 0.19);
}

TEST(SendVerb, NobodyThereIsAFailureWithItsReason) {
  Folder folder;
  std::ofstream(folder / "m.hl7") << kMessage;
  const Outcome outcome = run_cannula({"send", "127.0.0.1:1", folder / "m.hl7"});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("127.0.0.1:1"));
}

TEST(SendVerb, AFileWithoutMessagesIsSaidToBeOne) {
  Folder folder;
  std::ofstream(folder / "m.hl7") << "hello\n";
  const Outcome outcome = run_cannula({"send", "127.0.0.1:1", folder / "m.hl7"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("m.hl7: there is no HL7 v2 message in it"));
  EXPECT_THAT(run_cannula({"send", "127.0.0.1:1", folder / "gone"}).err, HasSubstr("No such file"));
}

TEST(MessageSource, SegmentsEndWithCarriageReturnsHoweverTheFileWasSaved) {
  for (const std::string text :
       {"MSH|^~\\&|A\nPID|1\n", "MSH|^~\\&|A\r\nPID|1\r\n", "MSH|^~\\&|A\rPID|1"}) {
    std::string frame;
    MessageSource::of("t", text, {})->append_frame(frame, 1, 0);
    EXPECT_EQ(frame, "\x0BMSH|^~\\&|A\rPID|1\r\x1C\r");
  }
}

TEST(MessageSource, Utf16IsSentAsWhatItIs) {
  std::string wide = "\xFF\xFE";
  std::string sent;
  for (const char c : std::string_view("MSH|^~\\&|A||||||ADT^A01|7|P|2.5\nPID|1\n")) {
    (wide += c) += '\0';
    (sent += c == '\n' ? '\r' : c) += '\0';
  }
  std::string frame;
  const auto source = MessageSource::of("t", wide, {});
  source->append_frame(frame, 1, 0);
  EXPECT_THAT(frame, HasSubstr(sent));
  EXPECT_EQ(source->control_id(1, 0), "7");
  EXPECT_THAT(MessageSource::of("t", wide, {true, false}).error().message, HasSubstr("UTF-16"));
}

TEST(MessageSource, CountersAndTheTimeGoWhereTheyAreAskedFor) {
  const std::string text = "MSH|^~\\&|A|B|C|D|{{time}}||ORU^R01|T-{{n}}|P|2.5.1\rPID|{{n}}\r";
  std::string frame;
  const auto source = MessageSource::of("t", text, {false, true});
  source->append_frame(frame, 7, 1767268800000000);
  EXPECT_EQ(frame,
            "\x0BMSH|^~\\&|A|B|C|D|20260101120000.000+0000||ORU^R01|T-7|P|2.5.1\rPID|7\r\x1C\r");
  EXPECT_EQ(source->control_id(7, 0), "T-7");
}

TEST(SendAndListen, TheListenerAnswersAsItIsToldAndSavesWhatCame) {
  char folder[] = "/tmp/cannula-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  ListenOrder listening;
  listening.answer = "CE";
  listening.text = "try later";
  listening.commits = true;
  listening.save = folder;
  listening.count = 2;
  Listener listener(listening);
  SendOrder order;
  order.address = listener.address();
  order.count = 2;
  order.expect = "CE";
  JsonLines none;
  const auto result = send_messages(order, *MessageSource::of("t", kMessage, {true, false}), none);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->as_expected, 2);
  EXPECT_EQ(result->strays, 0);
  listener.wait();
  std::ifstream saved(std::string(folder) + "/000002.hl7", std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(saved), {}};
  EXPECT_THAT(content, HasSubstr("|M1-2|"));
  std::filesystem::remove_all(folder);
}

TEST(SendAndListen, TheListenerLeavesOutAnswersWhereItIsTold) {
  ListenOrder listening;
  listening.drop_every = 2;
  listening.count = 2;
  Listener listener(listening);
  SendOrder order;
  order.address = listener.address();
  order.count = 2;
  order.window = 2;
  order.timeout = std::chrono::milliseconds(200);
  JsonLines none;
  const auto result = send_messages(order, *MessageSource::of("t", kMessage, {true, false}), none);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->as_expected, 1);
  EXPECT_EQ(result->unanswered, 1);
}

TEST(MessageSource, NumbersGoWhereTheyAreAskedFor) {
  const std::string text = "MSH|^~\\&|A|||||||ID{n}|P\rPID|1||P{n}\r";
  std::string frame;
  const auto templates = MessageSource::of("t", text, {false, true});
  templates->append_frame(frame, 12, 0);
  EXPECT_EQ(frame, "\x0BMSH|^~\\&|A|||||||ID12|P\rPID|1||P12\r\x1C\r");
  EXPECT_EQ(templates->control_id(12, 0), "ID12");
  EXPECT_EQ(MessageSource::of("t", text, {true, true})->control_id(3, 0), "ID3-3");
  EXPECT_EQ(MessageSource::of("t", text, {true, false})->control_id(3, 0), "ID{n}-3");
  EXPECT_EQ(MessageSource::of("t", text, {})->control_id(3, 0), "ID{n}");
}

TEST(MessageSource, SeveralMessagesGoAround) {
  const auto two = MessageSource::of("t", "MSH|^~\\&|A|||||||X\rMSH|^~\\&|A|||||||Y\r", {});
  EXPECT_EQ(two->size(), 2u);
  EXPECT_EQ(two->control_id(1, 0) + two->control_id(2, 0) + two->control_id(3, 0), "XYX");
}

TEST(Latencies, QuantilesAreWithinTwoPerCent) {
  Latencies latencies;
  for (int i = 1; i <= 10'000; ++i) latencies.add(std::chrono::microseconds(i));
  EXPECT_NEAR(latencies.quantile_ms(0.5), 5.0, 0.1);
  EXPECT_NEAR(latencies.quantile_ms(0.99), 9.9, 0.2);
  EXPECT_DOUBLE_EQ(latencies.smallest_ms(), 0.001);
  EXPECT_DOUBLE_EQ(latencies.largest_ms(), 10.0);
  EXPECT_DOUBLE_EQ(latencies.quantile_ms(1), 10.0);
  EXPECT_DOUBLE_EQ(Latencies().quantile_ms(0.5), 0);
}

TEST(JsonText, EscapesAndReplacesWhatIsNotUtf8) {
  const auto text = [](std::string_view raw) {
    std::string out;
    append_json_text(out, raw);
    return out;
  };
  EXPECT_EQ(text("a\"b\\c\r\n\x01"), R"("a\"b\\c\r\n\u0001")");
  EXPECT_EQ(text("Sjöström"), "\"Sjöström\"");
  EXPECT_EQ(text("Sj\xF6str\xF6m"), "\"Sj\xEF\xBF\xBDstr\xEF\xBF\xBDm\"");
  EXPECT_EQ(text("\xED\xA0\x80").size(), 2u + 9u);
  EXPECT_EQ(
      nlohmann::json::parse(text("\xF0\x9F\x98\x80 \xC0\x80")).get<std::string>().substr(0, 4),
      "\xF0\x9F\x98\x80");
}

}  // namespace
}  // namespace cannula::cli
