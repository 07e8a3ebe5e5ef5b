#include "parsers/hl7v2/validation/profile.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/validation/primitives.h"
#include "parsers/hl7v2/validation/words.h"

namespace cannula::hl7v2 {

class ProfileReader {
 public:
  ProfileReader(std::shared_ptr<const Source> source, std::vector<Diagnostic>& findings)
      : source_(std::move(source)), findings_(findings) {}

  Profile read() && {
    for (std::size_t line = 1; line <= source_->line_count(); ++line) {
      Words words(source_, line, findings_);
      if (words.done()) continue;
      if (words.take("profile")) {
        read_name(words);
      } else if (words.take("messages")) {
        read_events(words);
      } else if (words.take("codes")) {
        read_codes(words);
      } else {
        read_rules(words);
      }
    }
    return std::move(profile_);
  }

 private:
  using Rule = Profile::Rule;
  using Condition = Profile::Condition;

  bool read_name(Words& words) {
    if (words.done() || !words.next().quoted) return words.expected("a name in quotes");
    profile_.name_ = words.take().text;
    return words.done() || words.expected("the end of the line");
  }

  bool read_events(Words& words) {
    if (words.done()) return words.expected("a message type such as ORU^R01");
    while (!words.done()) {
      if (words.next().is_comma || words.next().quoted) {
        return words.expected("a message type such as ORU^R01");
      }
      profile_.events_.push_back(words.take().text);
    }
    return true;
  }

  bool read_codes(Words& words) {
    if (words.done() || words.next().quoted || words.next().is_comma) {
      return words.expected("a name for the list of codes");
    }
    const std::string name = words.take().text;
    std::vector<std::string> codes;
    while (!words.done()) {
      if (!words.take_comma()) codes.push_back(words.take().text);
    }
    if (codes.empty()) return words.expected("a code");
    std::vector<std::string>& all = codes_[name];
    all.insert(all.end(), codes.begin(), codes.end());
    return true;
  }

  // PATH requirement, requirement … [when …] [warning] [says "…"]
  bool read_rules(Words& words) {
    Rule shared;
    if (!read_path(words, shared.path)) return false;
    std::vector<Rule> rules;
    do {
      Rule rule = shared;
      if (!read_requirement(words, rule)) return false;
      rules.push_back(std::move(rule));
    } while (words.take_comma());
    if (words.take("when") && !read_conditions(words, shared)) return false;
    if (words.take("warning")) shared.severity = Severity::warning;
    if (words.take("note")) shared.severity = Severity::note;
    if (words.take("says")) {
      if (words.done() || !words.next().quoted) return words.expected("a text in quotes");
      shared.text = words.take().text;
    }
    if (!words.done()) {
      return words.expected(R"(a comma, `when`, `warning`, `note`, `says "…"` or the end)");
    }
    for (Rule& rule : rules) {
      rule.conditions = shared.conditions;
      rule.severity = shared.severity;
      rule.text = shared.text;
      profile_.rules_.push_back(std::move(rule));
    }
    return true;
  }

  bool read_path(Words& words, Path& path) {
    constexpr std::string_view kWhat = "a place such as PID-3.1";
    if (words.done() || words.next().quoted || words.next().is_comma) return words.expected(kWhat);
    const auto read = Path::parse(words.next().text);
    if (!read || read->segment_name().empty()) {
      return words.expected(std::string(kWhat) + ", or profile, messages or codes,");
    }
    path = *read;
    warn_of_unknown(words, path);
    words.take();
    return true;
  }

  // A slip of the pen in a number would be a rule that never applies.
  static void warn_of_unknown(Words& words, const Path& path) {
    if (path.segment_name().starts_with('Z')) return;
    std::size_t fields = 0;
    for (std::size_t at = 0; at < kVersions; ++at) {
      const auto* segment = dictionary(static_cast<Version>(at)).segment(path.segment_name());
      if (segment != nullptr) fields = std::max(fields, segment->fields.size());
    }
    if (fields == 0) {
      words.report(Severity::warning, "H732", words.next().span,
                   fmt::format("no version has a segment {}", path.segment_name()),
                   "segments of a site begin with Z");
    } else if (path.field > fields) {
      words.report(Severity::warning, "H732", words.next().span,
                   fmt::format("{} has {} fields", path.segment_name(), fields));
    }
  }

  bool read_requirement(Words& words, Rule& rule) {
    if (words.take("required")) {
      rule.kind = Rule::Kind::required;
      return true;
    }
    if (words.take("forbidden")) {
      rule.kind = Rule::Kind::forbidden;
      return true;
    }
    if (rule.path.field == 0) return words.expected("`required` or `forbidden`, for a segment,");
    if (words.take("length")) return read_length(words, rule);
    if (words.take("table")) return read_table(words, rule);
    if (words.take("one")) {
      if (!words.take("of")) return words.expected("`of`");
      rule.kind = Rule::Kind::codes;
      return read_values(words, rule.codes);
    }
    if (words.take("type")) {
      rule.kind = Rule::Kind::type;
      if (words.done() || !has_form(words.next().text)) {
        return words.expected("one of the types NM, SI, DT, TM and DTM");
      }
      rule.word = words.take().text;
      return true;
    }
    if (words.take("at")) {
      rule.kind = Rule::Kind::repetitions;
      if (!words.take("most")) return words.expected("`most`");
      if (!words.number(rule.highest, "a number")) return false;
      return words.take("times") || words.take("time") || words.expected("`times`");
    }
    return words.expected(
        "`required`, `forbidden`, `length`, `table`, `one of`, `type` or `at most … times`");
  }

  // 10 or 1..10
  bool read_length(Words& words, Rule& rule) {
    rule.kind = Rule::Kind::length;
    constexpr std::string_view kWhat = "a length such as 15 or 1..15";
    if (words.done() || words.next().quoted) return words.expected(kWhat);
    const std::string& text = words.next().text;
    const std::size_t dots = text.find("..");
    const std::string lowest = dots == std::string::npos ? "0" : text.substr(0, dots);
    const std::string highest = dots == std::string::npos ? text : text.substr(dots + 2);
    const auto is_number = [](const std::string& digits) {
      return !digits.empty() && digits.size() <= 7 &&
             digits.find_first_not_of("0123456789") == std::string::npos;
    };
    if (!is_number(lowest) || !is_number(highest)) return words.expected(kWhat);
    rule.lowest = static_cast<std::uint32_t>(std::stoul(lowest));
    rule.highest = static_cast<std::uint32_t>(std::stoul(highest));
    if (rule.lowest > rule.highest) return words.expected("a range whose second number is higher");
    words.take();
    return true;
  }

  bool read_table(Words& words, Rule& rule) {
    rule.kind = Rule::Kind::codes;
    if (words.done() || words.next().quoted || words.next().is_comma) {
      return words.expected("the number of a table, or the name of a list of codes");
    }
    const std::string& name = words.next().text;
    if (const auto own = codes_.find(name); own != codes_.end()) {
      rule.codes = own->second;
    } else if (const TableDefinition* known = table(name); known && !known->codes.empty()) {
      for (const Code& code : known->codes) rule.codes.emplace_back(code.code);
    } else {
      words.report(Severity::error, "H733", words.next().span,
                   fmt::format("there is neither a list of codes nor a table `{}`", name),
                   fmt::format("write `codes {} A B C` above this line", name));
      return false;
    }
    rule.word = words.take().text;
    return true;
  }

  static bool ends_values(const Word& word) {
    return !word.quoted && (word.is_comma || word.text == "when" || word.text == "and" ||
                            word.text == "warning" || word.text == "note" || word.text == "says");
  }

  static bool read_values(Words& words, std::vector<std::string>& values) {
    while (!words.done() && !ends_values(words.next())) values.push_back(words.take().text);
    return !values.empty() || words.expected("a value");
  }

  bool read_conditions(Words& words, Rule& rule) {
    do {
      Condition condition;
      if (!read_path(words, condition.path)) return false;
      if (condition.path.field == 0)
        return words.expected(
            "the field of a segment before it: a "
            "condition that names a field");
      if (!words.take("is")) return words.expected("`is`");
      const bool negated = words.take("not");
      if (words.take("valued")) {
        condition.kind = negated ? Condition::Kind::empty : Condition::Kind::valued;
      } else if (words.take("empty")) {
        condition.kind = negated ? Condition::Kind::valued : Condition::Kind::empty;
      } else {
        condition.kind = negated ? Condition::Kind::none_of : Condition::Kind::one_of;
        if (words.take("one") && !words.take("of")) return words.expected("`of`");
        if (!read_values(words, condition.values)) return false;
      }
      rule.conditions.push_back(std::move(condition));
    } while (words.take("and"));
    return true;
  }

  std::shared_ptr<const Source> source_;
  std::vector<Diagnostic>& findings_;
  std::map<std::string, std::vector<std::string>, std::less<>> codes_;
  Profile profile_;
};

Profile Profile::read(const std::shared_ptr<const Source>& source,
                      std::vector<Diagnostic>& findings) {
  return ProfileReader(source, findings).read();
}

bool Profile::applies_to(const Message& message) const {
  if (events_.empty()) return true;
  const std::string event = message.type();
  return std::any_of(events_.begin(), events_.end(), [&](const std::string& each) {
    return event == each || event.starts_with(each + "^");
  });
}

}  // namespace cannula::hl7v2
