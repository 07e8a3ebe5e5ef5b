// A site for the verbs about its engine and its store. What they need is where the store is, what
// it is sealed with, and the socket of the engine that runs; a mistake anywhere else in the site's
// files is a note, and keeps nobody from pausing a channel.
//
//   const auto site = OperatedSite::open(named, context);
//   if (!site) return kUsage;  // it has been said why
//   const auto answer = site->ask("status", {});
//   if (!answer) return site->fail(answer.error());
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/cli/verb.h"
#include "engine/config/site.h"

namespace cannula::cli {

class OperatedSite {
 public:
  // `named` as in site_folder(). Nothing: it has been printed why, and the verb ends with kUsage.
  // Says how many mistakes the site's files have, if any. `context` outlives it.
  static std::optional<OperatedSite> open(const std::string& named, const Context& context);

  // What could be read of it; all of it where there are no mistakes.
  const config::Site& site() const { return loaded_.site ? *loaded_.site : loaded_.partial; }
  // U110 when [store], [keys] or [audit] of site.toml cannot be read: to open the store might be to
  // make another one.
  Result<void> needs_store() const;

  // Asks the running engine, or else the store itself when none runs (U110 as above, and when what
  // is asked needs the whole site).
  Result<nlohmann::json> ask(const std::string& question, const nlohmann::json& request) const;

  // Prints it, and gives the verb's exit code.
  int fail(const Error& error) const;

 private:
  OperatedSite(config::LoadedSite loaded, std::string name, const Context& context)
      : loaded_(std::move(loaded)), name_(std::move(name)), context_(&context) {}
  Error unreadable(std::string what) const;
  void note_mistakes() const;

  config::LoadedSite loaded_;
  std::string name_;  // as a person would name it
  const Context* context_;
};

}  // namespace cannula::cli
