// The mapping tables of a site, for the verbs about tables.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/cli/verb.h"
#include "parsers/text/diagnostic.h"
#include "rules/language/resources.h"

namespace cannula::cli {

// Whatever else is wrong with the site: people who keep tables are not held up by a channel.
struct SiteTables {
  std::filesystem::path root;
  std::shared_ptr<const rules::Resources> resources;  // only tables without errors
  std::vector<Diagnostic> findings;                   // about files in tables/
};

// `named` as in site_folder(), and the error (U103) too.
Result<SiteTables> read_site_tables(const std::string& named, const Context& context);

// The table, or an error (U141) with the nearest name or with what is wrong with it.
Result<std::shared_ptr<const tables::Table>> find_table(const SiteTables& site,
                                                        const std::string& name);

// "a" | "b": a key of several columns as people read it. The parts stand between kKeySeparators.
std::string key_for_people(std::string_view joined_key);

}  // namespace cannula::cli
