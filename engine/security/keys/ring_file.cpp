#include "engine/security/keys/ring_file.h"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/security/keys/hex.h"
#include "engine/security/keys/whole_file.h"

namespace cannula::security {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr const char* kName = "keys";
constexpr const char* kCopy = "keys.copy";

template <class Number>
Number number_of(const json& object, const char* name) {
  const std::string text = object.at(name).get<std::string>();
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc{} || end != text.data() + text.size() || number == 0) {
    throw std::invalid_argument(name);
  }
  return number;
}

json as_json(const WrappedKey& key) {
  json object{{"made", key.made}, {"master", key.master}, {"wrapped", to_hex(key.wrapped)}};
  if (key.from != SealedFrom{}) {
    object["records_from"] = key.from.records;
    object["marks_from"] = key.from.marks;
  }
  if (key.number != 0) {
    object["key"] = number_text(key.number);
    object["channel"] = key.channel;
  }
  return object;
}

WrappedKey wrapped_key(const json& object, bool of_channel) {
  WrappedKey key;
  key.made = object.at("made").get<std::string>();
  key.master = object.at("master").get<std::string>();
  if (!from_hex(object.at("wrapped").get<std::string>(), key.wrapped)) {
    throw std::invalid_argument("wrapped");
  }
  if (!of_channel && object.contains("records_from")) {
    key.from.records = object.at("records_from").get<std::uint64_t>();
    key.from.marks = object.at("marks_from").get<std::uint64_t>();
  }
  if (of_channel) {
    key.number = number_of<std::uint32_t>(object, "key");
    key.channel = object.at("channel").get<std::string>();
  }
  return key;
}

// What a wrapped key is bound to: moved to another channel's line, it does not open.
std::string bound_to(std::uint64_t ring, const WrappedKey& key) {
  std::string bound =
      fmt::format("cannula key\n{}\n{}\n{}", ring_text(ring), number_text(key.number), key.channel);
  if (key.from != SealedFrom{}) {
    bound += fmt::format("\nsealed from {} {}", key.from.records, key.from.marks);
  }
  return bound;
}

std::string ids_of(const MasterKeys& masters) {
  std::string ids;
  for (const auto& master : masters) ids += (ids.empty() ? "" : ", ") + master->id();
  return ids;
}

}  // namespace

std::string number_text(std::uint32_t number) {
  return fmt::format("{:08x}", number);
}

std::string ring_text(std::uint64_t id) {
  return fmt::format("{:016x}", id);
}

const WrappedKey* RingFile::of_channel(std::string_view channel) const {
  for (const WrappedKey& key : keys) {
    if (key.channel == channel) return &key;
  }
  return nullptr;
}

std::set<std::string> RingFile::masters() const {
  std::set<std::string> ids{secret.master};
  for (const WrappedKey& key : keys) ids.insert(key.master);
  return ids;
}

std::string RingFile::text() const {
  json whole{{"cannula_keys", kVersion}, {"ring", ring_text(id)}, {"secret", as_json(secret)}};
  whole["keys"] = json::array();
  for (const WrappedKey& key : keys) whole["keys"].push_back(as_json(key));
  whole["shredded"] = json::array();
  for (const ShreddedKey& key : shredded) {
    whole["shredded"].push_back({{"key", number_text(key.number)},
                                 {"channel", key.channel},
                                 {"made", key.made},
                                 {"at", key.shredded},
                                 {"by", key.actor},
                                 {"reason", key.reason}});
  }
  return whole.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<RingFile> RingFile::parse(const std::string& text) {
  try {
    const json whole = json::parse(text);
    if (whole.at("cannula_keys").get<int>() != kVersion) return std::nullopt;
    RingFile ring;
    ring.id = number_of<std::uint64_t>(whole, "ring");
    ring.secret = wrapped_key(whole.at("secret"), false);
    for (const json& key : whole.at("keys")) ring.keys.push_back(wrapped_key(key, true));
    for (const json& key : whole.at("shredded")) {
      ring.shredded.push_back(
          {number_of<std::uint32_t>(key, "key"), key.at("channel").get<std::string>(),
           key.at("made").get<std::string>(), key.at("at").get<std::string>(),
           key.at("by").get<std::string>(), key.at("reason").get<std::string>()});
    }
    return ring;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

Result<std::optional<RingFile>> read_ring(const std::filesystem::path& directory) {
  bool there = false;
  for (const char* name : {kName, kCopy}) {
    const auto text = TRY(read_whole(directory / name));
    if (!text) continue;
    there = true;
    if (auto ring = RingFile::parse(*text)) return std::optional<RingFile>(*std::move(ring));
  }
  if (!there) return std::optional<RingFile>();
  return Error{"K105",
               fmt::format("neither {} nor {} in {} can be read as a file of keys", kName, kCopy,
                           directory.string()),
               "put the file back from a backup of this store; without it nothing sealed can be "
               "read"};
}

Result<bool> is_copied(const std::filesystem::path& directory) {
  return TRY(read_whole(directory / kName)) == TRY(read_whole(directory / kCopy));
}

Result<void> write_ring(const std::filesystem::path& directory, const RingFile& ring) {
  const std::string text = ring.text();
  TRY(replace_whole(directory / kName, text));
  return replace_whole(directory / kCopy, text);
}

Result<WrappedKey> wrap(const KeyBytes& key, std::uint64_t ring, std::uint32_t number,
                        std::string channel, std::string made, const MasterKey& master,
                        SealedFrom from) {
  WrappedKey wrapped{number, std::move(channel), std::move(made), master.id(), {}, from};
  wrapped.wrapped = TRY(master.wrap(key, bound_to(ring, wrapped)));
  return wrapped;
}

Result<KeyBytes> unwrap(const WrappedKey& key, std::uint64_t ring, const MasterKeys& masters,
                        const std::string& place) {
  const std::string what =
      key.number == 0 ? "the store's secret"
                      : fmt::format("key {} of channel {}", number_text(key.number), key.channel);
  for (const auto& master : masters) {
    if (master->id() != key.master) continue;
    auto opened = TRY(master->unwrap(key.wrapped, bound_to(ring, key)));
    if (opened) return *std::move(opened);
    return Error{"K105",
                 fmt::format("{} does not open: its line in the file of keys was changed", what),
                 "keep a copy of the file that is there; then put `keys` back from the newest "
                 "backup of this store. Where the master key is in a token, see first that the "
                 "token works: `cannula keys list`"};
  }
  return Error{"K102",
               fmt::format("{} is wrapped by master key {}; looked in {}, which has {}", what,
                           key.master, place, ids_of(masters)),
               fmt::format("put master key {} there, beside the others if there are; where it is "
                           "elsewhere, name that place under `former`",
                           key.master)};
}

}  // namespace cannula::security
