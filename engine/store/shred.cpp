#include "engine/store/shred.h"

#include <fmt/format.h>

#include "engine/store/file_system.h"
#include "engine/store/index.h"
#include "engine/store/store_files.h"

namespace cannula::store {
namespace {

bool is_unfinished(const std::string& state) {
  return state == name_of(MessageState::accepted) || state == name_of(MessageState::queued) ||
         state == name_of(MessageState::parked);
}

Result<std::uint64_t> open_messages(Options options, const std::string& channel) {
  const auto store = TRY(Store::open(std::move(options)));
  std::uint64_t open = 0;
  for (const StateCount& count : TRY(store->counts())) {
    if (count.channel == channel && count.destination.empty() && is_unfinished(count.state)) {
      open += count.count;
    }
  }
  store->close();
  return open;
}

}  // namespace

Result<void> shred_channel(Options options, const security::KeyRing::Place& place,
                           const std::string& channel, const std::string& actor,
                           const std::string& reason, bool even_open) {
  FileSystem& files = options.file_system ? *options.file_system : FileSystem::real();
  const auto directory = options.directory;
  const std::uint64_t open = TRY(open_messages(std::move(options), channel));
  if (open > 0 && !even_open) {
    return Error{"J113",
                 fmt::format("channel {} has {} messages that are not at an end", channel, open),
                 "let them be delivered, or end them with `cannula msg discard`; --even-open "
                 "forgets them too"};
  }
  const auto lock = TRY(files.lock(lock_path(directory)));
  // The index first: one that names messages whose key is gone answers no question.
  TRY(Index::remove(index_path(directory)));
  TRY(security::KeyRing::shred(place, channel, actor, reason));
  return {};
}

}  // namespace cannula::store
