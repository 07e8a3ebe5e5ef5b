// Any bytes: a message or an error, the same bytes out again, and whatever is read, written, added
// or removed leaves a message that reads back. The first byte chooses the edits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/header.h"
#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/structure.h"

namespace cannula::hl7v2 {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read_everything(const Message& message) {
  std::size_t budget = 4000;  // places, so that a large input stays quick
  for (SegmentId segment = 0; segment < message.segment_count(); ++segment) {
    for (std::uint32_t field = 0; field <= message.fields(segment) + 1; ++field) {
      const std::uint32_t repetitions = message.repetitions(Place{segment, field});
      for (std::uint32_t repetition = 0; repetition <= repetitions; ++repetition) {
        const std::uint32_t components = message.components(Place{segment, field, repetition});
        for (std::uint32_t component = 0; component <= components; ++component) {
          const Place place{segment, field, repetition, component, component % 3};
          require(message.get(place).has_value() == !message.raw(place).empty());
          if (budget-- == 0) return;
        }
      }
    }
  }
}

// Writes at places that the input chooses, reads back, and compares with the message encoded and
// parsed again.
void edit(Message message, std::uint8_t choice, std::string_view text) {
  const Place place{static_cast<SegmentId>(choice % message.segment_count()), 1U + choice % 7,
                    choice % 3U, choice % 5U, choice % 2U};
  const auto before = message.get(place);
  require(!message.set(place, before) || !message.edited() || before == std::nullopt);
  if (message.set(place, text)) {
    const bool whole = message.get(place).value_or("") == text;
    const bool escapes = message.delimiters().escape != 0;
    require(whole || !escapes || message.is_composite(place));
  }
  if (choice & 1)
    (void)message.add_segment("ZFZ|1|added",
                              static_cast<SegmentId>(choice % message.segment_count()));
  if (choice & 2)
    (void)message.remove_segment(static_cast<SegmentId>(choice % message.segment_count()));
  (void)message.set(*Path::parse("ZFY-3[2].2"), text);
  (void)message.set(*Path::parse("PID-3[*].4"), text);

  const std::string encoded = message.encode();
  const auto again = Message::parse(make_bytes(encoded));
  require(again.has_value());
  require(again->segment_count() == message.segment_count());
  for (std::size_t position = 0; position < message.segment_count() && position < 64; ++position) {
    require(again->text_of(again->segment_at(position)) ==
            message.text_of(message.segment_at(position)));
  }
}

void walk_groups(const Message& message) {
  (void)message.findings(20);
  (void)message.structure();
  for (std::string_view name :
       {"PATIENT_RESULT", "ORDER_OBSERVATION", "OBSERVATION", "ORDER", "INSURANCE"}) {
    std::size_t held = 0;
    for (const Group& group : message.groups(name)) {
      held += group.segments.size();
      require(!group.segments.empty());
      (void)message.groups("OBSERVATION", group);
    }
    require(held <= message.segment_count());
  }
}

}  // namespace
}  // namespace cannula::hl7v2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cannula;
  using namespace cannula::hl7v2;
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const Delimiters standard;
  require(unescape(escape(bytes, standard), standard) == bytes);
  (void)Path::parse(bytes.substr(0, 40));
  for (const Span& span : split_messages(bytes))
    require(span.begin < span.end && span.end <= bytes.size());

  const auto header = Header::peek(bytes);
  const auto message = Message::parse(make_bytes(std::string(bytes)));
  require(header.has_value() == message.has_value());
  if (!message) return 0;
  require(message->encode() == bytes);
  require(message->type() == header->event());

  AckDetails details;
  details.text = bytes.substr(0, 20);
  const auto answer = acknowledge(*header, static_cast<AckOutcome>(choice % 3), details);
  if (answer) {
    const auto read = Acknowledgement::parse(*answer);
    require(read.has_value());
  }
  read_everything(*message);
  walk_groups(*message);
  edit(*message, choice,
       bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), choice % 32)));
  return 0;
}
