#include "engine/security/audit/journal_end.h"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/security/audit/log.h"

namespace cannula::audit {
namespace {

constexpr const char* kEnd = "journal_end";
constexpr const char* kStore = "store";
constexpr const char* kKeys = "keys";
constexpr std::string_view kRestored = "store.restore";

std::string text_at(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

void put(const JournalEnd& journal, std::map<std::string, std::string>& detail) {
  detail[kStore] = journal.store;
  detail[kEnd] = std::to_string(journal.end);
  if (!journal.keys.empty()) detail[kKeys] = journal.keys;
}

JournalLine journal_line_of(std::string_view line) {
  JournalLine told;
  // Most lines say nothing of it, and a trail has millions.
  if (line.find(kEnd) == line.npos && line.find(kRestored) == line.npos) return told;
  const auto value = nlohmann::json::parse(line, nullptr, false);
  if (!value.is_object()) return told;
  told.restored = text_at(value, "act") == kRestored && text_at(value, "outcome") == "done";
  const auto detail = value.find("detail");
  if (detail == value.end() || !detail->is_object()) return told;
  const std::string text = text_at(*detail, kEnd);
  JournalEnd end{.store = text_at(*detail, kStore), .keys = text_at(*detail, kKeys)};
  const auto [rest, failed] = std::from_chars(text.data(), text.data() + text.size(), end.end);
  if (failed == std::errc() && rest == text.data() + text.size()) told.end = std::move(end);
  return told;
}

Result<std::optional<JournalEnd>> last_journal_end(const std::filesystem::path& directory,
                                                   store::FileSystem& files) {
  const auto names = trail_files(directory, files);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const auto file = TRY(files.open(directory / *name, store::FileSystem::Access::read));
    std::string text(static_cast<std::size_t>(TRY(file->size())), '\0');
    text.resize(TRY(file->read(0, text.data(), text.size())));
    for (std::size_t end = text.size(); end > 0;) {
      const std::size_t feed = end < 2 ? text.npos : text.rfind('\n', end - 2);
      const std::size_t begin = feed == text.npos ? 0 : feed + 1;
      const JournalLine told = journal_line_of(std::string_view(text).substr(begin, end - begin));
      if (told.end) return told.end;
      if (told.restored) return std::optional<JournalEnd>();
      end = begin;
    }
  }
  return std::optional<JournalEnd>();
}

std::string why_not_the_same(const JournalEnd& now, const JournalEnd& told) {
  if (now.store != told.store) {
    return fmt::format("the journal is of store {}, and the trail tells of store {}", now.store,
                       told.store);
  }
  if (!told.keys.empty() && now.keys != told.keys) {
    return fmt::format("the store has {}, and the trail tells that it is sealed with the keys {}",
                       now.keys.empty() ? "no keys" : "the keys " + now.keys, told.keys);
  }
  if (now.end >= told.end) return {};
  return fmt::format("the journal ends at position {}, and the trail tells that it stood at {}",
                     now.end, told.end);
}

}  // namespace cannula::audit
