// How the index keeps what is of a patient: texts sealed with their channel's key, and hashes of
// what is looked for. Without keys (tests, and stores that are told so) texts stand as they are.
//
// A sealed text is: number of the key (4), nonce (12), sealed bytes, tag (16). It is bound to its
// place, so that it cannot be moved to another row. The nonce is a keyed hash of place and text:
// the same text at the same place gives the same bytes, so an index can be compared with one built
// anew, and only what is equal shares a nonce. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "channels/transport/message_id.h"
#include "engine/security/keys/key_ring.h"
#include "parsers/text/result.h"

namespace cannula::store {

// Which column of which row.
struct RowPlace {
  char column;
  std::uint64_t row;
  std::uint32_t part = 0;
};

// Of a row that is found by what identity() gave.
RowPlace place_by(char column, std::string_view identity);

// Kinds of what is hashed.
constexpr std::string_view kControlId = "control id";
constexpr std::string_view kStateKey = "state key";
constexpr std::string_view kMissedKey = "missed key";

class RowSeal {
 public:
  // `keys` null: plain. `on_changed` is called, on the thread that reads, with each J302: must not
  // wait.
  explicit RowSeal(security::KeyRing* keys, std::function<void(const Error&)> on_changed = {})
      : keys_(keys), on_changed_(std::move(on_changed)) {}

  // Of an empty text: empty.
  Result<std::string> seal(std::string_view channel, RowPlace place, std::string_view text) const;
  // Errors of KeyRing::of_number(); J302 when the bytes do not open, or are plain and there are
  // keys: the index was changed.
  Result<std::string> open(RowPlace place, std::string_view sealed) const;

  // What stands in the index for `text` of a `kind`: 8 bytes to look for; 16 bytes where two texts
  // must never meet.
  std::uint64_t search(std::string_view kind, std::string_view text) const;
  std::string identity(std::string_view kind, std::string_view text) const;
  bool has_keys() const { return keys_ != nullptr; }
  // Another for other keys; 0 without.
  std::uint64_t mark() const { return keys_ ? search("mark", "") : 0; }

  // The J302 of a whole index that is not the one that was written.
  Error changed(std::string_view what) const;

 private:
  security::KeyRing* keys_;
  std::function<void(const Error&)> on_changed_;
};

// Several texts as one.
std::string joined(std::initializer_list<std::string_view> texts);
// `count` of them; J302 when there are fewer.
Result<std::vector<std::string>> parted(std::string_view joined, std::size_t count);

}  // namespace cannula::store
