// What the engine itself enters into the audit trail.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/config/site.h"
#include "engine/security/audit/fingerprint.h"
#include "engine/security/audit/log.h"

namespace cannula::pipeline {

std::filesystem::path audit_directory(const config::Site& site);
// For the process that holds the site's store. Fails only when the site's key cannot be read; a
// trail that cannot be written says so when something is entered.
Result<std::unique_ptr<audit::Log>> open_audit(const config::Site& site,
                                               store::FileSystem* file_system = nullptr,
                                               std::function<audit::JournalEnd()> journal = {});
// The same for a verb that has opened the store itself: it has no log to tell.
Result<std::unique_ptr<audit::Log>> open_audit_at_rest(const config::Site& site);

// Whether the store has records, so that there must be a trail. What cannot be read has had some.
bool has_records(const config::Site& site);

// The id of the ring in the file `keys` of the site's store, as the trail tells it; empty: none can
// be read.
std::string keys_of_store(const config::Site& site);

// What changed in a site's files since the entry before, also across restarts. One call at a time.
class ConfigurationWatch {
 public:
  explicit ConfigurationWatch(const config::Site& site);
  // An entry with the hash of the configuration as it stands and the files that changed.
  audit::Entry entry(std::string act);

 private:
  const std::filesystem::path site_;
  const std::filesystem::path remembered_;  // a file in the store's folder; only a convenience
  audit::Fingerprint last_;
};

}  // namespace cannula::pipeline
