#include "engine/store/pruned.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <xxhash.h>

#include "engine/store/segment.h"

namespace cannula::store {
namespace {

using nlohmann::json;

constexpr const char* kName = "pruned";
constexpr const char* kNewName = "pruned.new";

std::string checksum_of(std::string_view text) {
  return identity_text(XXH3_64bits(text.data(), text.size()));
}

// The object, and on a line of its own the checksum of that.
std::string text_of(const Pruned& pruned) {
  json ledgers = json::array();
  for (const Pruned::LedgerPlace& one : pruned.ledgers) {
    ledgers.push_back({{"channel", one.channel}, {"position", one.position}, {"as_of", one.as_of}});
  }
  const json object{{"store", identity_text(pruned.identity)},
                    {"begin", pruned.begin},
                    {"ledgers", std::move(ledgers)},
                    {"messages", pruned.messages},
                    {"bodies", pruned.bodies},
                    {"bytes", pruned.bytes}};
  const std::string text = object.dump();
  return text + "\n" + checksum_of(text) + "\n";
}

Pruned pruned_of(const json& object) {
  Pruned pruned;
  pruned.identity = std::stoull(object.at("store").get<std::string>(), nullptr, 16);
  pruned.begin = object.at("begin").get<Position>();
  for (const json& one : object.at("ledgers")) {
    pruned.ledgers.push_back({one.at("channel").get<std::string>(),
                              one.at("position").get<Position>(), one.at("as_of").get<Position>()});
  }
  pruned.messages = object.at("messages").get<std::uint64_t>();
  pruned.bodies = object.at("bodies").get<std::uint64_t>();
  pruned.bytes = object.at("bytes").get<std::uint64_t>();
  return pruned;
}

Error unreadable(const std::filesystem::path& path, std::string_view why) {
  return Error{"J206", fmt::format("{}: {}", path.string(), why),
               "put the file back from a backup of this store; it says where the journal begins "
               "since retention took what stood before"};
}

}  // namespace

const Pruned::LedgerPlace* Pruned::ledger_of(const std::string& channel) const {
  const auto found = std::find_if(ledgers.begin(), ledgers.end(),
                                  [&](const LedgerPlace& one) { return one.channel == channel; });
  return found == ledgers.end() ? nullptr : &*found;
}

Result<Pruned> Pruned::load(FileSystem& files, const std::filesystem::path& directory) {
  const std::vector<std::string> names = TRY(files.list(directory));
  if (std::find(names.begin(), names.end(), kName) == names.end()) return Pruned();
  const auto path = directory / kName;
  const auto file = TRY(files.open(path, FileSystem::Access::read));
  std::string bytes(static_cast<std::size_t>(TRY(file->size())), '\0');
  bytes.resize(TRY(file->read(0, bytes.data(), bytes.size())));
  const std::size_t line = bytes.find('\n');
  if (line == std::string::npos ||
      bytes.substr(line + 1) != checksum_of(bytes.substr(0, line)) + "\n") {
    return unreadable(path, "the checksum does not hold");
  }
  try {
    return pruned_of(json::parse(bytes.substr(0, line)));
  } catch (const std::exception& wrong) {  // json's, and of numbers
    return unreadable(path, wrong.what());
  }
}

Result<void> Pruned::save(FileSystem& files, const std::filesystem::path& directory) const {
  const auto temporary = directory / kNewName;
  static_cast<void>(files.remove(temporary).has_value());  // of a crash
  const auto file = TRY(files.open(temporary, FileSystem::Access::create));
  TRY(file->write(0, text_of(*this)));
  TRY(file->sync());
  TRY(files.rename(temporary, directory / kName));
  return files.sync_directory(directory);
}

}  // namespace cannula::store
