#include "channels/mllp/framing/deframer.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::mllp {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kLarge = 1 << 20;

std::string framed(std::string_view content) {
  return "\x0B" + std::string(content) + "\x1C\r";
}

// Frames as "content", or "oversized:content/size", or "cut_off:content", which the tests compare.
std::string described(const Frame& frame) {
  switch (frame.kind) {
    case Frame::Kind::whole:
      return frame.content;
    case Frame::Kind::oversized:
      return "oversized:" + frame.content + "/" + std::to_string(frame.size);
    case Frame::Kind::cut_off:
      return "cut_off:" + frame.content;
  }
  return "";
}

struct Outcome {
  std::vector<std::string> frames;
  std::size_t garbage = 0;
  bool operator==(const Outcome&) const = default;
};

template <class Chunks>
Outcome read(const Chunks& chunks, std::size_t max_size = kLarge) {
  Deframer deframer(max_size);
  std::vector<Frame> frames;
  for (const auto& chunk : chunks) deframer.feed(chunk, frames);
  if (auto last = deframer.finish()) frames.push_back(std::move(*last));
  Outcome outcome;
  for (const Frame& frame : frames) outcome.frames.push_back(described(frame));
  outcome.garbage = deframer.take_garbage().size;
  return outcome;
}

Outcome read_whole(std::string_view bytes, std::size_t max_size = kLarge) {
  return read(std::vector<std::string_view>{bytes}, max_size);
}

std::vector<std::string> frames_of(std::string_view bytes) {
  return read_whole(bytes).frames;
}

// The oddities that real senders show, all in one stream.
std::string odd_stream() {
  return "\xEF\xBB\xBF" + framed("MSH|1\rPID|a\r") + "\n" + framed("MSH|2\rPID|b") + "\r\r\n" +
         "\x0BMSH|3\r\x1C\x0BMSH|4\x1C\x0BMSH|half\rPI\x0BMSH|5\rNTE|line\x0Bline|\x1Cx\r\x1C\r" +
         "junk" + framed("") + framed("MSH|6\x1C\x1C") + "\x0BMSH|7\r\x0BM\x0BMS\x0BMSHI\r\x1C" +
         "\x0BMSH|8 cut";
}

TEST(Deframer, GivesTheContentBetweenStartAndEnd) {
  EXPECT_THAT(frames_of(framed("MSH|one\r")), ElementsAre("MSH|one\r"));
  EXPECT_THAT(frames_of(framed("MSH|one")), ElementsAre("MSH|one"));
}

TEST(Deframer, FindsEveryFrameOfOneRead) {
  EXPECT_THAT(frames_of(framed("MSH|1\r") + framed("MSH|2\r") + framed("MSH|3\r")),
              ElementsAre("MSH|1\r", "MSH|2\r", "MSH|3\r"));
}

TEST(Deframer, SkipsAndCountsWhatStandsBeforeTheStart) {
  const Outcome outcome = read_whole("\xEF\xBB\xBF\r\n hello" + framed("MSH|1\r"));
  EXPECT_THAT(outcome.frames, ElementsAre("MSH|1\r"));
  EXPECT_EQ(outcome.garbage, 3 + 5u) << "blanks are not garbage";
}

TEST(Deframer, ShowsOnlyTheFirstBytesOfGarbage) {
  Deframer deframer(kLarge);
  std::vector<Frame> frames;
  deframer.feed("GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n", frames);
  EXPECT_EQ(deframer.take_garbage().start, "GET/HTTP/1.1Host");
  EXPECT_EQ(deframer.take_garbage().size, 0u);
}

TEST(Deframer, TakesTrailersThatDiffer) {
  EXPECT_THAT(frames_of("\x0BMSH|1\r\x1C\r\n\x0BMSH|2\r\x1C\r\n"),
              ElementsAre("MSH|1\r", "MSH|2\r"))
      << "FS CR LF";
  EXPECT_THAT(frames_of("\x0BMSH|1\x1C\n\x0BMSH|2\x1C\n"), ElementsAre("MSH|1", "MSH|2"))
      << "FS LF";
  EXPECT_THAT(frames_of("\x0BMSH|1\x1C\x0BMSH|2\x1C"), ElementsAre("MSH|1", "MSH|2")) << "FS alone";
  EXPECT_THAT(frames_of("\x0BMSH|1\r\r\x1C\r\r\x0BMSH|2\x1C\r\r"),
              ElementsAre("MSH|1\r\r", "MSH|2"))
      << "doubled CR";
}

TEST(Deframer, EndsAFrameAtTheEndBlockAfterASegmentWithoutWaiting) {
  Deframer deframer(kLarge);
  std::vector<Frame> frames;
  deframer.feed("\x0BMSH|1\r\x1C", frames);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_FALSE(deframer.within_frame());
  deframer.feed("\r", frames);
  EXPECT_EQ(frames.size(), 1u);
  EXPECT_EQ(deframer.take_garbage().size, 0u) << "the late CR belongs to the trailer";
}

TEST(Deframer, LeavesItToTheCallerHowLongToWaitForTheByteAfterTheEndBlock) {
  Deframer deframer(kLarge);
  std::vector<Frame> frames;
  deframer.feed("\x0BMSH|1\x1C", frames);
  EXPECT_THAT(frames, IsEmpty());
  EXPECT_TRUE(deframer.awaits_trailer());
  deframer.settle(frames);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].content, "MSH|1");
  deframer.settle(frames);
  EXPECT_EQ(frames.size(), 1u);
}

TEST(Deframer, KeepsAnEndBlockWithinTheTextAsContent) {
  EXPECT_THAT(frames_of(framed("MSH|a\x1C"
                               "b\x1C\x1C"
                               "c\r")),
              ElementsAre("MSH|a\x1C"
                          "b\x1C\x1C"
                          "c\r"));
}

TEST(Deframer, KeepsAStartBlockWithinTheTextAsContent) {
  EXPECT_THAT(frames_of(framed("MSH|1\rNTE|line\x0Bline\x0BMSG\r")),
              ElementsAre("MSH|1\rNTE|line\x0Bline\x0BMSG\r"));
}

TEST(Deframer, NeverJoinsAMessageGivenUpHalfWayWithTheNext) {
  EXPECT_THAT(frames_of("\x0BMSH|1\rPID|A\x0BMSH|1\rPID|Abel\r\x1C\r"),
              ElementsAre("cut_off:MSH|1\rPID|A", "MSH|1\rPID|Abel\r"));
}

TEST(Deframer, ReportsAFrameCutOffByTheEndOfTheStream) {
  EXPECT_THAT(frames_of(framed("MSH|1\r") + "\x0BMSH|2"), ElementsAre("MSH|1\r", "cut_off:MSH|2"));
  EXPECT_THAT(frames_of(framed("MSH|1\r") + "\x0BMSH|2\x0BMS"),
              ElementsAre("MSH|1\r", "cut_off:MSH|2\x0BMS"));
}

TEST(Deframer, GivesEmptyFrames) {
  EXPECT_THAT(frames_of("\x0B\x1C\r"), ElementsAre(""));
}

TEST(Deframer, KeepsTheBeginningOfAnOversizedFrameAndGoesOn) {
  const Outcome outcome = read_whole(framed("MSH|123456\r") + framed("MSH|2\r"), 8);
  EXPECT_THAT(outcome.frames, ElementsAre("oversized:MSH|1234/11", "MSH|2\r"));
  EXPECT_EQ(outcome.garbage, 0u);
}

TEST(Deframer, TakesAFrameOfExactlyTheLimit) {
  EXPECT_THAT(read_whole(framed("MSH|123\r"), 8).frames, ElementsAre("MSH|123\r"));
}

TEST(Deframer, HoldsNoMoreThanTheLimitOfAnEndlessFrame) {
  Deframer deframer(100'000);
  std::vector<Frame> frames;
  deframer.feed("\x0BMSH|", frames);
  const std::string chunk(10'000, 'x');
  for (int i = 0; i < 1000; ++i) deframer.feed(chunk, frames);
  EXPECT_EQ(deframer.frame_size(), 10'000'004u);
  const auto frame = deframer.finish();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->kind, Frame::Kind::cut_off);
  EXPECT_EQ(frame->content.size(), Deframer::kKept);
  EXPECT_LE(frame->content.capacity(), Deframer::kKept + 1);
}

TEST(Deframer, IsReadyForANewStreamAfterFinish) {
  Deframer deframer(kLarge);
  std::vector<Frame> frames;
  deframer.feed("\x0BMSH|1\x1C", frames);
  EXPECT_TRUE(deframer.finish());
  EXPECT_FALSE(deframer.finish());
  deframer.feed(framed("MSH|2\r"), frames);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].content, "MSH|2\r");
}

TEST(Deframer, FindsTheSameFramesCutAtEveryPairOfPositions) {
  const std::string stream = odd_stream();
  for (const std::size_t max_size : {kLarge, std::size_t{9}}) {
    const Outcome expected = read_whole(stream, max_size);
    const std::string_view all = stream;
    for (std::size_t first = 0; first <= all.size(); ++first) {
      for (std::size_t second = first; second <= all.size(); ++second) {
        const std::vector<std::string_view> chunks = {
            all.substr(0, first), all.substr(first, second - first), all.substr(second)};
        ASSERT_EQ(read(chunks, max_size), expected) << "cut at " << first << " and " << second;
      }
    }
  }
}

TEST(Deframer, FindsTheSameFramesByteByByte) {
  const std::string stream = odd_stream();
  std::vector<std::string_view> bytes;
  for (const char& byte : stream) bytes.emplace_back(&byte, 1);
  EXPECT_EQ(read(bytes), read_whole(stream));
  EXPECT_THAT(
      read_whole(stream).frames,
      ElementsAre("MSH|1\rPID|a\r", "MSH|2\rPID|b", "MSH|3\r", "MSH|4", "cut_off:MSH|half\rPI",
                  "MSH|5\rNTE|line\x0Bline|\x1Cx\r", "", "MSH|6\x1C\x1C",
                  "cut_off:MSH|7\r\x0BM\x0BMS", "MSHI\r", "cut_off:MSH|8 cut"));
}

TEST(Deframer, FindsTheSameFramesOfAnyBytesCutAnywhere) {
  std::mt19937 random(20260101);
  constexpr std::string_view kAlphabet = "\x0B\x1C\rMSH|x\n";
  for (int round = 0; round < 3000; ++round) {
    std::string stream(random() % 200, ' ');
    for (char& byte : stream) byte = kAlphabet[random() % kAlphabet.size()];
    const std::size_t max_size = random() % 2 ? kLarge : 1 + random() % 20;
    std::vector<std::string_view> chunks;
    for (std::string_view rest = stream; !rest.empty();) {
      const std::size_t length = std::min<std::size_t>(rest.size(), 1 + random() % 30);
      chunks.push_back(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    ASSERT_EQ(read(chunks, max_size), read_whole(stream, max_size))
        << testing::PrintToString(stream);
  }
}

}  // namespace

}  // namespace cannula::mllp
