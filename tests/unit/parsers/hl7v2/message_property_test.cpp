// What must hold for every message, tried on messages made at random and on good ones with bytes
// changed.
#include <random>

#include <gtest/gtest.h>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {
namespace {

using Random = std::mt19937;  // with a fixed seed: the same messages each time

std::string random_text(Random& random, std::string_view alphabet, std::size_t longest) {
  std::string text;
  for (std::size_t length = random() % (longest + 1); length > 0; --length) {
    text += alphabet[random() % alphabet.size()];
  }
  return text;
}

std::string random_message(Random& random, bool blank_lines = true) {
  static constexpr std::string_view kNames[] = {"PID", "OBX", "NTE",  "OBR",
                                                "ZZ1", "pid", "OBXX", ""};
  static constexpr std::string_view kEnds[] = {"\r", "\n", "\r\n", "\r\r", "\r \r"};
  std::string text = random() % 4 == 0 ? "\r\n" : "";
  text += "MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5";
  const std::size_t segments = random() % 12;
  for (std::size_t i = 0; i < segments; ++i) {
    text += kEnds[random() % (blank_lines ? std::size(kEnds) : 3)];
    text += kNames[random() % (std::size(kNames) - (blank_lines ? 0 : 1))];
    text += random_text(random, "|||||ab^^~&\\T\"", 40);
  }
  if (random() % 2 == 0 || !blank_lines)
    text += kEnds[random() % (blank_lines ? std::size(kEnds) : 3)];
  return text;
}

std::string mutated(Random& random, std::string text) {
  for (std::size_t changes = random() % 6; changes > 0 && !text.empty(); --changes) {
    const std::size_t at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, random() % 8);
        break;
      case 2:
        text.insert(at, random_text(random, "|^~\\&\r\nMSHX1\x0b\x1c", 6));
        break;
      default:
        text.insert(at, text.substr(random() % text.size(), random() % 30));
        break;
    }
  }
  return text;
}

Place random_place(Random& random, const Message& message) {
  Place place;
  place.segment = message.segment_at(random() % message.segment_count());
  place.field = 1 + static_cast<std::uint32_t>(random() % 8);
  place.repetition =
      random() % 5 == 0 ? Place::kWholeField : static_cast<std::uint32_t>(random() % 4);
  place.component = static_cast<std::uint32_t>(random() % 4);
  place.subcomponent = static_cast<std::uint32_t>(random() % 3);
  return place;
}

// Everything but the edited field must be as it was.
void expect_same_but(const Message& before, const Message& after, const Place& edited) {
  ASSERT_EQ(before.segment_count(), after.segment_count());
  for (SegmentId segment = 0; segment < before.segment_count(); ++segment) {
    for (std::uint32_t field = 1; field <= after.fields(segment); ++field) {
      if (segment == edited.segment && field == edited.field) continue;
      const Place place{segment, field, Place::kWholeField};
      ASSERT_EQ(before.raw(place), after.raw(place)) << before.path_of(place).text();
    }
  }
}

TEST(MessageProperty, AnyBytesEncodeToThemselvesOrAreRefused) {
  Random random(1);  // NOLINT
  std::size_t parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::string text = mutated(random, random_message(random));
    const auto message = Message::parse(make_bytes(text));
    if (!message) {
      EXPECT_EQ(message.error().code[0], 'H');
      continue;
    }
    ++parsed;
    ASSERT_EQ(message->encode(), text);
    (void)message->findings();
    (void)message->groups("ORDER_OBSERVATION");
  }
  EXPECT_GT(parsed, 10000U);
}

TEST(MessageProperty, WhatIsWrittenIsReadBackAndStaysInItsField) {
  Random random(2);  // NOLINT
  std::size_t written = 0;
  for (int round = 0; round < 20000; ++round) {
    const auto original = Message::parse(make_bytes(mutated(random, random_message(random))));
    if (!original) continue;
    const Place place = random_place(random, *original);
    const std::string text = random_text(random, "ab&^~|\\.br\r\nT\\", 12);
    Message message = *original;
    const auto result = message.set(place, text);
    if (!result) {
      EXPECT_EQ(message.encode(), *original->received());
      continue;
    }
    ++written;
    const auto again = Message::parse(make_bytes(message.encode()));
    ASSERT_TRUE(again);
    expect_same_but(*original, *again, place);
    ASSERT_EQ(again->raw(place), message.raw(place));
    if (!message.is_composite(place) && message.delimiters().escape != 0) {
      ASSERT_EQ(message.get(place).value_or(""), text) << message.path_of(place).text();
    }
  }
  EXPECT_GT(written, 10000U);
}

TEST(MessageProperty, WritingBackWhatWasReadChangesNothing) {
  Random random(3);  // NOLINT
  for (int round = 0; round < 20000; ++round) {
    auto message = Message::parse(make_bytes(mutated(random, random_message(random))));
    if (!message) continue;
    for (int i = 0; i < 8; ++i) {
      const Place place = random_place(random, *message);
      ASSERT_TRUE(message->set(place, message->get(place))) << message->path_of(place).text();
    }
    ASSERT_FALSE(message->edited());
  }
}

// Edits one after the other, checked against the same edits each made on the message encoded and
// parsed anew.
TEST(MessageProperty, EditsAddUpAsIfEachHadBeenParsedAnew) {
  Random random(4);  // NOLINT
  for (int round = 0; round < 3000; ++round) {
    auto message = Message::parse(make_bytes(random_message(random, false)));
    ASSERT_TRUE(message);
    for (int i = 0; i < 12; ++i) {
      const std::size_t position = random() % message->segment_count();
      const SegmentId segment = message->segment_at(position);
      auto fresh = *Message::parse(make_bytes(message->encode()));
      ASSERT_EQ(fresh.segment_count(), message->segment_count());
      switch (random() % 6) {
        case 0: {
          const std::string text = "NTE|" + random_text(random, "|a^", 8);
          ASSERT_TRUE(message->add_segment(text, segment));
          ASSERT_TRUE(fresh.add_segment(text, fresh.segment_at(position)));
          break;
        }
        case 1:
          ASSERT_EQ(message->remove_segment(segment).has_value(),
                    fresh.remove_segment(fresh.segment_at(position)).has_value());
          break;
        default: {
          Place place = random_place(random, *message);
          const std::string text = random_text(random, "ab&^~|\\", 8);
          const std::size_t at = *message->position_of(place.segment);
          const bool done = message->set(place, text).has_value();
          place.segment = fresh.segment_at(at);
          ASSERT_EQ(fresh.set(place, text).has_value(), done);
        }
      }
      ASSERT_EQ(fresh.encode(), message->encode());
    }
  }
}

}  // namespace
}  // namespace cannula::hl7v2
