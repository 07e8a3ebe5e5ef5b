// Which files of a site's configuration there are and what is in them, by hash: so that the trail
// can say what changed without saying what it says.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace cannula::audit {

using Fingerprint = std::map<std::string, std::string>;  // path in the site -> SHA-256

// site.toml, partners/, channels/, lib/, rules/, tables/ and maps/, without names that begin with a
// dot. What cannot be read has the hash "unreadable".
Fingerprint fingerprint_of(const std::filesystem::path& site);
// One hash for all of it.
std::string hash_of(const Fingerprint& files);
// "changed tables/lab.csv", "new …", "gone …", in the order of the paths.
std::vector<std::string> changes(const Fingerprint& before, const Fingerprint& after);

}  // namespace cannula::audit
