// Asks a trail. Reads the files and changes nothing; may run while the trail grows. What it gives
// was not verified (verify.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/store/file_system.h"
#include "parsers/text/result.h"

namespace cannula::audit {

struct Filter {            // what is empty or 0 is not asked for
  std::int64_t since = 0;  // microseconds since 1970; inclusive
  std::int64_t until = 0;  // exclusive
  std::string actor{};     // a name, or "uid 1000", or "engine", "person", "partner"
  std::string act{};       // "message.show", or "message." for all of these
  std::string message{};
  std::string channel{};
  std::string outcome{};
};

// Visits the entries that fit, the oldest first, each with its line as it stands in the file.
// False stops. Lines that are not entries are passed over.
Result<void> each_entry(
    const std::filesystem::path& directory, const Filter& filter,
    const std::function<bool(const std::string& line, const nlohmann::ordered_json& entry)>& visit,
    store::FileSystem* file_system = nullptr);

// The entry as a FHIR R4 AuditEvent (http://hl7.org/fhir/R4/auditevent.html) on one line. `site`
// names the observer.
std::string audit_event(const nlohmann::ordered_json& entry, const std::string& site);

}  // namespace cannula::audit
