// Values of the store as JSON and as people read them.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "engine/store/store.h"

namespace cannula::ops {

// "2026-11-23T15:04:05.123456Z"
std::string time_text(store::Timestamp at);
// Sets NAME to the text. When it is not UTF-8: NAME_base64 to the bytes, and of an HL7 v2 message
// also NAME_text to what it reads as and NAME_charset to the set that was read. Nothing when
// `bytes` is null.
void put_bytes(nlohmann::json& into, const char* name, const Bytes& bytes);

nlohmann::json to_json(const store::MessageRow& row);
nlohmann::json to_json(const store::DeliveryRow& row);
nlohmann::json to_json(const store::Record& record);
nlohmann::json to_json(const store::UnmappedRow& row);

// The answer of an HTTP handler and of `--json`: one line, never throws for what a sender wrote.
std::string dump(const nlohmann::json& value);

}  // namespace cannula::ops
