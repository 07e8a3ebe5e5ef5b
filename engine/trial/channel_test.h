// A channel test, channels/NAME/tests/*.test.toml, as read: what comes in, and what is expected of
// it. The format: docs/reference/channel-tests.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/trial/trial.h"
#include "parsers/text/diagnostic.h"
#include "parsers/text/time_zone.h"

namespace cannula::trial {

// A text of the test file, and where it stands there.
struct Written {
  std::string text;
  Span span;
};

// What is expected at a path, or of a header.
struct Pick {
  enum class Kind { equal, contains, absent } kind = Kind::equal;
  std::string path;
  std::string text;
  Span span;
};

struct ExpectedPayload {
  std::optional<Written> file;  // beside the test
  std::string file_text;        // its text; the file may be missing, which only --update mends
  bool file_missing = false;
  std::optional<Written> text;
  std::optional<Written> as_received;
  std::vector<Pick> fields;
  std::vector<Written> contains;
  std::vector<Written> lacks;
};

struct ExpectedSend {
  Written to;
  ExpectedPayload payload;
  // "key", "priority", "method", "path", "content_type": by the name of send's option.
  std::vector<std::pair<std::string, Written>> options;
  std::vector<Pick> headers;
};

struct ExpectedMiss {
  std::string table;
  std::string key;  // its parts joined by "|"
  std::optional<std::string> text;
  Span span;
};

struct ExpectedVerdict {
  Written rules;
  std::optional<Written> urgency;  // "none": no rule fired
  std::optional<std::pair<bool, Span>> doubtful;
  std::vector<Written> fired, not_fired, unsure;
};

struct ExpectedReply {
  Span span;
  bool none = false;  // reply = false
  std::optional<std::pair<std::int64_t, Span>> status;
  std::vector<Pick> headers;
  ExpectedPayload body;
};

struct ExpectedState {
  std::string key;
  std::string json;
  Span span;
};

struct Expectation {
  Span span;
  std::optional<Written> outcome;
  std::optional<Written> reason;  // stands in the reason
  std::optional<std::pair<bool, Span>> until_mapped;
  std::optional<std::pair<std::vector<ExpectedSend>, Span>> sends;  // complete when there
  std::vector<Written> log, no_log;
  std::vector<ExpectedState> state;
  std::vector<Written> no_state;
  std::optional<std::pair<std::vector<ExpectedMiss>, Span>> misses;  // complete when there
  std::vector<ExpectedVerdict> verdicts;
  std::optional<ExpectedReply> reply;

  bool empty() const;
};

// What a destination answers to the nth send that goes there.
struct TestAnswer {
  Written from;
  std::int64_t nth = 1;
  GivenAnswer given;
  Expectation expect;
};

struct TestMessage {
  GivenMessage given;
  std::vector<TestAnswer> answers;
  Expectation expect;
};

struct ChannelTest {
  std::string channel;
  std::string name;  // of the file, without ".test.toml"
  std::string description;
  std::shared_ptr<const Source> source;  // null when the file cannot be read
  std::filesystem::path folder;          // of the file
  Trial::State state;                    // before the first message
  std::vector<TestMessage> messages;
};

// Reads the test of a channel. Every mistake of the file is a finding (C1xx, V1xx); a test with an
// error is not to be run.
ChannelTest read_test(const config::Site& site, const config::ChannelConfig& channel,
                      const std::filesystem::path& file, std::vector<Diagnostic>& findings);

}  // namespace cannula::trial
