// What a channel test expects, from its TOML tables.
#include <fmt/format.h>

#include "engine/trial/test_reader.h"

namespace cannula::trial {

using config::Member;
using config::Node;

namespace {

constexpr OptionType kLater = OptionType::table;  // read by hand, below

const Option kExpectOptions[] = {
    {"outcome",
     OptionType::text,
     "What becomes of the message.",
     "",
     false,
     {"done", "skipped", "filtered", "parked", "rejected", "dead"}},
    {"reason", OptionType::text, "What stands in the reason."},
    {"until_mapped", OptionType::boolean, "Parked until every missed key has its row."},
    {"sends", OptionType::integer, "0: nothing is sent.", "", false, {}, 0, 0},
    {"send", kLater, "What is sent."},
    {"log", OptionType::texts, "What stands in some log line."},
    {"no_log", OptionType::texts, "What stands in none."},
    {"state", kLater, "What the script's state holds afterwards."},
    {"no_state", OptionType::texts, "Keys that it does not hold."},
    {"misses", kLater, "The lookups that found no row."},
    {"verdict", kLater, "What a rule set said."},
    {"reply", kLater, "What the sender is told."},
};
const Option kSendOptions[] = {
    {"to", OptionType::text, "The destination.", "", true},
    {"file", OptionType::text, "The whole payload, in a file beside the test."},
    {"text", OptionType::text, "The whole payload."},
    {"as_received", OptionType::boolean, "The message as it came, byte for byte."},
    {"fields", kLater, "Texts at paths."},
    {"contains", OptionType::texts, "What stands in the payload."},
    {"lacks", OptionType::texts, "What does not."},
    {"key", OptionType::text, "The order key."},
    {"priority", OptionType::text, "\"stat\", or \"\" for none.", "", false, {"stat", ""}},
    {"method", OptionType::text, "Of HTTP."},
    {"path", OptionType::text, "Of HTTP."},
    {"content_type", OptionType::text, "Of HTTP."},
    {"headers", kLater, "Of HTTP."},
};
const Option kVerdictOptions[] = {
    {"rules", OptionType::text, "The rule set.", "", true},
    {"urgency",
     OptionType::text,
     "The highest that fired.",
     "",
     false,
     {"critical", "warning", "info", "none"}},
    {"doubtful", OptionType::boolean, "A rule could not tell and holds the message for review."},
    {"fired", OptionType::texts, "Rules that fired."},
    {"not_fired", OptionType::texts, "Rules that did not fire."},
    {"unsure", OptionType::texts, "Rules that could not tell."},
};
const Option kReplyOptions[] = {
    {"status", OptionType::integer, "Of HTTP.", "", false, {}, 200, 599},
    {"headers", kLater, "Of HTTP."},
    {"file", OptionType::text, "The whole body, in a file beside the test."},
    {"text", OptionType::text, "The whole body."},
    {"fields", kLater, "Texts at paths."},
    {"contains", OptionType::texts, "What stands in the body."},
    {"lacks", OptionType::texts, "What does not."},
};
const Option kMissOptions[] = {
    {"table", OptionType::text, "The table.", "", true},
    {"key", OptionType::texts, "The key, a list where the table has several columns.", "", true},
    {"text", OptionType::text, "What the script said of it."},
};
const Option kPickOptions[] = {
    {"contains", OptionType::text, "What stands in the text."},
    {"absent", OptionType::boolean, "Nothing stands there."},
};

std::optional<std::pair<bool, Span>> boolean_of(const Node& table, std::string_view name) {
  const Member* member = table.find(name);
  if (member == nullptr || !member->value.is(Node::Kind::boolean)) return std::nullopt;
  return std::pair(member->value.boolean, member->value.span);
}

}  // namespace

bool Expectation::empty() const {
  return !outcome && !reason && !until_mapped && !sends && log.empty() && no_log.empty() &&
         state.empty() && no_state.empty() && !misses && verdicts.empty() && !reply;
}

std::vector<Written> TestReader::read_texts(const Member* list) {
  std::vector<Written> texts;
  if (list == nullptr) return texts;
  const auto add = [&](const Node& node) {
    if (node.is(Node::Kind::text)) texts.push_back({node.text, node.span});
  };
  add(list->value);
  for (const Node& item : list->value.items) add(item);
  return texts;
}

std::vector<Pick> TestReader::read_picks(const Member* member) {
  std::vector<Pick> picks;
  for (const Node* table : tables_of(member, "a table { \"PATH\" = \"text\" }")) {
    for (const Member& each : table->members) {
      Pick pick{Pick::Kind::equal, each.name, each.value.text, each.value.span};
      if (each.value.is(Node::Kind::boolean)) pick.text = each.value.boolean ? "true" : "false";
      if (each.value.is(Node::Kind::array)) {
        file_.error("C104", each.value.span,
                    fmt::format("`{}` must be a text, not a list", each.name),
                    "name the items one by one: \"path[1]\" = \"…\"");
      }
      if (each.value.is(Node::Kind::table)) {
        check_keys(each.value, kPickOptions, fmt::format("`{}`", each.name));
        const auto contains = text_of(each.value, "contains");
        const auto absent = boolean_of(each.value, "absent");
        pick.kind = contains ? Pick::Kind::contains : Pick::Kind::absent;
        if (contains) pick.text = contains->text;
        if (!contains && (!absent || !absent->first)) {
          file_.error("V104", each.value.span,
                      fmt::format("`{}` expects nothing that can be told", each.name),
                      "write a text, { contains = \"…\" } or { absent = true }");
        }
      }
      picks.push_back(std::move(pick));
    }
  }
  return picks;
}

ExpectedPayload TestReader::read_payload(const Node& table) {
  ExpectedPayload payload;
  payload.file = text_of(table, "file");
  if (payload.file) {
    auto text = read_file(*payload.file, false);
    payload.file_missing = !text;
    payload.file_text = std::move(text).value_or("");
  }
  payload.text = text_of(table, "text");
  if (const auto as_received = boolean_of(table, "as_received");
      as_received && as_received->first) {
    payload.as_received = Written{"", as_received->second};
  }
  if (int{payload.file.has_value()} + int{payload.text.has_value()} +
          int{payload.as_received.has_value()} >
      1) {
    file_.error("V104", table.span, "the whole payload is expected in two ways",
                "keep one of `file`, `text` and `as_received`");
  }
  payload.fields = read_picks(table.find("fields"));
  payload.contains = read_texts(table.find("contains"));
  payload.lacks = read_texts(table.find("lacks"));
  return payload;
}

ExpectedSend TestReader::read_send(const Node& table) {
  check_keys(table, kSendOptions, "[[expect.send]]");
  ExpectedSend send;
  send.to = text_of(table, "to").value_or(Written{"", table.span});
  if (!send.to.text.empty()) {
    std::vector<std::string_view> names;
    for (const auto& destination : channel_.destinations) names.push_back(destination.name);
    if (std::find(names.begin(), names.end(), send.to.text) == names.end()) {
      file_.error("V104", send.to.span,
                  fmt::format("the channel has no destination {}", config::in_quotes(send.to.text)),
                  config::suggestion(send.to.text, names));
    }
  }
  send.payload = read_payload(table);
  for (const char* name : {"key", "priority", "method", "path", "content_type"}) {
    if (const auto value = text_of(table, name)) send.options.emplace_back(name, *value);
  }
  send.headers = read_picks(table.find("headers"));
  return send;
}

ExpectedVerdict TestReader::read_verdict(const Node& table) {
  check_keys(table, kVerdictOptions, "[[expect.verdict]]");
  ExpectedVerdict verdict;
  verdict.rules = text_of(table, "rules").value_or(Written{"", table.span});
  verdict.urgency = text_of(table, "urgency");
  verdict.doubtful = boolean_of(table, "doubtful");
  verdict.fired = read_texts(table.find("fired"));
  verdict.not_fired = read_texts(table.find("not_fired"));
  verdict.unsure = read_texts(table.find("unsure"));
  return verdict;
}

ExpectedReply TestReader::read_reply(const Node& value) {
  ExpectedReply reply;
  reply.span = value.span;
  if (value.is(Node::Kind::boolean) && !value.boolean) {
    reply.none = true;
    return reply;
  }
  if (!value.is(Node::Kind::table)) {
    file_.error("C104", value.span,
                fmt::format("`reply` must be a table, not {}", name_of(value.kind)),
                "write [expect.reply] with its keys below, or reply = false where there is none");
    return reply;
  }
  check_keys(value, kReplyOptions, "[expect.reply]");
  if (const Member* status = value.find("status");
      status && status->value.is(Node::Kind::integer)) {
    reply.status = {status->value.integer, status->value.span};
  }
  reply.headers = read_picks(value.find("headers"));
  reply.body = read_payload(value);
  return reply;
}

std::vector<ExpectedMiss> TestReader::read_misses(const Node& list) {
  std::vector<ExpectedMiss> misses;
  const Member member{"misses", list.span, list};
  for (const Node* table : tables_of(&member, "misses = [{ table = \"…\", key = \"…\" }]")) {
    check_keys(*table, kMissOptions, "`misses`");
    ExpectedMiss miss;
    miss.span = table->span;
    if (const auto name = text_of(*table, "table")) miss.table = name->text;
    for (const Written& part : read_texts(table->find("key"))) {
      miss.key += (miss.key.empty() ? "" : "|") + part.text;
    }
    if (const auto text = text_of(*table, "text")) miss.text = text->text;
    misses.push_back(std::move(miss));
  }
  return misses;
}

Expectation TestReader::read_expectation(const Node& table) {
  check_keys(table, kExpectOptions, "[expect]");
  Expectation expect;
  expect.span = table.span;
  expect.outcome = text_of(table, "outcome");
  if (expect.outcome && expect.outcome->text == "filtered") expect.outcome->text = "skipped";
  expect.reason = text_of(table, "reason");
  expect.until_mapped = boolean_of(table, "until_mapped");
  const Member* none = table.find("sends");
  if (none != nullptr) expect.sends = {{}, none->value.span};
  if (const Member* sends = table.find("send")) {
    if (none != nullptr) {
      file_.error("V104", none->value.span, "`sends = 0` and `send` contradict each other",
                  "delete one of the two");
    }
    expect.sends = {{}, sends->name_span};
    for (const Node* send : tables_of(sends, "[[expect.send]]")) {
      expect.sends->first.push_back(read_send(*send));
    }
  }
  expect.log = read_texts(table.find("log"));
  expect.no_log = read_texts(table.find("no_log"));
  for (const Node* state : tables_of(table.find("state"), "[expect.state]")) {
    for (const Member& member : state->members) {
      expect.state.push_back({member.name, json_of(member.value), member.value.span});
    }
  }
  expect.no_state = read_texts(table.find("no_state"));
  if (const Member* misses = table.find("misses")) {
    expect.misses = {read_misses(misses->value), misses->value.span};
  }
  for (const Node* verdict : tables_of(table.find("verdict"), "[[expect.verdict]]")) {
    expect.verdicts.push_back(read_verdict(*verdict));
  }
  if (const Member* reply = table.find("reply")) expect.reply = read_reply(reply->value);
  return expect;
}

}  // namespace cannula::trial
