// load_site(): site.toml, the shared modules, and what can only be checked across files.
#include <fmt/format.h>

#include "channels/transport/address.h"
#include "engine/config/folder.h"
#include "engine/config/hidden_secrets.h"
#include "engine/config/keys.h"
#include "engine/config/reading.h"
#include "engine/config/resource_files.h"
#include "engine/security/keys/token_uri.h"

namespace cannula::config {

namespace fs = std::filesystem;

LoadedSite load_site(const fs::path& root, std::span<const Transport> transports,
                     const LoadOptions& options) {
  const auto now = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  try {
    return Reading(root, transports, options.today.value_or(now)).load(options);
  } catch (const std::exception& failure) {
    // Out of memory, or a path that the file system library cannot turn into text.
    LoadedSite loaded;
    loaded.partial.root = root;
    loaded.partial.store.directory = root / "state";
    loaded.findings.push_back(
        about_file(Severity::error, "C102", root,
                   fmt::format("this site cannot be read: {}", failure.what())));
    return loaded;
  }
}

std::optional<fs::path> find_site(const fs::path& from) {
  std::error_code error;
  fs::path folder = fs::absolute(from, error).lexically_normal();
  if (error) return std::nullopt;
  while (true) {
    if (fs::exists(folder / "site.toml", error)) return folder;
    const fs::path parent = folder.parent_path();
    if (parent == folder || parent.empty()) return std::nullopt;
    folder = parent;
  }
}

Reading::Reading(const fs::path& root, std::span<const Transport> transports,
                 std::chrono::sys_days today)
    : root_(root.empty() ? fs::path(".") : root), transports_(transports), today_(today) {
  site_.root = fs::absolute(root_).lexically_normal();
  if (!site_.root.has_filename()) site_.root = site_.root.parent_path();
}

LoadedSite Reading::load(const LoadOptions& options) && {
  if (!is_there(root_ / "site.toml")) {
    findings_.push_back(about_file(
        Severity::error, "C109", root_,
        is_folder(root_) ? "this folder is not a site: it has no site.toml"
                         : "there is no such site folder",
        fmt::format("`cannula new {}` makes a site; an empty site.toml is enough for one",
                    root_.string())));
    return {std::nullopt, {}, std::move(findings_), false};
  }
  read_site_file();
  read_partners();
  read_modules();
  read_channels();
  check_listeners();
  check_former_names();
  LoadedResources loaded = load_resources(root_, options.in_use, options.test_rules);
  site_.resources = std::move(loaded.resources);
  findings_.insert(findings_.end(), loaded.findings.begin(), loaded.findings.end());
  hide_all_secrets();

  std::stable_sort(findings_.begin(), findings_.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     if (a.source->name() != b.source->name())
                       return a.source->name() < b.source->name();
                     return (a.span ? a.span->begin : 0) < (b.span ? b.span->begin : 0);
                   });
  if (has_errors(findings_))
    return {std::nullopt, std::move(site_), std::move(findings_), store_known_};
  return {std::move(site_), {}, std::move(findings_), true};
}

void Reading::hide_all_secrets() {
  std::set<std::string, std::less<>> names{"master", "former", "pin"};
  for (const Transport& transport : transports_) {
    add_secret_names(transport.source_options, names);
    add_secret_names(transport.destination_options, names);
  }
  for (Diagnostic& finding : findings_) hide_secrets(finding, names);
}

Values Reading::read_optional(const Member* table, std::span<const Option> options,
                              std::string_view place, const File& file) const {
  static const Node kAbsent;
  const bool usable = table && table->value.is(Node::Kind::table);
  if (table && !usable) {
    file.error("C104", table->value.span,
               fmt::format("`{}` must be a table, not {}", table->name, name_of(table->value.kind)),
               fmt::format("write {} on a line of its own and its keys below", place));
  }
  return read_table(file, usable ? table->value : kAbsent, options, place, site_.root);
}

void Reading::read_site_file() {
  const auto source = read_source(root_, "site.toml", findings_);
  const Document document = source ? parse_document(source, findings_) : Document{};
  const File file(source, findings_);
  read_store(document.root, file);
  read_keys(document.root, file);
  read_audit(document.root, file);
  store_known_ = !has_errors(findings_);

  // The nested tables are read one by one; here only the names of the file's own keys are checked.
  std::vector<Option> outer(site_options().begin(), site_options().end());
  for (Option& option : outer) option.members = {};
  read_table(file, document.root, outer, "site.toml", site_.root);
  read_admin(document.root, file);
  read_engine(document.root, file);
  read_site_retention(document.root, file);
  read_secrets(document.root, file);
}

void Reading::read_store(const Node& root, const File& file) {
  const Member* table = root.find("store");
  const Values values = read_optional(table, store_options(), "[store]", file);
  site_.store.directory = (site_.root / values.text("directory")).lexically_normal();
  site_.store.segment_size = static_cast<std::size_t>(values.integer("segment_size"));
  site_.store.keep_free = static_cast<std::uint64_t>(values.integer("keep_free"));
  constexpr std::int64_t kSmallest = 64 << 10, kLargest = 4LL << 30;
  if (values.integer("segment_size") < kSmallest || values.integer("segment_size") > kLargest) {
    file.error("C107", table->value.find("segment_size")->value.span,
               "`segment_size` must be from \"64KB\" to \"4GB\"");
  }
}

void Reading::read_keys(const Node& root, const File& file) {
  const Member* table = root.find("keys");
  const Values values = read_optional(table, keys_options(), "[keys]", file);
  if (values.has("master")) {
    site_.keys.master = read_master_key(table->value.find("master")->value, file);
  }
  if (values.has("former")) {
    const Node& written = table->value.find("former")->value;
    const std::span<const Node> places =
        written.is(Node::Kind::text) ? std::span(&written, 1) : std::span(written.items);
    for (const Node& place : places) {
      if (auto read = read_master_key(place, file)) {
        site_.keys.former.push_back(*std::move(read));
      }
    }
  }
  if (values.has("pin")) {
    site_.keys.pin = values.secret("pin");
    check_secret(*site_.keys.pin, file, table->value.find("pin")->value.span);
  }
}

std::optional<MasterKeyPlace> Reading::read_master_key(const Node& written,
                                                       const File& file) const {
  MasterKeyPlace place;
  if (security::is_token_uri(written.text)) {
    const auto uri = security::TokenUri::parse(written.text);
    if (!uri) {
      // In the address there may be a PIN: hide_secrets() keeps it out of what is shown.
      file.error("C147", written.span, uri.error().message, uri.error().hint);
      return std::nullopt;
    }
    if (const auto pin = parse_secret_reference(uri->pin_source(), site_.root)) {
      check_secret(*pin, file, written.span);
    }
    place.token = written.text;
    return place;
  }
  place.written = parse_secret_reference(written.text, site_.root);
  if (place.written) {
    check_secret(*place.written, file, written.span);
    return place;
  }
  // The text may be the secret itself: it is not repeated.
  file.error(
      "C123", written.span,
      "[keys] must say where the master key is, \"file:PATH\", \"env:NAME\" or \"pkcs11:…\"; "
      "it must not be the key itself",
      "put the key into a file outside the site, an environment variable or a token");
  return std::nullopt;
}

void Reading::read_admin(const Node& root, const File& file) {
  const Member* table = root.find("admin");
  const Values values = read_optional(table, admin_options(), "[admin]", file);
  if (!values.has("listen")) return;
  const Endpoint& listen = values.endpoint("listen");
  const Span at = table->value.find("listen")->value.span;
  if (!is_loopback(listen.host)) {
    file.error(
        "C121", at,
        fmt::format("the admin interface listens on this machine only, not on `{}`", listen.host),
        fmt::format("write \"127.0.0.1:{}\" and reach it through an SSH tunnel or a proxy that "
                    "signs people in",
                    listen.port));
  }
  site_.admin.listen = listen;
  listeners_.push_back({"the admin interface", listen, file, at});
}

void Reading::read_audit(const Node& root, const File& file) {
  const Member* table = root.find("audit");
  const Values values = read_optional(table, audit_options(), "[audit]", file);
  if (!values.has("key")) return;
  site_.audit.key = values.secret("key");
  check_secret(values.secret("key"), file, table->value.find("key")->value.span);
}

void Reading::read_engine(const Node& root, const File& file) {
  const Values values = read_optional(root.find("engine"), engine_options(), "[engine]", file);
  site_.engine.workers = static_cast<std::size_t>(values.integer("workers"));
  site_.engine.io_threads = static_cast<std::size_t>(values.integer("io_threads"));
  site_.engine.script_memory = static_cast<std::size_t>(values.integer("script_memory"));
}

void Reading::read_secrets(const Node& root, const File& file) {
  const Member* table = root.find("secrets");
  if (!table) return;
  if (!table->value.is(Node::Kind::table)) {
    file.error("C104", table->value.span,
               fmt::format("`secrets` must be a table, not {}", name_of(table->value.kind)),
               "write [secrets] on a line of its own and name = \"env:NAME\" below");
    return;
  }
  for (const Member& member : table->value.members) {
    if (!is_name(member.name)) {
      file.error("C110", member.name_span,
                 fmt::format("{} cannot be the name of a secret", in_quotes(member.name)),
                 "letters, digits, `-` and `_`, at most 64");
      continue;
    }
    const Option option{.name = member.name, .type = OptionType::secret, .description = {}};
    const Values values =
        read_table(file, Node{.members = {member}}, {&option, 1}, "[secrets]", site_.root);
    if (!values.has(member.name)) continue;
    site_.secrets[member.name] = values.secret(member.name);
    check_secret(values.secret(member.name), file, member.value.span);
  }
}

void Reading::read_modules() {
  for (const std::string& name : list_folder(root_, "lib", findings_)) {
    const fs::path path(name);
    if (path.extension() != ".lua") continue;
    if (!is_name(path.stem().string())) {
      findings_.push_back(about_file(
          Severity::error, "C110", root_ / "lib" / name,
          fmt::format("{} cannot be the name of a module", in_quotes(path.stem().string())),
          "letters, digits, `-` and `_`, at most 64"));
      continue;
    }
    if (auto source = read_source(root_, fs::path("lib") / name, findings_)) {
      site_.modules[path.stem().string()] = std::move(source);
    }
  }
}

// Two listeners meet when their ports are the same and their addresses are, or one of them is every
// address.
void Reading::check_listeners() {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const Listener& later = listeners_[i];
    if (later.endpoint.port == 0) continue;
    for (std::size_t j = 0; j < i; ++j) {
      const Listener& earlier = listeners_[j];
      if (earlier.endpoint.port != later.endpoint.port) continue;
      const auto a = parse_address(earlier.endpoint.host), b = parse_address(later.endpoint.host);
      const bool same = a && b ? *a == *b : earlier.endpoint.host == later.endpoint.host;
      const bool both_loopback =
          is_loopback(earlier.endpoint.host) && is_loopback(later.endpoint.host) && !(a && b);
      if (!same && !both_loopback && !is_wildcard(earlier.endpoint.host) &&
          !is_wildcard(later.endpoint.host)) {
        continue;
      }
      // Several http sources share a port, told apart by path.
      if (!earlier.http_path.empty() && !later.http_path.empty() &&
          earlier.http_path != later.http_path && same) {
        continue;
      }
      const Position there = earlier.file.source()->position(earlier.span.begin);
      later.file.error(
          "C120", later.span,
          fmt::format("port {} is already listened on by {} ({}:{})", later.endpoint.port,
                      earlier.owner, earlier.file.source()->name(), there.line),
          "give each its own port");
      break;
    }
  }
}

}  // namespace cannula::config
