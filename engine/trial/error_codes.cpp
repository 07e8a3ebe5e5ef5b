#include "engine/trial/error_codes.h"

#include <array>

namespace cannula::trial {
namespace {

constexpr std::array kCodes = {
    ErrorCode{"V101", "A channel test expects nothing",
              "A test that cannot fail tells nothing. Write [expect] with at least one "
              "expectation, such as outcome = \"done\"."},
    ErrorCode{
        "V102", "A message without a body, or with two",
        "A message of a test is a file beside the test (`file`) or stands in it (`text`), one "
        "of the two. A message with a [message.request] may have none."},
    ErrorCode{"V103", "A file of a test cannot be read",
              "Names of files start from the folder of the test."},
    ErrorCode{"V104", "An expectation that cannot be meant",
              "Two keys contradict each other, a time is none, a destination does not exist, or it "
              "is not clear which message is meant. The message says which."},
    ErrorCode{"V105", "A path into a payload that cannot be read",
              "HL7 v2 has paths such as PID-3.1, JSON such as entry[1].resource.status, counted "
              "from 1; `[*]` stands for any. Other payloads have no paths: use `contains`."},
    ErrorCode{"V201", "Another outcome than expected",
              "The script ended as something else: done, skipped, parked, rejected, or dead after "
              "an error. Its reason stands below the finding. A script that fails is always a "
              "failure unless the test expects outcome = \"dead\"."},
    ErrorCode{"V202", "Another payload than expected",
              "What a destination or the sender would get differs; the particulars stand below the "
              "finding. When what came is right, `cannula test --update` writes it into the file "
              "or the text that was expected."},
    ErrorCode{"V203", "Nothing was sent", "A destination was to get something, and did not."},
    ErrorCode{
        "V204", "Something was sent that is not expected",
        "A message of a test that expects deliveries expects all of them. To ignore what goes "
        "to a destination, expect it with [[expect.send]] and `to` alone."},
    ErrorCode{"V205", "Another option of a delivery than expected",
              "The key, priority, method, path or content type that the script gave to send() "
              "differs."},
    ErrorCode{"V206", "The log is not as expected",
              "A log line reads \"level: text {fields}\", and `log` names a part of it."},
    ErrorCode{"V207", "The state is not as expected",
              "State is compared after the message; a run that fails, skips, parks or rejects "
              "writes none."},
    ErrorCode{"V208", "The misses are not as expected",
              "`misses` lists all lookups that found no row; misses = [] says that there is none."},
    ErrorCode{"V209", "The rules said something else",
              "What each rule said and why stands below the finding."},
    ErrorCode{"V210", "Another reply than expected",
              "What the sender would be told differs. Without reply{…} in the script the transport "
              "answers itself, which a test says as reply = false."},
    ErrorCode{"V211", "The script cannot be asked",
              "It does not define on_response, so an answer of a destination means nothing to it."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::trial
