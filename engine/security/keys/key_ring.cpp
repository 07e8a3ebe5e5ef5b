#include "engine/security/keys/key_ring.h"

#include <chrono>
#include <cstring>
#include <ctime>
#include <set>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "engine/security/keys/whole_file.h"

namespace cannula::security {
namespace {

std::string now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

template <class Number>
Number random_number() {
  Number number = 0;
  while (number == 0) fill_random(reinterpret_cast<char*>(&number), sizeof number);
  return number;
}

Result<FileGuard> guard(const std::filesystem::path& directory) {
  return FileGuard::take(directory / "keys.lock");
}

Error no_keys(const std::filesystem::path& directory) {
  return Error{"K105", fmt::format("{} has no file `keys`", directory.string()),
               "it is made when the site runs for the first time; if the store was there before, "
               "put the file back from a backup"};
}

// A crash between the two files may have left a key in the copy that was destroyed. Who may not
// write here leaves it to who may.
void mend_copy(const std::filesystem::path& directory) {
  const auto mend = [&]() -> Result<void> {
    const FileGuard held = TRY(guard(directory));
    if (const auto ring = TRY(read_ring(directory))) TRY(write_ring(directory, *ring));
    return {};
  };
  static_cast<void>(mend().has_value());
}

// Puts these keys, of 64 digits each, into the place of what stands there.
Result<void> write_masters(const MasterKeySource& source,
                           const std::vector<std::shared_ptr<const WrittenMasterKey>>& masters) {
  std::string text;
  for (const auto& master : masters) {
    std::string one = master->text();
    text.append(one).append("\n");
    wipe(one);
  }
  auto written = source.write(text);
  wipe(text);
  return written;
}

// Wraps with the first of `masters` what another wraps; returns how many. The file is not written.
Result<std::size_t> rewrap(RingFile& ring, const MasterKeys& masters, const std::string& place) {
  std::size_t count = 0;
  const auto one = [&](WrappedKey& key) -> Result<void> {
    if (key.master == masters.front()->id()) return {};
    const KeyBytes opened = TRY(unwrap(key, ring.id, masters, place));
    key = TRY(wrap(opened, ring.id, key.number, key.channel, key.made, *masters.front(), key.from));
    ++count;
    return {};
  };
  TRY(one(ring.secret));
  for (WrappedKey& key : ring.keys) TRY(one(key));
  return count;
}

}  // namespace

Result<std::unique_ptr<KeyRing>> KeyRing::open(Place place) {
  std::unique_ptr<KeyRing> keys(new KeyRing(std::move(place)));
  const auto& directory = keys->place_.directory;
  auto ring = TRY(read_ring(directory));
  if (!ring) {
    keys->make();
    return keys;
  }
  if (!TRY(is_copied(directory))) mend_copy(directory);
  const auto masters = TRY(read_master_keys(keys->place_.master, ring->masters()));
  // A new master key stands first: what it does not wrap yet, it shall.
  if (ring->masters() != std::set<std::string>{masters.front()->id()}) {
    const FileGuard held = TRY(guard(directory));
    ring = TRY(read_ring(directory));
    if (!ring) return no_keys(directory);
    if (TRY(rewrap(*ring, masters, keys->place_.master.place)) > 0) {
      TRY(write_ring(directory, *ring));
    }
  }
  TRY(keys->load(*std::move(ring), masters));
  return keys;
}

void KeyRing::make() {
  is_new_ = true;
  id_ = random_number<std::uint64_t>();
  new_secret_ = std::make_unique<KeyBytes>(KeyBytes::random());
  take(*new_secret_);
}

void KeyRing::take(const KeyBytes& secret) {
  search_ = std::make_unique<KeyedHash>(secret.derived("cannula search"));
  order_ = std::make_unique<KeyedHash>(secret.derived("cannula order"));
  mark_ = std::make_unique<KeyedHash>(secret.derived("cannula marks"));
}

Result<void> KeyRing::load(RingFile ring, const MasterKeys& masters) {
  id_ = ring.id;
  from_ = ring.secret.from;
  take(TRY(unwrap(ring.secret, id_, masters, place_.master.place)));
  for (const WrappedKey& key : ring.keys) {
    auto opened = std::make_unique<const DataKey>(
        key.number, key.channel, TRY(unwrap(key, id_, masters, place_.master.place)));
    by_channel_[key.channel] = opened.get();
    by_number_[key.number] = std::move(opened);
  }
  for (ShreddedKey& key : ring.shredded) shredded_[key.number] = std::move(key);
  return {};
}

Result<void> KeyRing::save_new() {
  const FileGuard held = TRY(guard(place_.directory));
  if (TRY(read_ring(place_.directory))) {
    return Error{"K105",
                 fmt::format("another process has just made {}/keys", place_.directory.string()),
                 "start again"};
  }
  if (place_.master.make && place_.master.write) {
    const auto there = place_.master.read();
    if (!there && there.error().code == "K101") {
      TRY(write_masters(place_.master,
                        {std::make_shared<const WrittenMasterKey>(KeyBytes::random())}));
      made_master_key_ = true;
    }
  }
  const auto masters = TRY(read_master_keys(place_.master, {}));
  RingFile ring;
  ring.id = id_;
  ring.secret = TRY(wrap(*new_secret_, id_, 0, "", now(), *masters.front()));
  TRY(write_ring(place_.directory, ring));
  new_secret_.reset();
  is_new_ = false;
  return {};
}

SealedFrom KeyRing::sealed_from() const {
  const std::shared_lock reading(lock_);
  return from_;
}

Result<void> KeyRing::note_sealed_from(SealedFrom from) {
  const std::unique_lock writing(lock_);
  if (from_ != SealedFrom{}) return {};
  const FileGuard held = TRY(guard(place_.directory));
  auto ring = TRY(read_ring(place_.directory));
  if (!ring || ring->id != id_) return no_keys(place_.directory);
  const auto masters = TRY(read_master_keys(place_.master, ring->masters()));
  const KeyBytes secret = TRY(unwrap(ring->secret, id_, masters, place_.master.place));
  ring->secret = TRY(wrap(secret, id_, 0, "", ring->secret.made, *masters.front(), from));
  TRY(write_ring(place_.directory, *ring));
  from_ = from;
  return {};
}

Result<const DataKey*> KeyRing::of_channel(std::string_view channel) {
  {
    const std::shared_lock reading(lock_);
    const auto known = by_channel_.find(channel);
    if (known != by_channel_.end()) return known->second;
  }
  return add(channel);
}

// The one around what is there: what another one wraps would not open beside it. Since the ring was
// opened another one may have come into the source's place, or the keys may have been given one that
// this process was not told of.
Result<std::shared_ptr<const MasterKey>> KeyRing::master_in_use(const RingFile& ring) const {
  const auto masters = TRY(read_master_keys(place_.master, {ring.secret.master}));
  auto opened = unwrap(ring.secret, id_, masters, place_.master.place);
  if (!opened && opened.error().code == "K102") {
    Error error = opened.error();
    error.hint += "; if the master key was changed, start the engine anew with the new one";
    return error;
  }
  TRY(std::move(opened));
  return *std::find_if(masters.begin(), masters.end(),
                       [&](const auto& master) { return master->id() == ring.secret.master; });
}

Result<void> KeyRing::can_open(const Place& place) {
  const auto ring = TRY(read_ring(place.directory));
  if (!ring) return no_keys(place.directory);
  const auto masters = TRY(read_master_keys(place.master, ring->masters()));
  TRY(unwrap(ring->secret, ring->id, masters, place.master.place));
  for (const WrappedKey& key : ring->keys) {
    TRY(unwrap(key, ring->id, masters, place.master.place));
  }
  return {};
}

Result<const DataKey*> KeyRing::add(std::string_view channel) {
  const std::unique_lock writing(lock_);
  const auto known = by_channel_.find(channel);
  if (known != by_channel_.end()) return known->second;
  const FileGuard held = TRY(guard(place_.directory));
  auto ring = TRY(read_ring(place_.directory));
  if (!ring || ring->id != id_) return no_keys(place_.directory);
  const auto master = TRY(master_in_use(*ring));
  const KeyBytes bytes = KeyBytes::random();
  std::uint32_t number = random_number<std::uint32_t>();
  while (by_number_.contains(number) || shredded_.contains(number)) {
    number = random_number<std::uint32_t>();
  }
  ring->keys.push_back(TRY(wrap(bytes, id_, number, std::string(channel), now(), *master)));
  TRY(write_ring(place_.directory, *ring));
  auto key = std::make_unique<const DataKey>(number, std::string(channel), bytes);
  const DataKey* added = key.get();
  by_channel_[std::string(channel)] = added;
  by_number_[number] = std::move(key);
  return added;
}

Result<const DataKey*> KeyRing::of_number(std::uint32_t number) const {
  const std::shared_lock reading(lock_);
  const auto known = by_number_.find(number);
  if (known != by_number_.end()) return known->second.get();
  const auto shredded = shredded_.find(number);
  if (shredded != shredded_.end()) {
    const ShreddedKey& key = shredded->second;
    return Error{"K106",
                 fmt::format("what channel {} held here was forgotten for good at {} by {}: {}",
                             key.channel, key.shredded, key.actor, key.reason),
                 "nobody can read it again; that was the purpose"};
  }
  return Error{"K107",
               fmt::format("it is sealed with key {}, which {}/keys does not have",
                           number_text(number), place_.directory.string()),
               "put the file `keys` back from the newest backup of this store"};
}

Result<KeyRing::Rotated> KeyRing::rotate(const Place& place, bool fresh) {
  const FileGuard held = TRY(guard(place.directory));
  auto ring = TRY(read_ring(place.directory));
  if (!ring) return no_keys(place.directory);
  Rotated rotated{ring->secret.master, {}, 0};
  if (fresh) {
    if (!place.master.write) {
      return Error{
          "K108",
          fmt::format("{} is wrapped by master key {} already, and cannula cannot write {}",
                      (place.directory / "keys").string(), rotated.from, place.master.place),
          place.master.how_to_change};
    }
    // Both keys are in the source before the first key is wrapped anew: whenever this stops, what
    // is there opens all, and the next start or rotation does the rest.
    auto written = TRY(read_written_keys(place.master));
    written.insert(written.begin(), std::make_shared<const WrittenMasterKey>(KeyBytes::random()));
    TRY(write_masters(place.master, written));
  }
  const MasterKeys masters = TRY(read_master_keys(place.master, ring->masters()));
  rotated.to = masters.front()->id();
  rotated.keys = TRY(rewrap(*ring, masters, place.master.place));
  TRY(write_ring(place.directory, *ring));
  return rotated;
}

Result<std::vector<std::string>> KeyRing::drop_old(const Place& place) {
  const FileGuard held = TRY(guard(place.directory));
  const auto ring = TRY(read_ring(place.directory));
  if (!ring) return no_keys(place.directory);
  if (!place.master.write) {
    return Error{"K108", fmt::format("cannula cannot write {}", place.master.place),
                 "take the old key out there yourself"};
  }
  const std::set<std::string> used = ring->masters();
  std::vector<std::shared_ptr<const WrittenMasterKey>> kept;
  std::vector<std::string> dropped;
  for (auto& master : TRY(read_written_keys(place.master))) {
    if (used.contains(master->id())) {
      kept.push_back(std::move(master));
    } else {
      dropped.push_back(master->id());
    }
  }
  if (dropped.empty() || kept.empty()) return std::vector<std::string>();
  TRY(write_masters(place.master, kept));
  return dropped;
}

Result<std::size_t> KeyRing::shred(const Place& place, std::string_view channel,
                                   const std::string& actor, const std::string& reason) {
  const FileGuard held = TRY(guard(place.directory));
  auto ring = TRY(read_ring(place.directory));
  if (!ring) return no_keys(place.directory);
  std::size_t count = 0;
  for (const WrappedKey& key : ring->keys) {
    if (key.channel != channel) continue;
    ring->shredded.push_back({key.number, key.channel, key.made, now(), actor, reason});
    ++count;
  }
  if (count == 0) {
    return Error{"K109", fmt::format("the store has no key of a channel {}", channel),
                 "`cannula keys list` names the channels that have one"};
  }
  std::erase_if(ring->keys, [&](const WrappedKey& key) { return key.channel == channel; });
  TRY(write_ring(place.directory, *ring));
  return count;
}

Result<RingFile> KeyRing::file(const std::filesystem::path& directory) {
  auto ring = TRY(read_ring(directory));
  if (!ring) return no_keys(directory);
  return *std::move(ring);
}

}  // namespace cannula::security
