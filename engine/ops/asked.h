// What requests to a site have in common: ids, texts, who asks and why, and which of many are
// meant.
#pragma once

#include <string>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "engine/store/store.h"
#include "parsers/text/result.h"

namespace cannula::ops {

// U201.
Error bad_request(std::string what, std::string hint);
Result<MessageId> id_of(const std::string& text);
// The text of a member; empty when there is none, or when it is no text.
std::string text_of(const nlohmann::json& object, const char* name);
// Who acts and why: nothing is done by nobody, or for no reason.
Result<std::pair<std::string, std::string>> actor_and_reason(const nlohmann::json& object);

// Which of many are meant: {"channel", "destination", "state", "code", "place", "since", "until"},
// all optional, times as in moment.h. States are dead (unless asked otherwise), held, delivered,
// parked, filtered, done, and waiting, which is all that is still to be done.
Result<store::LetterQuery> many_of(const nlohmann::json& asked);

// The answer, and under "index_behind" why it may lack the newest, when the index could not catch
// up.
nlohmann::json with_note(nlohmann::json answer, const Result<void>& caught_up);

}  // namespace cannula::ops
