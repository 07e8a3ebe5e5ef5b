// A site in a temporary folder, and transports that exist only here.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "engine/config/site.h"

namespace cannula::config {

class SiteFolder {
 public:
  SiteFolder() {
    char name[] = "/tmp/cannula-site-XXXXXX";
    root_ = mkdtemp(name);
    write("site.toml", "");
  }
  ~SiteFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  SiteFolder(const SiteFolder&) = delete;
  SiteFolder& operator=(const SiteFolder&) = delete;

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  // A channel that is right but for what `toml` says, with a script.
  void channel(const std::string& name, const std::string& toml) const {
    write("channels/" + name + "/channel.toml", toml);
    write("channels/" + name + "/main.lua", "function main(msg) end\n");
  }
  const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path root_;
};

inline const Option kWireTls[] = {
    {.name = "certificate", .type = OptionType::file, .description = "A file.", .required = true},
    {.name = "key", .type = OptionType::secret, .description = "A key."},
    {.name = "client_ca", .type = OptionType::file, .description = "Who signs clients."},
};
inline const Option kWireSource[] = {
    {.name = "listen", .type = OptionType::endpoint, .description = "Where.", .required = true},
    {.name = "max_size", .type = OptionType::size, .description = "Most.", .default_value = "64MB"},
    {.name = "idle", .type = OptionType::duration, .description = "Idle.", .default_value = "5m"},
    {.name = "limit",
     .type = OptionType::integer,
     .description = "Limit.",
     .default_value = "7",
     .minimum = 1,
     .maximum = 100},
    {.name = "mode",
     .description = "Mode.",
     .default_value = "strict",
     .choices = {"strict", "lenient"}},
    {.name = "tags", .type = OptionType::texts, .description = "Tags."},
    {.name = "tls", .type = OptionType::table, .description = "TLS.", .members = kWireTls},
};
inline const Option kWireDestination[] = {
    {.name = "address", .type = OptionType::endpoint, .description = "Where.", .required = true},
    {.name = "token", .type = OptionType::secret, .description = "A token."},
};
inline const Option kFolderDestination[] = {
    {.name = "directory", .type = OptionType::file, .description = "Where.", .required = true},
};

inline std::span<const Transport> test_transports() {
  static const Transport kTransports[] = {
      {"wire", "Messages by wire.", kWireSource, kWireDestination, {}, {}},
      {"folder", "Messages as files.", {}, kFolderDestination, {}, {}},
  };
  return kTransports;
}

// The findings of a site, rendered, with the folder's own name taken out.
inline std::string findings_of(const SiteFolder& site,
                               std::optional<std::chrono::sys_days> today = {}) {
  std::string text = render(load_site(site.root(), test_transports(), {.today = today}).findings);
  const std::string root = site.root().string();
  for (std::size_t at = text.find(root); at != std::string::npos; at = text.find(root)) {
    text.erase(at, root.size() + 1);
  }
  return text;
}

}  // namespace cannula::config
