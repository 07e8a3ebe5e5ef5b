#include <algorithm>

#include "parsers/tree/document.h"
#include "rules/language/rule_set.h"

namespace cannula::rules {
namespace {

std::string_view name_of(Finding::State state) {
  switch (state) {
    case Finding::State::fired:
      return "fired";
    case Finding::State::not_fired:
      return "not fired";
    case Finding::State::could_not_tell:
      return "could not tell";
  }
  return "";
}

// One JSON object, member by member. A trace is written for each message, so no tree is made.
class ObjectText {
 public:
  explicit ObjectText(std::string& out) : out_(out) { out_ += '{'; }

  void text(std::string_view name, std::string_view value) {
    begin(name);
    tree::append_json_string(out_, value);
  }
  void number(std::string_view name, std::int64_t value) {
    begin(name);
    out_ += std::to_string(value);
  }
  void boolean(std::string_view name, bool value) {
    begin(name);
    out_ += value ? "true" : "false";
  }
  void texts(std::string_view name, const std::vector<std::string>& values) {
    begin(name);
    out_ += '[';
    for (const std::string& value : values) {
      if (&value != values.data()) out_ += ',';
      tree::append_json_string(out_, value);
    }
    out_ += ']';
  }
  void end() { out_ += '}'; }

 private:
  void begin(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }

  std::string& out_;
};

void append(std::string& out, const Finding& finding) {
  ObjectText object(out);
  object.text("state", name_of(finding.state));
  object.text("rule", finding.rule);
  object.number("version", finding.version);
  object.text("place", finding.place);
  if (finding.state == Finding::State::fired) {
    object.text("urgency", rules::name_of(finding.urgency));
    object.text("text", finding.text);
    if (!finding.route.empty()) object.text("route", finding.route);
    if (finding.acknowledge_within.count() > 0)
      object.number("acknowledge_within", finding.acknowledge_within.count());
  }
  if (finding.state == Finding::State::could_not_tell) object.boolean("hold", finding.hold);
  if (!finding.source.empty()) object.text("source", finding.source);
  object.texts("because", finding.because);
  object.end();
}

}  // namespace

std::string_view name_of(Urgency urgency) {
  switch (urgency) {
    case Urgency::info:
      return "info";
    case Urgency::warning:
      return "warning";
    case Urgency::critical:
      return "critical";
  }
  return "info";
}

std::optional<Urgency> Verdict::urgency() const {
  std::optional<Urgency> highest;
  for (const Finding& finding : findings) {
    if (finding.state == Finding::State::fired && (!highest || finding.urgency > *highest))
      highest = finding.urgency;
  }
  return highest;
}

bool Verdict::critical() const {
  return urgency() == Urgency::critical;
}

bool Verdict::doubtful() const {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.state == Finding::State::could_not_tell && finding.hold;
  });
}

std::string Verdict::trace_json() const {
  std::string text = "{\"set\":";
  tree::append_json_string(text, rules);
  text += ",\"findings\":[";
  for (const Finding& finding : findings) {
    if (&finding != findings.data()) text += ',';
    append(text, finding);
  }
  return text + "]}";
}

}  // namespace cannula::rules
