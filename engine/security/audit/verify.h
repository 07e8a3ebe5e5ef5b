// Reads a trail as a stranger would and says where it is not what was written: entries changed,
// removed, inserted, moved, or cut off at the end. Changes nothing; may run while the trail grows.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "engine/security/audit/log.h"
#include "parsers/text/diagnostic.h"

namespace cannula::audit {

struct VerifyOptions {
  std::filesystem::path directory;
  std::string key{};                    // that the site uses now; empty: none
  std::vector<std::string> old_keys{};  // that it used before
  // Heads that someone noted elsewhere: what is up to them is as it was then.
  std::vector<Head> anchors{};
  // Where the journal of the site ends; asked when the trail has been read, which may grow
  // meanwhile. Null: only what the trail says of it by itself is compared.
  std::function<Result<JournalEnd>()> journal{};
  // Whether the store has records; asked where there is no entry at all. Null: it has none.
  std::function<bool()> has_records{};
  store::FileSystem* file_system = nullptr;
};

struct Verdict {
  std::uint64_t entries = 0;      // whose place in the chain is right
  std::uint64_t without_key = 0;  // of these: under a plain hash that anyone can compute
  Head head;                      // the last of these
  // One a place; in the order of the files. A note where there is something to know that is no
  // tampering.
  std::vector<Diagnostic> findings;
  bool sound() const { return !has_errors(findings); }
};

Result<Verdict> verify(const VerifyOptions& options);

}  // namespace cannula::audit
