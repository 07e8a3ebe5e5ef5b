// The quick ways through bytes, against slow ones that are plain to see.
#include "parsers/hl7v2/parts.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "parsers/hl7v2/block_scan.h"

namespace cannula::hl7v2 {
namespace {

// Part n of a text, one byte after the other; how many delimiters are missing.
std::uint32_t slow_narrow(std::string_view text, std::size_t& begin, std::size_t& end,
                          char delimiter, std::uint32_t n) {
  for (; n > 1; --n) {
    std::size_t mark = begin;
    while (mark < end && (delimiter == 0 || text[mark] != delimiter)) ++mark;
    if (mark == end) {
      begin = end;
      return n - 1;
    }
    begin = mark + 1;
  }
  for (std::size_t mark = begin; mark < end && delimiter != 0; ++mark) {
    if (text[mark] == delimiter) end = mark;
  }
  return 0;
}

Part slow_part(std::string_view text, const Delimiters& delimiters, const Place& place) {
  Part part{0, text.size()};
  if (place.repetition != Place::kWholeField) {
    part.repetitions =
        slow_narrow(text, part.begin, part.end, delimiters.repetition, place.repetition);
  }
  if (place.component == 0) return part;
  part.components = slow_narrow(text, part.begin, part.end, delimiters.component, place.component);
  if (place.subcomponent == 0) return part;
  part.subcomponents =
      slow_narrow(text, part.begin, part.end, delimiters.subcomponent, place.subcomponent);
  return part;
}

std::string random_text(std::mt19937& random, std::size_t size) {
  // In memory of its own size, so that a look past its end is seen by the sanitizer.
  std::string text(size, ' ');
  for (char& letter : text) letter = "ab~^&1"[random() % 6];
  text.shrink_to_fit();
  return text;
}

TEST(Parts, AreFoundAtEveryLengthOfATextAsByLookingAtEachByte) {
  std::mt19937 random(7);
  for (std::size_t size = 0; size <= 140; ++size) {
    for (int round = 0; round < 200; ++round) {
      const std::string text = random_text(random, size);
      Delimiters delimiters;
      if (round % 10 == 0) delimiters.repetition = 0;
      if (round % 15 == 0) delimiters.subcomponent = 0;
      Place place;
      place.repetition = round % 7 == 0 ? Place::kWholeField : 1 + random() % 4;
      place.component = random() % 5;
      place.subcomponent = place.component == 0 ? 0 : random() % 4;
      const Part found = find_part(text, delimiters, place);
      const Part expected = slow_part(text, delimiters, place);
      ASSERT_EQ(std::tie(found.begin, found.end, found.repetitions, found.components,
                         found.subcomponents),
                std::tie(expected.begin, expected.end, expected.repetitions, expected.components,
                         expected.subcomponents))
          << '"' << text << "\" " << place.repetition << ' ' << place.component << ' '
          << place.subcomponent;
    }
  }
}

TEST(Parts, ACharacterIsHeldWhereverItStands) {
  for (std::size_t size = 0; size <= 130; ++size) {
    std::string text(size, 'a');
    EXPECT_FALSE(holds(text, '\\'));
    for (char& letter : text) {
      letter = '\\';
      EXPECT_TRUE(holds(text, '\\')) << size;
      letter = 'a';
    }
  }
  EXPECT_FALSE(holds(std::string_view("\0", 1), 0)) << "0 is no delimiter";
}

TEST(BlockScan, EveryWayThatThisProcessorHasFindsTheSame) {
  std::mt19937 random(11);
  NamedBlockScan scans[3];
  const std::size_t count = block_scans(scans);
  ASSERT_GE(count, 1u);
  for (int round = 0; round < 200; ++round) {
    constexpr std::size_t kBlocks = 5;
    std::string text(kBlocks * kScanBlock, ' ');
    for (char& letter : text) letter = "|\r\nab\x80\xFF|"[random() % 8];
    for (std::size_t at = 0; at < count; ++at) {
      std::uint64_t separators[kBlocks] = {};
      std::uint64_t line_ends[kBlocks] = {};
      scans[at].scan(text.data(), kBlocks, '|', separators, line_ends);
      for (std::size_t place = 0; place < text.size(); ++place) {
        const bool separator = (separators[place / 64] >> place % 64 & 1) != 0;
        const bool line_end = (line_ends[place / 64] >> place % 64 & 1) != 0;
        ASSERT_EQ(separator, text[place] == '|') << scans[at].name << ' ' << place;
        ASSERT_EQ(line_end, text[place] == '\r' || text[place] == '\n') << scans[at].name;
      }
    }
  }
}

}  // namespace
}  // namespace cannula::hl7v2
