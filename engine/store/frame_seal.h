// The payload of a sealed frame (format 1):
//
//    0  8  message id: given when the frame is written, and read without a key
//    8  4  number of the channel's key
//   12 12  nonce
//   24  n  sealed: 1 byte (0 as it is, 1 zstd, 2 zstd with the first dictionary), then the record
//   without its message id
//  24+n 16 tag
//
// Bound to it are the store's identity, the position, format, type and flags, the message id and
// the number of the key: a sealed record opens only at its place, as what it is.
//
// A position comes again when a torn tail is cut, and the bytes of a batch that failed may be on
// the disk all the same. So nonces are not made of positions: they count from a random number that
// is drawn each time the store is opened.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/security/keys/key_ring.h"
#include "engine/store/frame.h"
#include "engine/store/segment.h"

namespace cannula::store {

// Nonces that do not come again. For one thread.
class Nonces {
 public:
  Nonces();
  void next(char* into);  // security::kNonceSize bytes

 private:
  char base_[security::kNonceSize];
  std::uint64_t count_ = 0;
};

// Like append_frame(), for a channel's key; seal_frame() of frame.h must not be called on it but
// the one below.
void append_frame(const Record& record, bool continues, const security::DataKey& key,
                  std::string& into);
FrameHeader seal_frame(char* bytes, std::uint64_t identity, Position position, Position batch,
                       const security::DataKey& key, Nonces& nonces);

// A mark of a store that has keys: its payload is a keyed hash of identity and position. Without it
// a record could be covered by marks, which everybody passes over. seal_mark() completes it; null
// makes one without a seal.
void append_mark(const security::KeyRing* keys, std::string& into);
void seal_mark(char* bytes, std::uint64_t identity, Position position, Position batch,
               const security::KeyRing* keys);
bool mark_holds(std::string_view payload, std::uint64_t identity, Position position,
                const security::KeyRing& keys);
constexpr std::size_t kMarkSealSize = 16;

// What SegmentHeader::seal is to be.
std::array<char, 16> seal_of(const SegmentHeader& header, const security::KeyRing& keys);

// The payload as decode() takes it: `payload` itself when it is plain, otherwise in `buffer`.
// K106 when its key was shredded, K107 when it is missing, J111 when it does not open, J112 when it
// is sealed and `keys` is null.
Result<std::string_view> open_payload(const FrameHeader& header, std::string_view payload,
                                      std::uint64_t identity, Position position,
                                      const security::KeyRing* keys, std::string& buffer);

}  // namespace cannula::store
