// How a channel test is read from its TOML file; inside engine/trial only.
#pragma once

#include "engine/config/document.h"
#include "engine/config/schema.h"
#include "engine/trial/channel_test.h"

namespace cannula::trial {

class TestReader {
 public:
  TestReader(ChannelTest& test, const config::ChannelConfig& channel,
             std::shared_ptr<const Source> source, std::vector<Diagnostic>& findings);

  void read(const config::Node& root);

 private:
  // test_reader.cpp: what comes in
  void read_messages(const config::Node& root);
  TestMessage read_message(const config::Node& table);
  TestAnswer read_answer(const config::Node& table);
  Bytes read_body(const config::Node& table, bool required);
  std::string in_own_set(std::string body, const Written& text);
  std::string read_request(const config::Node& table);
  std::int64_t read_moment(const config::Node& value);

  // expectation_reader.cpp: what is expected
  Expectation read_expectation(const config::Node& table);
  ExpectedSend read_send(const config::Node& table);
  ExpectedPayload read_payload(const config::Node& table);
  ExpectedVerdict read_verdict(const config::Node& table);
  ExpectedReply read_reply(const config::Node& value);
  std::vector<ExpectedMiss> read_misses(const config::Node& list);
  std::vector<Pick> read_picks(const config::Member* table);
  std::vector<Written> read_texts(const config::Member* list);

  std::optional<Written> text_of(const config::Node& table, std::string_view name) const;
  // The tables of a list of tables, or the one table; findings for anything else.
  std::vector<const config::Node*> tables_of(const config::Member* list, std::string_view form);
  void check_keys(const config::Node& table, std::span<const Option> options,
                  std::string_view place);
  std::optional<std::string> read_file(const Written& name, bool must_be_there);

  ChannelTest& test_;
  const config::ChannelConfig& channel_;
  config::File file_;
  std::int64_t now_;  // of the message before
};

// A value of the test file as JSON text.
std::string json_of(const config::Node& node);

}  // namespace cannula::trial
