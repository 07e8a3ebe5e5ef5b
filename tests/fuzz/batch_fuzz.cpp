// Batches and acknowledgements of any bytes: spans stay within them, counts agree, and what is
// written is read back as it was meant.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "parsers/hl7v2/acknowledgement.h"
#include "parsers/hl7v2/batch.h"

using namespace cannula;
using namespace cannula::hl7v2;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_batch(std::string_view bytes) {
  const BatchFile file = BatchFile::read(bytes);
  std::size_t end = 0;
  std::size_t count = 0;
  std::vector<std::string> answers;
  for (const MessageBatch& batch : file.batches) {
    for (const Span& message : batch.messages) {
      require(message.begin >= end && message.end >= message.begin && message.end <= bytes.size());
      require(bytes.substr(message.begin, 3) == "MSH");
      end = message.end;
      answers.emplace_back("MSH|^~\\&|A\r");
      ++count;
    }
  }
  require(count == file.message_count());
  require(count == split_messages(bytes).size());
  const std::string written = acknowledge_batch(file, answers, {0, "7"});
  const BatchFile read = BatchFile::read(written);
  require(read.message_count() == count);
}

void check_acknowledgement(std::string_view bytes) {
  static_cast<void>(Acknowledgement::parse(bytes).has_value());
  const auto header = Header::peek(bytes);
  if (!header) return;
  const AckError errors[] = {{"101", "PID^1^3", "", std::string(bytes.substr(0, 200)), "x"},
                             {"", "", "W", "", ""}};
  AckDetails details;
  details.control_id = "7";
  details.text = bytes.substr(0, 300);
  details.errors = errors;
  for (const AckCode code : {AckCode::AA, AckCode::AE, AckCode::CR}) {
    const auto read = Acknowledgement::parse(build_acknowledgement(*header, code, details));
    require(read.has_value() && read->code == code);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_batch(bytes);
  check_acknowledgement(bytes);
  return 0;
}
