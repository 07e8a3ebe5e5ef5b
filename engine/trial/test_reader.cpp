#include "engine/trial/test_reader.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/config/folder.h"
#include "engine/script/time_text.h"
#include "engine/trial/payload.h"
#include "parsers/hl7v2/encoding.h"

namespace cannula::trial {

using config::Member;
using config::Node;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::int64_t kDefaultNow = 1'767'268'800'000'000;  // 2026-01-01T12:00:00Z
constexpr OptionType kLater = OptionType::table;             // read by hand, below

const Option kTestOptions[] = {
    {"description", OptionType::text, "What must hold, in a sentence."},
    {"now", kLater, "The time of the first message."},
    {"state", kLater, "What the script's state holds before the first message."},
    {"message", kLater, "A message that comes in."},
    {"expect", kLater, "What is expected of the only message."},
};
const Option kMessageOptions[] = {
    {"file", OptionType::text, "A file with the message, beside the test."},
    {"text", OptionType::text, "The message itself."},
    {"exact", OptionType::boolean, "The bytes are taken as they stand.", "false"},
    {"partner", OptionType::text, "Who sends it."},
    {"now", kLater, "When it comes in."},
    {"after", OptionType::duration, "How long after the message before it comes in."},
    {"request", kLater, "The HTTP request it came by."},
    {"answer", kLater, "What a destination answers."},
    {"expect", kLater, "What is expected."},
};
const Option kAnswerOptions[] = {
    {"from", OptionType::text, "The destination.", "", true},
    {"nth", OptionType::integer, "Which of the sends to it, from 1.", "1", false, {}, 1, 10000},
    {"status", OptionType::integer, "Of HTTP.", "", false, {}, 100, 599},
    {"headers", kLater, "Of HTTP."},
    {"file", OptionType::text, "A file with what came back, beside the test."},
    {"text", OptionType::text, "What came back."},
    {"exact", OptionType::boolean, "The bytes are taken as they stand.", "false"},
    {"expect", kLater, "What is expected of on_response."},
};
const Option kRequestOptions[] = {
    {"method", OptionType::text, "", "POST"},
    {"path", OptionType::text, "", "/"},
    {"query", kLater, ""},
    {"headers", kLater, ""},
};

Json value_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::integer:
      return node.integer;
    case Node::Kind::boolean:
      return node.boolean;
    case Node::Kind::number: {
      const Json number = Json::parse(node.text, nullptr, false);
      return number.is_discarded() ? Json(node.text) : number;
    }
    case Node::Kind::array: {
      Json list = Json::array();
      for (const Node& item : node.items) list.push_back(value_of(item));
      return list;
    }
    case Node::Kind::table: {
      Json object = Json::object();
      for (const Member& member : node.members) object[member.name] = value_of(member.value);
      return object;
    }
    default:
      return node.text;
  }
}

}  // namespace

std::string json_of(const Node& node) {
  return value_of(node).dump(-1, ' ', false, Json::error_handler_t::replace);
}

TestReader::TestReader(ChannelTest& test, const config::ChannelConfig& channel,
                       std::shared_ptr<const Source> source, std::vector<Diagnostic>& findings)
    : test_(test), channel_(channel), file_(std::move(source), findings), now_(kDefaultNow) {}

void TestReader::check_keys(const Node& table, std::span<const Option> options,
                            std::string_view place) {
  config::read_table(file_, table, options, place, test_.folder);
}

std::optional<Written> TestReader::text_of(const Node& table, std::string_view name) const {
  const Member* member = table.find(name);
  if (member == nullptr || !member->value.is(Node::Kind::text)) return std::nullopt;
  return Written{member->value.text, member->value.span};
}

std::vector<const Node*> TestReader::tables_of(const Member* list, std::string_view form) {
  std::vector<const Node*> tables;
  if (list == nullptr) return tables;
  const auto add = [&](const Node& node) {
    if (node.is(Node::Kind::table)) {
      tables.push_back(&node);
    } else {
      file_.error("C104", node.span,
                  fmt::format("`{}` must be a table, not {}", list->name, name_of(node.kind)),
                  fmt::format("write {} on a line of its own and its keys below", form));
    }
  };
  if (list->value.is(Node::Kind::array)) {
    for (const Node& item : list->value.items) add(item);
  } else {
    add(list->value);
  }
  return tables;
}

void TestReader::read(const Node& root) {
  check_keys(root, kTestOptions, "a channel test");
  if (const auto description = text_of(root, "description")) test_.description = description->text;
  if (const Member* now = root.find("now")) now_ = read_moment(now->value);
  if (const Member* state = root.find("state")) {
    for (const Node* table : tables_of(state, "[state]")) {
      for (const Member& member : table->members) test_.state[member.name] = json_of(member.value);
    }
  }
  read_messages(root);
}

void TestReader::read_messages(const Node& root) {
  for (const Node* table : tables_of(root.find("message"), "[message]")) {
    test_.messages.push_back(read_message(*table));
  }
  if (test_.messages.empty()) {
    file_.error("V102", root.span, "the test has no message",
                "write [message] with `file = \"…\"` or `text = '''…'''`");
    return;
  }
  if (const Member* expect = root.find("expect")) {
    if (test_.messages.size() > 1) {
      file_.error("V104", expect->name_span,
                  "which of the messages is this expected of? The test has several",
                  "write [message.expect] below the message it belongs to");
    } else if (!test_.messages[0].expect.empty()) {
      file_.error("V104", expect->name_span, "the expectations stand in two places",
                  "keep [expect] or [message.expect]");
    } else {
      for (const Node* table : tables_of(expect, "[expect]")) {
        test_.messages[0].expect = read_expectation(*table);
      }
    }
  }
  bool expects = false;
  for (const TestMessage& message : test_.messages) {
    expects = expects || !message.expect.empty();
    for (const TestAnswer& answer : message.answers) expects = expects || !answer.expect.empty();
  }
  if (!expects && !has_errors(file_.findings())) {
    file_.error("V101", root.span, "the test expects nothing, so it could not fail",
                "write [expect] with, for example, outcome = \"done\"");
  }
}

TestMessage TestReader::read_message(const Node& table) {
  const Values values =
      config::read_table(file_, table, kMessageOptions, "[message]", test_.folder);
  TestMessage message;
  message.expect.span = table.span;
  if (const Member* now = table.find("now")) {
    now_ = read_moment(now->value);
  } else if (values.has("after")) {
    now_ += std::chrono::duration_cast<std::chrono::microseconds>(values.duration("after")).count();
  }
  message.given.now = now_;
  message.given.partner = values.text_or("partner", channel_.partner);
  message.given.body = read_body(table, table.find("request") == nullptr);
  for (const Node* request : tables_of(table.find("request"), "[message.request]")) {
    message.given.attributes = read_request(*request);
  }
  for (const Node* answer : tables_of(table.find("answer"), "[[message.answer]]")) {
    message.answers.push_back(read_answer(*answer));
  }
  for (const Node* expect : tables_of(table.find("expect"), "[message.expect]")) {
    message.expect = read_expectation(*expect);
  }
  return message;
}

TestAnswer TestReader::read_answer(const Node& table) {
  const Values values =
      config::read_table(file_, table, kAnswerOptions, "[[message.answer]]", test_.folder);
  TestAnswer answer;
  answer.from = text_of(table, "from").value_or(Written{"", table.span});
  answer.nth = values.integer("nth");
  answer.given.destination = answer.from.text;
  if (table.find("file") || table.find("text")) answer.given.body = read_body(table, true);
  if (values.has("status") || table.find("headers")) {
    Json attributes = Json::object();
    if (values.has("status")) attributes["status"] = values.integer("status");
    attributes["headers"] = Json::object();
    for (const Node* headers : tables_of(table.find("headers"), "headers = { … }")) {
      attributes["headers"] = value_of(*headers);
    }
    answer.given.attributes = attributes.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  for (const Node* expect : tables_of(table.find("expect"), "[message.answer.expect]")) {
    answer.expect = read_expectation(*expect);
  }
  return answer;
}

std::string TestReader::read_request(const Node& table) {
  const Values values =
      config::read_table(file_, table, kRequestOptions, "[message.request]", test_.folder);
  Json request;
  request["method"] = values.text("method");
  request["path"] = values.text("path");
  std::string target = values.text("path");
  for (const char* name : {"query", "headers"}) {
    request[name] = Json::object();
    for (const Node* texts : tables_of(table.find(name), fmt::format("{} = {{ … }}", name))) {
      for (const Member& member : texts->members) {
        std::string key = member.name;
        if (name == std::string_view("headers")) {
          for (char& letter : key) letter = static_cast<char>(std::tolower(letter));
        } else {
          target += fmt::format("{}{}={}", target.find('?') == std::string::npos ? '?' : '&', key,
                                member.value.text);
        }
        request[name][key] = member.value.text;
      }
    }
  }
  request["target"] = target;
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<std::string> TestReader::read_file(const Written& name, bool must_be_there) {
  if (!must_be_there && !config::is_there(test_.folder / name.text)) return std::nullopt;
  std::vector<Diagnostic> findings;
  const auto source = config::read_source(test_.folder, name.text, findings);
  if (source) return std::string(source->text());
  for (const Diagnostic& finding : findings) {
    file_.error(
        "V103", name.span,
        fmt::format("{}: {}", (test_.folder / name.text).lexically_normal().string(),
                    finding.message),
        finding.hint.empty() ? "the name starts from the folder of the test" : finding.hint);
  }
  return std::nullopt;
}

Bytes TestReader::read_body(const Node& table, bool required) {
  const auto name = text_of(table, "file");
  const auto text = text_of(table, "text");
  if (name && text) {
    file_.error("V102", table.span, "`file` and `text` are two bodies", "delete one of the two");
  } else if (required && !table.find("file") && !table.find("text")) {
    file_.error("V102", table.span, "there is no body",
                "write `file = \"…\"`, or `text = '''…'''`");
  }
  std::string body;
  if (name) {
    body = read_file(*name, true).value_or("");
  } else if (text) {
    body = text->text;
  }
  const Member* exact = table.find("exact");
  if (exact != nullptr && exact->value.boolean) return make_bytes(std::move(body));
  body = as_message(body);
  if (text && format_of(body) == Format::hl7v2) body = in_own_set(std::move(body), *text);
  return make_bytes(std::move(body));
}

// The test file is UTF-8; the message comes in as its MSH-18 says.
std::string TestReader::in_own_set(std::string body, const Written& text) {
  const auto decoded = hl7v2::decode(make_bytes(body), hl7v2::Origin::written);
  if (!decoded) return body;  // a message that is none is a test as good as any
  auto bytes = hl7v2::encode(decoded->message, decoded->encoding);
  if (bytes) return *std::move(bytes);
  file_.error(
      "V104", text.span,
      "the message cannot be in the character set that its MSH-18 names: " + bytes.error().message,
      "correct MSH-18, or keep the message in a file");
  return body;
}

std::int64_t TestReader::read_moment(const Node& value) {
  std::string text = value.text;
  if (const std::size_t blank = text.find(' '); blank == 10) text[blank] = 'T';
  const auto zone = TimeZone::find(channel_.timezone.empty() ? "UTC" : channel_.timezone);
  const bool usable = value.is(Node::Kind::date) || value.is(Node::Kind::text);
  const auto moment = script::parse_time(usable ? text : "", zone ? *zone : TimeZone::utc());
  if (moment) return *moment;
  file_.error("V104", value.span, "this is not a time: " + moment.error().message,
              "write now = 2026-01-15T09:30:00Z");
  return kDefaultNow;
}

ChannelTest read_test(const config::Site&, const config::ChannelConfig& channel,
                      const std::filesystem::path& file, std::vector<Diagnostic>& findings) {
  constexpr std::string_view kEnding = ".test.toml";
  ChannelTest test;
  test.channel = channel.name;
  test.name = file.filename().string();
  test.name.resize(test.name.size() - kEnding.size());
  test.folder = file.parent_path();
  test.source = config::read_source(test.folder, file.filename(), findings);
  if (!test.source) return test;
  const config::Document document = config::parse_document(test.source, findings);
  if (document.readable) TestReader(test, channel, test.source, findings).read(document.root);
  return test;
}

}  // namespace cannula::trial
