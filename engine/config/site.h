// The site folder, read and checked: everything the engine needs to run, as plain immutable values.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "channels/transport/options.h"
#include "channels/transport/transport.h"
#include "engine/config/delivery_window.h"
#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/path.h"
#include "parsers/text/diagnostic.h"
#include "rules/language/resources.h"

namespace cannula::config {

struct StoreConfig {
  std::filesystem::path directory;  // absolute; `state` in the site unless named
  std::size_t segment_size = 64u << 20;
  std::uint64_t keep_free = 0;  // bytes; with less on the disk nothing new is taken
};

// Where a master key is: written in a file or variable, or in a token.
struct MasterKeyPlace {
  std::optional<SecretReference> written;
  std::string token;  // a PKCS#11 URI (RFC 7512); empty when it is written
};

struct KeysConfig {
  std::optional<MasterKeyPlace> master;  // nothing: a file in the store's folder
  std::vector<MasterKeyPlace> former;
  std::optional<SecretReference> pin;  // of tokens whose URI names no `pin-source`
};

struct AdminConfig {
  std::optional<Endpoint> listen;  // off unless named
};

struct AuditConfig {
  std::optional<SecretReference> key;  // seals the trail; none: plain hashes
};

struct EngineConfig {
  std::size_t workers = 0;                 // 0: one a core
  std::size_t io_threads = 0;              // 0: chosen by the engine
  std::size_t script_memory = 512u << 20;  // of all Lua states together
};

struct Agreement {
  std::string document;
  std::string signed_on;  // ISO date as written
  std::string expires;
  friend bool operator==(const Agreement&, const Agreement&) = default;
};

// Who may connect and what they may send. The name is the file's.
struct PartnerConfig {
  std::string name;
  std::string title;              // `name` in the file: for people
  std::vector<std::string> from;  // addresses and CIDR blocks, checked
  std::optional<std::string>
      certificate;               // subject alternative name, when the listener asks for one
  std::vector<std::string> may;  // events such as "ORU^R01" or "ADT^*"; empty: any
  std::optional<Agreement> agreement;
  friend bool operator==(const PartnerConfig&, const PartnerConfig&) = default;
};

struct OrderConfig {
  enum class By { channel, paths, none } by = By::channel;
  std::vector<hl7v2::Path> paths;
  enum class OnHold { pass, hold_key } on_hold = OnHold::pass;
  friend bool operator==(const OrderConfig&, const OrderConfig&) = default;
};

struct AckConfig {
  enum class When { stored, processed, delivered } when = When::stored;
  std::string destination;  // of `delivered`
  friend bool operator==(const AckConfig&, const AckConfig&) = default;
};

struct RetryConfig {
  std::chrono::milliseconds first{1000};
  std::chrono::milliseconds max{300'000};
  std::chrono::milliseconds give_up_after{3 * 86'400'000LL};  // from the first attempt on
  std::uint32_t away_after = 5;  // failures in a row until only probes go out
  enum class Act { retry, dead, hold };
  std::map<std::string, Act>
      on{};  // by class, code or the other side's word: pipeline/retry_policy
  friend bool operator==(const RetryConfig&, const RetryConfig&) = default;
};

// At most `count` attempts in `per`.
struct RateLimit {
  std::uint32_t count = 1;
  std::chrono::milliseconds per{1000};
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// What is done about what is wrong with the HL7 v2 messages of a channel.
struct ValidationConfig {
  // Each stronger than those before it.
  enum class Policy { ignore, warn, park, reject };
  Policy errors = Policy::ignore;
  Policy warnings = Policy::ignore;
  // By code, "H704", or by the place that findings are counted by, "PID-8"; goes before the above.
  std::map<std::string, Policy, std::less<>> on{};
  std::vector<std::string> profiles{};      // of hl7/NAME.profile
  std::optional<hl7v2::Version> version{};  // in place of MSH-12
  bool looks() const;                       // messages have to be looked at
  bool may(Policy policy) const;            // something leads to it
  friend bool operator==(const ValidationConfig&, const ValidationConfig&) = default;
};

// How long what came to its end is kept, from then on. Nothing: for ever.
struct RetentionConfig {
  using Period = std::optional<std::chrono::milliseconds>;
  Period done{};
  Period filtered{};
  Period rejected{};
  Period dead{};
  Period discarded{};
  Period bodies{};  // of all of these
  friend bool operator==(const RetentionConfig&, const RetentionConfig&) = default;
};

struct DestinationConfig {
  std::string name;
  std::string type;
  Values values;  // of the transport's destination_options
  RetryConfig retry;
  std::string written;  // the table as written, retry included: equal text means a reload changed
                        // nothing here
  std::optional<RateLimit> rate_limit{};
  std::optional<DeliveryWindow> window{};   // nothing: at any time
  std::vector<std::string> renamed_from{};  // names it had: what waits under them goes here
};

struct ChannelConfig {
  std::string name;  // the folder's
  std::string description;
  bool enabled = true;
  std::string source_type;
  Values source;               // of the transport's source_options
  std::string source_written;  // the [source] table as written, to see whether a reload changed it
  std::string partner;         // empty: open
  bool open = false;           // listens beyond loopback without a partner, said aloud
  AckConfig ack;
  std::string timezone;  // IANA name, of times without an offset; empty: not known
  std::string charset;   // of the source's messages, whatever MSH-18 says; empty: what MSH-18 says
  OrderConfig order;
  std::vector<DestinationConfig> destinations;
  std::chrono::milliseconds script_time{2000};
  std::size_t script_memory = 64u << 20;
  enum class OnError { pass, stop } on_error = OnError::pass;
  std::vector<std::string> renamed_from{};  // names it had: what waits under them is worked here
  std::shared_ptr<const Source> script;  // main.lua; null only when the file is missing (an error)
  ValidationConfig validation{};
  RetentionConfig retention{};  // the site's, where the channel says nothing
};

struct Site {
  std::filesystem::path root;  // absolute
  StoreConfig store;
  KeysConfig keys;
  AdminConfig admin;
  EngineConfig engine;
  std::map<std::string, SecretReference> secrets;  // [secrets] name = "env:…" | "file:…"
  std::map<std::string, PartnerConfig> partners;
  std::map<std::string, ChannelConfig> channels;
  std::map<std::string, std::shared_ptr<const Source>> modules;  // lib/*.lua by module name
  // tables/*.csv, rules/*.rules and hl7/*; never null.
  std::shared_ptr<const rules::Resources> resources = std::make_shared<const rules::Resources>();
  AuditConfig audit{};
  RetentionConfig retention{};                         // of channels that say nothing, or are gone
  std::chrono::milliseconds retention_every{600'000};  // 0: only when asked
  std::chrono::milliseconds retention_within{86'400'000};
};

struct LoadedSite {
  std::optional<Site> site;  // nothing when a finding is an error
  // What could be read although a finding is an error, to check the scripts too, and to reach the
  // store and the engine that runs on it; never to be run.
  Site partial;
  std::vector<Diagnostic> findings;  // all of them, in order of file and line
  // [store], [keys] and [audit] are as site.toml says: no finding about them is an error.
  bool store_known = false;
};

struct LoadOptions {
  std::optional<std::chrono::sys_days> today{};  // for agreements that expire; today's (UTC)
  // Tables and rules in use; rules that have not changed are neither compiled nor tested again.
  const rules::Resources* in_use = nullptr;
  bool test_rules = true;  // a rule of which a test fails is an error (R230)
};

// Reads the folder and checks everything that can be checked without running it: syntax, keys,
// values, references between files, addresses, secrets that are there, ports named twice. Opens no
// socket and no store. Lua is checked by the caller. Never throws; findings name files by `root` as
// it is given here, so that an editor can open them from where the caller stands.
LoadedSite load_site(const std::filesystem::path& root, std::span<const Transport> transports,
                     const LoadOptions& options = {});

// The nearest folder at or above `from` that holds a site.toml.
std::optional<std::filesystem::path> find_site(const std::filesystem::path& from);

// docs/reference/config.md, from the same tables that load_site checks by.
std::string reference_page(std::span<const Transport> transports);

}  // namespace cannula::config
