#include "engine/store/pruned.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/store/checked_file.h"
#include "engine/store/segment.h"

namespace cannula::store {
namespace {

using nlohmann::json;

constexpr const char* kName = "pruned";

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
  return object.dump();
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
  const auto text = checked_text(TRY(read_all(files, path)));
  if (!text) return unreadable(path, "the checksum does not hold");
  try {
    return pruned_of(json::parse(*text));
  } catch (const std::exception& wrong) {  // json's, and of numbers
    return unreadable(path, wrong.what());
  }
}

Result<void> Pruned::save(FileSystem& files, const std::filesystem::path& directory) const {
  return replace_checked(files, directory, kName, text_of(*this));
}

}  // namespace cannula::store
