// Times as people type them, wherever a range of time is asked for.
#pragma once

#include <string>

#include "engine/store/record.h"
#include "parsers/text/result.h"

namespace cannula::ops {

// Microseconds since 1970; 0 for an empty text. What is read:
//   - a duration back from `now`: 2h, 3d
//   - a day, or a time of one, as the clocks of this machine show it (the environment variable TZ
//     says otherwise): 2026-11-23, 2026-11-23T15:04, "2026-11-23 15:04:05.5". In the hour that the
//     change to winter repeats the C library decides.
//   - RFC 3339, with its offset: 2026-11-23T15:04:05Z, 2026-11-23T15:04:05+01:00
//   - the times of HL7 v2, as they stand in MSH-7: 20261123150405+0100
// U201 for anything else.
Result<store::Timestamp> moment_of(const std::string& text, store::Timestamp now);

// U201 when nothing can lie between the two; 0 is no bound.
Result<void> check_range(store::Timestamp since, store::Timestamp until);

}  // namespace cannula::ops
