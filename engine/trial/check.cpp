#include "engine/trial/check.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/config/schema.h"
#include "engine/trial/lines.h"
#include "engine/trial/payload.h"

namespace cannula::trial {
namespace {

using config::in_quotes;
using nlohmann::json;

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

std::vector<std::string> kept_lines(std::string_view text) {
  const auto lines = lines_of(text);
  return {lines.begin(), lines.end()};
}

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The log as people read it: "warn: no ward {"code":"W9"}".
std::vector<std::string> log_of(const Ran& ran) {
  std::vector<std::string> lines;
  for (const std::string& line : ran.trace) {
    const json entry = json::parse(line, nullptr, false);
    if (!entry.is_object() || !entry.contains("level")) continue;
    std::string text = text_member(entry, "level") + ": " + text_member(entry, "text");
    if (entry.contains("fields")) text += " " + entry["fields"].dump();
    lines.push_back(std::move(text));
  }
  return lines;
}

struct Seen {  // of one rule set, over all its evaluations
  bool any = false;
  std::string urgency = "none";
  bool doubtful = false;
  std::map<std::string, std::vector<std::string>> rules;  // state -> names
  std::vector<std::string> details;
};

int rank(std::string_view urgency) {
  return urgency == "critical" ? 3 : urgency == "warning" ? 2 : urgency == "info" ? 1 : 0;
}

Seen verdict_of(const Ran& ran, const std::string& set) {
  Seen seen;
  for (const std::string& line : ran.trace) {
    const json entry = json::parse(line, nullptr, false);
    if (!entry.is_object() || !entry.contains("rules")) continue;
    const json& verdict = entry["rules"];
    if (text_member(verdict, "set") != set || !verdict.contains("findings")) continue;
    seen.any = true;
    for (const json& finding : verdict["findings"]) {
      const std::string state = text_member(finding, "state");
      const std::string rule = text_member(finding, "rule");
      seen.rules[state].push_back(rule);
      const std::string urgency = text_member(finding, "urgency");
      if (state == "fired" && rank(urgency) > rank(seen.urgency)) seen.urgency = urgency;
      if (state == "could not tell" && finding.value("hold", false)) seen.doubtful = true;
      seen.details.push_back(fmt::format("{}: {}", rule, state));
      for (const json& step : finding.value("because", json::array())) {
        if (step.is_string()) seen.details.push_back("  " + step.get<std::string>());
      }
    }
  }
  return seen;
}

// Checks one run; adds what it finds to `checked_`.
class Checker {
 public:
  Checker(const ChannelTest& test, const Expectation& expect, const GivenMessage& given,
          const Ran& ran, const Trial::State& state, const std::string& what, Checked& checked)
      : test_(test),
        expect_(expect),
        given_(given),
        ran_(ran),
        state_(state),
        what_(what),
        checked_(checked) {}

  bool run() {
    // What should have come of another end is not worth listing.
    if (!check_outcome()) return false;
    if (expect_.sends) check_sends();
    check_log();
    check_state();
    if (expect_.misses) check_misses();
    for (const ExpectedVerdict& verdict : expect_.verdicts) check_verdict(verdict);
    if (expect_.reply) check_reply(*expect_.reply);
    return true;
  }

 private:
  void add(std::string code, Span at, std::string message, std::vector<std::string> details = {},
           std::string hint = {}) {
    fail(test_, checked_, std::move(code), at, what_ + ": " + std::move(message), std::move(hint),
         std::move(details));
  }

  bool check_outcome();  // false: it ended as something else
  void check_sends();
  void check_send(const ExpectedSend& expected, const script::Send& send, const std::string& name);
  void check_payload(const ExpectedPayload& expected, const Bytes& payload,
                     const std::string& name);
  void check_whole(const ExpectedPayload& expected, const std::string& wanted, Span at,
                   const std::string& actual, const std::string& name, const std::string& than);
  void check_picks(const std::vector<Pick>& fields, const std::string& payload,
                   const std::string& name);
  void check_pick(const Pick& pick, const std::vector<std::string>& texts, const std::string& name);
  Bytes acknowledgement(const AckReply& ack) const;
  void check_headers(const std::vector<Pick>& expected, const json& headers,
                     const std::string& name);
  void check_log();
  void check_state();
  void check_misses();
  void check_verdict(const ExpectedVerdict& expected);
  void check_rules(const std::vector<Written>& names, const char* state, const Seen& seen,
                   const std::string& set);
  void check_reply(const ExpectedReply& expected);

  const ChannelTest& test_;
  const Expectation& expect_;
  const GivenMessage& given_;
  const Ran& ran_;
  const Trial::State& state_;
  const std::string& what_;
  Checked& checked_;
};

bool Checker::check_outcome() {
  const script::Conclusion& end = ran_.conclusion;
  const std::string_view actual = outcome_name(end.kind);
  const bool failed = end.kind == script::Conclusion::Kind::failed;
  // A script that fails is never what a test means by saying nothing of it.
  const std::string wanted = expect_.outcome ? expect_.outcome->text : failed ? "done" : "";
  if (!wanted.empty() && wanted != actual) {
    std::vector<std::string> details = kept_lines(end.reason);
    add("V201", expect_.outcome ? expect_.outcome->span : expect_.span,
        fmt::format("expected to end as {}, but it is {}", wanted, actual), std::move(details));
    return false;
  }
  if (expect_.reason && end.reason.find(expect_.reason->text) == std::string::npos) {
    add("V201", expect_.reason->span,
        fmt::format("the reason does not hold {}", in_quotes(expect_.reason->text)),
        {end.reason.empty() ? "there is no reason" : "it is: " + first_line(end.reason)});
  }
  if (expect_.until_mapped && expect_.until_mapped->first != end.until_mapped) {
    add("V201", expect_.until_mapped->second,
        end.until_mapped ? "it runs again by itself when the missing rows are there"
                         : "it does not run again by itself when the missing rows are there");
  }
  return true;
}

void Checker::check_sends() {
  std::map<std::string, std::vector<const script::Send*>> actual;
  for (const script::Send& send : ran_.conclusion.sends) actual[send.destination].push_back(&send);
  std::map<std::string, std::size_t> used;
  for (const ExpectedSend& expected : expect_.sends->first) {
    const std::size_t nth = used[expected.to.text]++;
    const auto& sends = actual[expected.to.text];
    const std::string name = nth == 0
                                 ? fmt::format("what `{}` gets", expected.to.text)
                                 : fmt::format("delivery {} to `{}`", nth + 1, expected.to.text);
    if (nth < sends.size()) {
      check_send(expected, *sends[nth], name);
    } else {
      add("V203", expected.to.span, fmt::format("{}: nothing was sent", name));
    }
  }
  for (const auto& [destination, sends] : actual) {
    for (std::size_t nth = used[destination]; nth < sends.size(); ++nth) {
      std::vector<std::string> payload = kept_lines(readable(*sends[nth]->payload));
      if (payload.size() > 12) {
        payload.resize(12);
        payload.emplace_back("…");
      }
      add("V204", expect_.sends->second,
          fmt::format("something was sent to `{}` that is not expected", destination),
          std::move(payload), "expect it with [[expect.send]], or correct the script");
    }
  }
}

void Checker::check_send(const ExpectedSend& expected, const script::Send& send,
                         const std::string& name) {
  check_payload(expected.payload, send.payload, name);
  json attributes = json::parse(send.attributes, nullptr, false);
  if (!attributes.is_object()) attributes = json::object();
  for (const auto& [option, wanted] : expected.options) {
    const std::string actual = option == "key"        ? send.key.value_or("")
                               : option == "priority" ? (send.stat ? "stat" : "")
                                                      : text_member(attributes, option.c_str());
    if (actual == wanted.text) continue;
    add("V205", wanted.span,
        fmt::format("`{}` of {}: expected {}, got {}", option, name, in_quotes(wanted.text),
                    actual.empty() ? "none" : in_quotes(actual)));
  }
  check_headers(expected.headers, attributes.value("headers", json::object()), name);
}

void Checker::check_headers(const std::vector<Pick>& expected, const json& headers,
                            const std::string& name) {
  const auto lower = [](std::string text) {
    for (char& letter : text) letter = static_cast<char>(std::tolower(letter));
    return text;
  };
  for (const Pick& pick : expected) {
    std::vector<std::string> texts;
    for (const auto& [header, value] : headers.items()) {
      if (lower(header) == lower(pick.path) && value.is_string()) texts.push_back(value);
    }
    check_pick(pick, texts, fmt::format("the headers of {}", name));
  }
}

void Checker::check_payload(const ExpectedPayload& expected, const Bytes& payload,
                            const std::string& name) {
  const std::string actual = payload ? *payload : std::string();
  if (expected.as_received && actual != *given_.body) {
    add("V202", expected.as_received->span, name + " is not the message as it came",
        differences(*given_.body, actual));
  }
  if (expected.file && expected.file_missing) {
    checked_.rewrites.push_back({&expected, readable(actual)});
    add("V202", expected.file->span, fmt::format("{} is not there", in_quotes(expected.file->text)),
        {}, "`cannula test --update` writes it with what came");
  } else if (expected.file) {
    check_whole(expected, expected.file_text, expected.file->span, actual, name,
                in_quotes(expected.file->text));
  }
  if (expected.text) {
    check_whole(expected, expected.text->text, expected.text->span, actual, name, "`text`");
  }
  check_picks(expected.fields, actual, name);
  const std::string text = readable(actual);
  const auto stands = [&](const std::string& part) {
    return actual.find(part) != std::string::npos || text.find(part) != std::string::npos;
  };
  for (const Written& part : expected.contains) {
    if (!stands(part.text)) {
      add("V202", part.span, fmt::format("{} does not hold {}", name, in_quotes(part.text)));
    }
  }
  for (const Written& part : expected.lacks) {
    if (stands(part.text)) {
      add("V202", part.span, fmt::format("{} holds {}", name, in_quotes(part.text)));
    }
  }
}

void Checker::check_whole(const ExpectedPayload& expected, const std::string& wanted, Span at,
                          const std::string& actual, const std::string& name,
                          const std::string& than) {
  std::vector<std::string> found = differences(wanted, actual);
  if (found.empty()) return;
  checked_.rewrites.push_back({&expected, readable(actual)});
  add("V202", at, fmt::format("{} differs from {}", name, than), std::move(found),
      "correct the script; or, when what came is right, accept it with `cannula test --update`");
}

void Checker::check_picks(const std::vector<Pick>& fields, const std::string& payload,
                          const std::string& name) {
  for (const Pick& each : fields) {
    const auto texts = pick(payload, each.path);
    if (!texts) {
      add("V202", each.span, fmt::format("{}: {}", name, texts.error().message), {},
          texts.error().hint);
    } else {
      check_pick(each, *texts, name);
    }
  }
}

void Checker::check_pick(const Pick& pick, const std::vector<std::string>& texts,
                         const std::string& name) {
  std::string came = texts.empty() ? "nothing" : "";
  for (const std::string& text : texts) came += (came.empty() ? "" : ", ") + in_quotes(text);
  const auto any = [&](const auto& holds) {
    return std::any_of(texts.begin(), texts.end(), holds);
  };
  switch (pick.kind) {
    case Pick::Kind::equal:
      if (pick.text.empty() && texts.empty()) return;
      if (any([&](const std::string& text) { return text == pick.text; })) return;
      return add("V202", pick.span,
                 fmt::format("{} of {}: expected {}, got {}", pick.path, name, in_quotes(pick.text),
                             came));
    case Pick::Kind::contains:
      if (any([&](const std::string& text) { return text.find(pick.text) != text.npos; })) return;
      return add("V202", pick.span,
                 fmt::format("{} of {}: expected something with {}, got {}", pick.path, name,
                             in_quotes(pick.text), came));
    case Pick::Kind::absent:
      if (texts.empty()) return;
      return add("V202", pick.span,
                 fmt::format("{} of {}: expected nothing, got {}", pick.path, name, came));
  }
}

void Checker::check_log() {
  const std::vector<std::string> lines = log_of(ran_);
  const auto holds = [&](const std::string& text) {
    return std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  };
  for (const Written& text : expect_.log) {
    if (holds(text.text) != lines.end()) continue;
    add("V206", text.span, fmt::format("no log line holds {}", in_quotes(text.text)),
        lines.empty() ? std::vector<std::string>{"the log is empty"} : lines);
  }
  for (const Written& text : expect_.no_log) {
    if (const auto line = holds(text.text); line != lines.end()) {
      add("V206", text.span, fmt::format("a log line holds {}", in_quotes(text.text)), {*line});
    }
  }
}

void Checker::check_state() {
  for (const ExpectedState& expected : expect_.state) {
    const auto found = state_.find(expected.key);
    const json wanted = json::parse(expected.json, nullptr, false);
    if (found != state_.end() && json::parse(found->second, nullptr, false) == wanted) continue;
    add("V207", expected.span,
        fmt::format("state[\"{}\"]: expected {}, got {}", expected.key, expected.json,
                    found == state_.end() ? "nothing" : found->second));
  }
  for (const Written& key : expect_.no_state) {
    const auto found = state_.find(key.text);
    if (found == state_.end()) continue;
    add("V207", key.span,
        fmt::format("state[\"{}\"]: expected nothing, got {}", key.text, found->second));
  }
}

void Checker::check_misses() {
  std::vector<script::Miss> actual = ran_.conclusion.misses;
  for (script::Miss& miss : actual) {
    std::replace(miss.key.begin(), miss.key.end(), tables::kKeySeparator, '|');
  }
  for (const ExpectedMiss& expected : expect_.misses->first) {
    const auto found = std::find_if(actual.begin(), actual.end(), [&](const script::Miss& miss) {
      return miss.table == expected.table && miss.key == expected.key &&
             (!expected.text || *expected.text == miss.text);
    });
    if (found != actual.end()) {
      actual.erase(found);
    } else {
      add("V208", expected.span,
          fmt::format("table {} did not miss {}", in_quotes(expected.table),
                      in_quotes(expected.key)));
    }
  }
  for (const script::Miss& miss : actual) {
    add("V208", expect_.misses->second,
        fmt::format("table {} has no row for {}", in_quotes(miss.table), in_quotes(miss.key)),
        miss.text.empty() ? std::vector<std::string>{} : std::vector{"its text: " + miss.text},
        "add the row, or expect the miss");
  }
}

void Checker::check_rules(const std::vector<Written>& names, const char* state, const Seen& seen,
                          const std::string& set) {
  const auto found = seen.rules.find(state);
  for (const Written& name : names) {
    if (found != seen.rules.end() &&
        std::find(found->second.begin(), found->second.end(), name.text) != found->second.end()) {
      continue;
    }
    add("V209", name.span,
        fmt::format("rule {} of {}: expected {}", in_quotes(name.text), set, state), seen.details);
  }
}

void Checker::check_verdict(const ExpectedVerdict& expected) {
  const Seen seen = verdict_of(ran_, expected.rules.text);
  if (!seen.any) {
    return add("V209", expected.rules.span,
               fmt::format("the rules {} were not evaluated", in_quotes(expected.rules.text)));
  }
  if (expected.urgency && expected.urgency->text != seen.urgency) {
    add("V209", expected.urgency->span,
        fmt::format("urgency by {}: expected {}, got {}", expected.rules.text,
                    expected.urgency->text, seen.urgency),
        seen.details);
  }
  if (expected.doubtful && expected.doubtful->first != seen.doubtful) {
    add("V209", expected.doubtful->second,
        seen.doubtful ? "the verdict is doubtful" : "the verdict is not doubtful", seen.details);
  }
  check_rules(expected.fired, "fired", seen, expected.rules.text);
  check_rules(expected.not_fired, "not fired", seen, expected.rules.text);
  check_rules(expected.unsure, "could not tell", seen, expected.rules.text);
}

void Checker::check_reply(const ExpectedReply& expected) {
  const auto& reply = ran_.conclusion.reply;
  if (expected.none || !reply) {
    if (expected.none == !reply) return;
    return add("V210", expected.span,
               expected.none ? "the script replied" : "the script did not reply");
  }
  if (expected.status && expected.status->first != static_cast<std::int64_t>(reply->status)) {
    add("V210", expected.status->second,
        fmt::format("status of the reply: expected {}, got {}", expected.status->first,
                    reply->status));
  }
  json headers = json::object();
  for (const auto& [name, value] : reply->headers) headers[name] = value;
  check_headers(expected.headers, headers, "the reply");
  check_payload(expected.body, reply->ack ? acknowledgement(*reply->ack) : reply->body,
                "the reply");
}

// What ack{…} says, as the sender of this message would read it in original mode.
Bytes Checker::acknowledgement(const AckReply& ack) const {
  const auto header = hl7v2::Header::peek(*given_.body);
  if (!header) return nullptr;
  hl7v2::AckDetails details;
  details.control_id = "1";
  ack.fill(details);
  return make_bytes(
      hl7v2::build_acknowledgement(*header, hl7v2::code_of(ack.outcome, false), details));
}

}  // namespace

std::string_view outcome_name(script::Conclusion::Kind kind) {
  switch (kind) {
    case script::Conclusion::Kind::finished:
      return "done";
    case script::Conclusion::Kind::skipped:
      return "skipped";
    case script::Conclusion::Kind::parked:
      return "parked";
    case script::Conclusion::Kind::rejected:
      return "rejected";
    case script::Conclusion::Kind::failed:
      break;
  }
  return "dead";
}

void fail(const ChannelTest& test, Checked& checked, std::string code, Span at, std::string message,
          std::string hint, std::vector<std::string> details) {
  checked.failures.push_back(
      {{Severity::error, std::move(code), std::move(message), test.source, at, std::move(hint), {}},
       std::move(details)});
}

bool check(const ChannelTest& test, const Expectation& expect, const GivenMessage& given,
           const Ran& ran, const Trial::State& state, const std::string& what, Checked& checked) {
  return Checker(test, expect, given, ran, state, what, checked).run();
}

}  // namespace cannula::trial
