#include "channels/mllp/numbered.h"

#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/path.h"
#include "parsers/hl7v2/timestamp.h"

namespace cannula::mllp {

namespace {

constexpr int kSequence = 13;

Error not_numbered(std::string why) {
  return {
      "M211", "the payload cannot bear a sequence number: " + std::move(why),
      "send single HL7 v2 messages that ask for an acknowledgement in any case to a destination "
      "with `sequence`",
      std::nullopt};
}

}  // namespace

Result<void> can_be_numbered(std::string_view payload) {
  if (hl7v2::is_batch(payload)) return not_numbered("it is a batch");
  auto header = hl7v2::Header::peek(payload);
  if (!header) return not_numbered(header.error().message);
  // Table 0155; where MSH-15 is empty, MSH-16 speaks of the one answer that comes.
  const std::string_view wanted =
      header->accept_ack.empty() ? header->application_ack : header->accept_ack;
  if (wanted.empty() || wanted == "AL") return {};
  return not_numbered((header->accept_ack.empty() ? "MSH-16 is " : "MSH-15 is ") +
                      std::string(wanted));
}

Result<std::string> numbered(const Bytes& payload, std::int64_t number) {
  hl7v2::Message message = TRY(hl7v2::Message::parse(payload));
  static const hl7v2::Path kPath = *hl7v2::Path::parse("MSH-" + std::to_string(kSequence));
  TRY(message.set(kPath, std::to_string(number)));
  return message.encode();
}

std::string opening_message(const hl7v2::Header& header, std::int64_t number,
                            std::string_view control_id, std::int64_t time) {
  const std::string when = hl7v2::format_timestamp(time);
  const std::string counted = std::to_string(number);
  std::string out = "MSH";
  for (const std::string_view field :
       {header.encoding_characters, header.sending_application, header.sending_facility,
        header.receiving_application, header.receiving_facility, std::string_view(when),
        std::string_view(), header.message_type, control_id, header.processing_id, header.version,
        std::string_view(counted)}) {
    out += header.delimiters.field;
    out += field;
  }
  return out + '\r';
}

}  // namespace cannula::mllp
