// What a site expects of a sender beyond the standard, in a file that anybody can read:
//
//   profile "Results of the reference laboratory"
//   messages ORU^R01 ORU^R30
//   codes wards  W1 W2 W3
//
//   PV1      required
//   PID-3.1  required, length 1..15
//   PID-8    one of F M U
//   PID-19   forbidden  says "we must not store social security numbers"
//   PV1-3.1  table wards  when PV1-2 is I
//   OBX-6    required     when OBX-2 is NM  warning
//
// A rule looks at every segment of its name and at every repetition; a segment that is not there is
// missed by a rule of its own (`PV1 required`). A condition looks into the same segment, or into
// the one of its name that stands nearest before. docs/reference/profiles.md has all of it.
//
// Threads: a Profile that has been read is not changed and may be used from any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/path.h"
#include "parsers/text/diagnostic.h"

namespace cannula::hl7v2 {

class Findings;
class Words;

class Profile {
 public:
  // Reads all of the file; adds what is wrong with it to `findings` (H73x) and leaves those lines
  // out. A profile with errors must not be used.
  static Profile read(const std::shared_ptr<const Source>& source,
                      std::vector<Diagnostic>& findings);

  const std::string& name() const { return name_; }
  std::size_t rule_count() const { return rules_.size(); }
  bool applies_to(const Message& message) const;
  // Adds what the message lacks (H72x); nothing where the profile is for other messages.
  void check(const Message& message, Findings& findings) const;

 private:
  friend class ProfileReader;
  friend class ProfileCheck;

  struct Condition {
    enum class Kind { valued, empty, one_of, none_of };
    Path path;
    Kind kind = Kind::valued;
    std::vector<std::string> values;
  };
  struct Rule {
    enum class Kind { required, forbidden, length, codes, type, repetitions };
    Path path;
    Kind kind = Kind::required;
    std::uint32_t lowest = 0;   // of length
    std::uint32_t highest = 0;  // of length and repetitions
    std::string word;           // the type, or the name of the table; empty for `one of`
    std::vector<std::string> codes;
    std::vector<Condition> conditions;  // all must hold
    Severity severity = Severity::error;
    std::string text;  // what the site says about it
  };

  std::string name_;
  std::vector<std::string> events_;  // "ORU^R01" or "ORU"; none: all
  std::vector<Rule> rules_;
};

}  // namespace cannula::hl7v2
