// What a person is likely to have done by mistake when a message was edited, seen beside the one
// that it was made of.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "parsers/hl7v2/validation/site_segments.h"
#include "parsers/text/result.h"
#include "parsers/text/span.h"

namespace cannula::ops {

struct EditedMessage {
  // In words, each with its place ("line 4: …") and, where one is likely, what was meant. Without
  // anything of the message but names of segments.
  std::vector<std::string> mistakes;
  // How many more of a segment the edited message has than the original; negative: fewer.
  std::map<std::string, int> more_segments;
};

// Of HL7 v2: the edited one is none any more, or lost its control id (MSH-10); a line begins with
// the name of no segment, of any version, of the site's (`site_segments`, may be null), of Z, or of
// the original; or a line has its name alone. Nothing for messages of other formats. `original` is
// null where it is not kept: then the edited one is looked at by itself.
EditedMessage look_at_edited(const Bytes& original, const Bytes& edited,
                             const hl7v2::SiteSegments* site_segments);

// P338 with the first mistakes; fine when there are none.
Result<void> refuse_mistakes(const EditedMessage& edited);

// "1 OBX more, 2 NTE less than the original"; empty when the segments are as many.
std::string describe_segments(const EditedMessage& edited);

}  // namespace cannula::ops
