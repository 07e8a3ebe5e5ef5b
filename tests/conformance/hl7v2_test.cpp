// Real HL7 v2 messages, gathered from public repositories: nothing that has an MSH is refused, and
// no byte changes but those that were edited.
#include <cstdio>
#include <map>

#include <gtest/gtest.h>

#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/message.h"
#include "tests/conformance/corpus.h"

namespace cannula::hl7v2 {
namespace {

struct Sample {
  std::string file;
  std::size_t ordinal;  // of the message in its file, from 1
  std::string text;

  std::string name() const { return file + " message " + std::to_string(ordinal); }
};

// Every message of every file; a file without MSH at the start of a line gives none.
const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = [] {
    std::vector<Sample> found;
    const auto folder = conformance::corpus_folder("hl7v2");
    if (folder.empty()) return found;
    for (const auto& path : conformance::files_below(folder)) {
      const std::string bytes = conformance::read_file(path);
      std::size_t ordinal = 0;
      for (const Span& span : split_messages(bytes)) {
        found.push_back({path.lexically_relative(folder).string(), ++ordinal,
                         bytes.substr(span.begin, span.size())});
      }
    }
    return found;
  }();
  return all;
}

class Corpus : public testing::Test {
 protected:
  void SetUp() override {
    if (samples().empty())
      GTEST_SKIP() << "there is no corpus: set CANNULA_CORPUS to a folder that has hl7v2/";
  }
};

TEST_F(Corpus, EveryMessageParsesAndEncodesToTheSameBytes) {
  std::size_t parsed = 0;
  std::size_t same = 0;
  std::map<std::string, std::size_t> findings;
  std::size_t clean = 0;
  for (const Sample& sample : samples()) {
    const auto message = Message::parse(make_bytes(sample.text));
    if (!message) {
      std::printf("refused: %s: %s\n", sample.name().c_str(), message.error().text().c_str());
      // Only what names no usable delimiters may be refused.
      EXPECT_TRUE(message.error().code == "H102" || message.error().code == "H103")
          << sample.name();
      continue;
    }
    ++parsed;
    same += message->encode() == sample.text;
    EXPECT_EQ(message->encode(), sample.text) << sample.name();
    const auto found = message->findings();
    clean += found.empty();
    for (const Diagnostic& finding : found) ++findings[finding.code];
  }
  std::printf(
      "score: %zu messages, %zu parsed, %zu encoded to the same bytes; %zu without findings\n",
      samples().size(), parsed, same, clean);
  for (const auto& [code, count] : findings) std::printf("  %s: %zu\n", code.c_str(), count);
}

// A file as a source hands it over: with a byte order mark, blanks, MLLP bytes, whatever stands
// around the messages.
TEST_F(Corpus, EveryFileThatBeginsWithAMessageKeepsItsBytes) {
  std::size_t files = 0;
  for (const auto& path : conformance::files_below(conformance::corpus_folder("hl7v2"))) {
    const std::string bytes = conformance::read_file(path);
    const auto message = Message::parse(make_bytes(bytes));
    if (!message) continue;
    ++files;
    EXPECT_EQ(message->encode(), bytes) << path;
  }
  std::printf("score: %zu files begin with a message\n", files);
}

// The bytes of the message with the given part replaced; `part` is a view into `text`.
std::string with_replaced(std::string_view text, std::string_view part,
                          std::string_view replacement) {
  const auto begin = static_cast<std::size_t>(part.data() - text.data());
  return std::string(text.substr(0, begin)) + std::string(replacement) +
         std::string(text.substr(begin + part.size()));
}

TEST_F(Corpus, EditingOneFieldChangesNoOtherByte) {
  std::size_t edits = 0;
  for (const Sample& sample : samples()) {
    const auto received = Message::parse(make_bytes(sample.text));
    if (!received) continue;
    const std::string_view text = *received->received();
    for (SegmentId segment = 0; segment < std::min<std::size_t>(received->segment_count(), 40);
         ++segment) {
      const bool header = received->name_of(segment) == "MSH";
      for (std::uint32_t field = header ? 3 : 1; field <= received->fields(segment); ++field) {
        const Place place{segment, field, Place::kWholeField};
        Message message = *received;
        ASSERT_TRUE(message.set(place, "EDITED")) << sample.name();
        ASSERT_EQ(message.encode(), with_replaced(text, received->raw(place), "EDITED"))
            << sample.name();
        ++edits;
      }
    }
  }
  std::printf("score: %zu fields edited, each alone\n", edits);
}

TEST_F(Corpus, WritingWhatWasReadIsTheIdentity) {
  std::size_t places = 0;
  for (const Sample& sample : samples()) {
    auto message = Message::parse(make_bytes(sample.text));
    if (!message) continue;
    for (SegmentId segment = 0; segment < message->segment_count(); ++segment) {
      for (std::uint32_t field = 1; field <= message->fields(segment); ++field) {
        for (std::uint32_t repetition = 1;
             repetition <= message->repetitions(Place{segment, field}); ++repetition) {
          Place place{segment, field, repetition};
          const std::uint32_t components = message->components(place);
          for (place.component = 0; place.component <= components; ++place.component) {
            ASSERT_TRUE(message->set(place, message->get(place))) << sample.name();
            ++places;
          }
        }
      }
    }
    ASSERT_FALSE(message->edited()) << sample.name();
  }
  std::printf("score: %zu places read and written back\n", places);
}

// Copying a text to the same place of another message gives the same text there.
TEST_F(Corpus, WhatIsReadCanBeWrittenElsewhere) {
  std::size_t exact = 0;
  std::size_t copied = 0;
  for (const Sample& sample : samples()) {
    const auto message = Message::parse(make_bytes(sample.text));
    if (!message) continue;
    for (SegmentId segment = 1; segment < message->segment_count(); ++segment) {
      for (std::uint32_t field = 1; field <= message->fields(segment); ++field) {
        const Place place{segment, field, 1};
        const auto text = message->get(place);
        if (!text) continue;
        Message other = *message;
        ASSERT_TRUE(other.set(place, std::nullopt));
        ASSERT_TRUE(other.set(place, text)) << sample.name();
        ASSERT_EQ(other.get(place), text) << sample.name() << " " << message->path_of(place).text();
        ++copied;
        exact += other.raw(place) == message->raw(place);
      }
    }
  }
  std::printf("score: %zu fields copied, %zu of them byte for byte\n", copied, exact);
}

TEST_F(Corpus, GroupsHoldEverySegmentAtMostOnce) {
  std::size_t orders = 0;
  std::size_t grouped = 0;
  for (const Sample& sample : samples()) {
    const auto message = Message::parse(make_bytes(sample.text));
    if (!message) continue;
    for (std::string_view name :
         {"PATIENT_RESULT", "ORDER_OBSERVATION", "OBSERVATION", "ORDER", "PATIENT"}) {
      SegmentId last = 0;
      for (const Group& group : message->groups(name)) {
        ++orders;
        for (SegmentId segment : group.segments) {
          ASSERT_GT(segment, last) << sample.name();
          last = segment;
          ++grouped;
        }
      }
    }
  }
  std::printf("score: %zu groups, %zu segments in them\n", orders, grouped);
}

}  // namespace
}  // namespace cannula::hl7v2
