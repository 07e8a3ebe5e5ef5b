// Continuation of messages and segments (HL7 v2 2.10.2): a logical message that was sent in several
// pieces, made one again.
//
// Across messages: each fragment but the last ends with DSC, whose DSC-1 is MSH-14 of the next one.
// Within a segment: ADD continues the segment before it, with the rest of its text from ADD-1 on.
// An ADD without fields at the end of a fragment says only that the ADD that begins the next
// fragment continues this segment.
#pragma once

#include <span>
#include <string>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {

// MSH-14 says that earlier fragments belong before this one; DSC-1 that more are to come.
bool continues_another(const Message& message);
bool is_continued(const Message& message);

// The logical message: the first fragment's MSH, the segments of all in their order, without DSC,
// ADD put where it belongs; segments end with CR. The fragments may be given in any order. One
// message with ADD in it is joined too. The text of segments is not changed, so all fragments must
// use the same delimiters. Fails (H503) when there is none, when they are no chain, when pieces are
// missing at the beginning or the end, or when ADD has nothing to continue.
Result<std::string> join(std::span<const Message> fragments);

}  // namespace cannula::hl7v2
