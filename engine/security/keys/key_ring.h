// The keys of one store, open in memory.
//
// Thread-safe. Objects that it hands out live as long as it does. Several processes may work on the
// file at once: each change is made to what is on disk, under the file's lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/security/keys/data_key.h"
#include "engine/security/keys/master_key.h"
#include "engine/security/keys/ring_file.h"
#include "parsers/text/result.h"

namespace cannula::security {

class KeyRing {
 public:
  struct Place {
    std::filesystem::path directory;  // of the store
    MasterKeySource master;
  };

  // Reads the keys and opens them; finishes a rotation that was interrupted. Where there are none
  // yet, prepares new ones that are not written before save_new(). K101–K105, K110–K116.
  static Result<std::unique_ptr<KeyRing>> open(Place place);

  // There was no file: either the store is new, or the file is lost.
  bool is_new() const { return is_new_; }
  // Makes the master key too, where the source says so and it is not there.
  Result<void> save_new();
  bool made_master_key() const { return made_master_key_; }
  const MasterKeySource& master() const { return place_.master; }

  std::uint64_t id() const { return id_; }
  // Hashes of what is searched for, and of what messages are kept in order by.
  const KeyedHash& search_hash() const { return *search_; }
  const KeyedHash& order_hash() const { return *order_; }
  // Of what the store writes into its journal beside records: nobody else can make it.
  const KeyedHash& mark_hash() const { return *mark_; }

  SealedFrom sealed_from() const;
  // Notes that, in the file, with the master key. Once: what is noted already stays.
  Result<void> note_sealed_from(SealedFrom from);

  // The key that the channel's records are sealed with; made, and on disk, at the first call. K102
  // when the source has not the master key that is around the others.
  Result<const DataKey*> of_channel(std::string_view channel);
  // K106 when it was shredded, K107 when this ring never had it.
  Result<const DataKey*> of_number(std::uint32_t number) const;

  // Whether an opening would find all master keys in the place, without changing anything.
  // K101–K116.
  static Result<void> can_open(const Place& place);

  struct Rotated {
    std::string from, to;  // ids of master keys; the same when only the rest was done
    std::size_t keys = 0;  // wrapped anew
  };
  // Wraps every key with the first master key. `fresh`: makes that one, keeping the others beside
  // it, where the source can be written (K108 when not). Whoever has the store open goes on.
  static Result<Rotated> rotate(const Place& place, bool fresh);
  // Takes master keys that wrap nothing any more out of the source; returns their ids.
  static Result<std::vector<std::string>> drop_old(const Place& place);
  // Forgets the channel's keys for good: what they sealed can never be read again. K109 when it has
  // none. The store must not be open: whoever has it open keeps them in memory.
  static Result<std::size_t> shred(const Place& place, std::string_view channel,
                                   const std::string& actor, const std::string& reason);
  // What is on disk. K105 when there is nothing.
  static Result<RingFile> file(const std::filesystem::path& directory);

 private:
  explicit KeyRing(Place place) : place_(std::move(place)) {}

  Result<void> load(RingFile ring, const MasterKeys& masters);
  void make();
  Result<const DataKey*> add(std::string_view channel);
  Result<std::shared_ptr<const MasterKey>> master_in_use(const RingFile& ring) const;
  void take(const KeyBytes& secret);

  const Place place_;
  bool is_new_ = false;
  bool made_master_key_ = false;
  std::uint64_t id_ = 0;
  std::unique_ptr<KeyBytes> new_secret_;  // until save_new()
  std::unique_ptr<KeyedHash> search_;
  std::unique_ptr<KeyedHash> order_;
  std::unique_ptr<KeyedHash> mark_;

  mutable std::shared_mutex lock_;
  SealedFrom from_;
  std::map<std::string, const DataKey*, std::less<>> by_channel_;
  std::map<std::uint32_t, std::unique_ptr<const DataKey>> by_number_;
  std::map<std::uint32_t, ShreddedKey> shredded_;
};

}  // namespace cannula::security
