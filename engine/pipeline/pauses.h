// What people have paused of the channels as they are configured now: what was paused under a
// former name of a channel or a destination stays paused under the present one, until it is resumed
// under either.
#pragma once

#include <string>
#include <vector>

#include "engine/config/site.h"
#include "engine/pipeline/act_log.h"

namespace cannula::pipeline {

// "intake", "work" or "to:NAME", with the present name of the destination for a former one. P317
// when the channel has no such part.
Result<std::string> part_of(const config::ChannelConfig& channel, const std::string& part);

// `part` as part_of() gives it.
bool is_paused(const ActLog& acts, const config::ChannelConfig& channel, const std::string& part);

// On disk when it returns, under present names. To resume ends what was paused under former ones as
// well.
Result<void> record_pause(ActLog& acts, const config::ChannelConfig& channel,
                          const std::string& part, bool paused, const std::string& actor,
                          const std::string& reason);

// Those in force, under present names, one for each part. What is not configured any more keeps the
// name it had.
std::vector<Act> pauses(const ActLog& acts, const config::Site& site);

}  // namespace cannula::pipeline
