// The segments that a site has agreed on with its senders, in a file that anybody can read:
//
//   segment ZPI "Local patient data"
//     ZPI-1  "Plan code"     ST   required  length 20
//     ZPI-2  "Home clinic"   CWE  table 0069  repeats
//     ZPI-3  "Consent"       ID   table 0136
//
// Fields that are left out are not looked at. The names serve the views, the rest validation.
//
// Threads: not changed once read; may be used from any.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/text/diagnostic.h"

namespace cannula::hl7v2 {

class Words;

class SiteSegments {
 public:
  SiteSegments() = default;
  SiteSegments(const SiteSegments&) = delete;
  SiteSegments& operator=(const SiteSegments&) = delete;

  // Adds the segments of a file; what is wrong with it goes to `findings` (H73x), and those lines
  // are left out. A segment that two files define is that of the later one.
  void read(const std::shared_ptr<const Source>& source, std::vector<Diagnostic>& findings);

  // Null for a segment that no file defines.
  const SegmentDefinition* segment(std::string_view name) const;
  bool empty() const { return segments_.empty(); }

 private:
  struct Segment {
    std::string name;
    std::string text;
    std::vector<const PartDefinition*> fields;
    SegmentDefinition definition;
  };

  Segment* read_segment(Words& words);
  bool read_field(Words& words, Segment& segment);
  std::string_view keep(std::string text);

  std::map<std::string, std::unique_ptr<Segment>, std::less<>> segments_;
  std::deque<PartDefinition> parts_;  // pointed to
  std::deque<std::string> texts_;     // likewise
};

}  // namespace cannula::hl7v2
