#include "engine/store/frame_seal.h"

#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "engine/security/sealing/compression.h"
#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

constexpr std::size_t kIdSize = 8;
constexpr std::size_t kNonceAt = 12;
constexpr std::size_t kSealedAt = kNonceAt + security::kNonceSize;
constexpr std::size_t kLeast = kSealedAt + 1 + security::kTagSize;
constexpr std::size_t kBoundSize = 32;

constexpr char kAsItIs = 0;
constexpr char kCompressed = 1;           // without a dictionary: not written any more
constexpr char kWithFirstDictionary = 2;  // not written any more either
constexpr char kWithSecondDictionary = 3;

// `payload` is the frame's: message id and number of the key stand at its begin.
void put_bound(const FrameHeader& header, const char* payload, std::uint64_t identity,
               Position position, char* into) {
  put_u64(into, identity);
  put_u64(into + 8, position);
  into[16] = static_cast<char>(header.format);
  into[17] = static_cast<char>(header.type);
  into[18] = static_cast<char>(header.flags);
  into[19] = 0;
  std::memcpy(into + 20, payload, kNonceAt);
}

std::array<char, kMarkSealSize> mark_seal(std::uint64_t identity, Position position,
                                          const security::KeyRing& keys) {
  char place[16];
  put_u64(place, identity);
  put_u64(place + 8, position);
  return keys.mark_hash().wide("mark" + std::string(place, sizeof place));
}

// Nothing for a flag that is not known.
std::optional<security::Dictionary> dictionary_of(char flag) {
  switch (flag) {
    case kCompressed:
      return security::Dictionary::none;
    case kWithFirstDictionary:
      return security::Dictionary::first;
    case kWithSecondDictionary:
      return security::Dictionary::second;
    default:
      return std::nullopt;
  }
}

// What is sealed was written by whoever has the key: this is no damage.
Error is_newer(std::string_view what, int number) {
  return Error{"J109", fmt::format("a record of the unknown {} {}", what, number),
               "it was written by a newer Cannula; use that version"};
}

Error does_not_open(Position position) {
  return Error{"J111",
               fmt::format("the record at position {} does not open with its key", position),
               "its bytes were changed by somebody who could make a checksum; keep a copy of the "
               "store's folder, then restore the segment from a backup"};
}

}  // namespace

Nonces::Nonces() {
  security::fill_random(base_, sizeof base_);
}

void Nonces::next(char* into) {
  std::memcpy(into, base_, sizeof base_);
  put_u64(into, get_u64(base_) + count_++);
}

void append_frame(const Record& record, bool continues, const security::DataKey& key,
                  std::string& into) {
  thread_local std::string plain;
  plain.clear();
  encode(record, plain);
  const std::string_view fields = std::string_view(plain).substr(kIdSize);

  const std::size_t begin = into.size();
  append_frame_header(type_of(record), kSealedFormat, continues, into);
  into.append(plain, 0, kIdSize);
  into.append(kSealedAt - kIdSize, '\0');
  put_u32(into.data() + begin + kFrameHeaderSize + kIdSize, key.number());
  into.push_back(kWithSecondDictionary);
  if (!security::compress(fields, into)) {
    into.back() = kAsItIs;
    into.append(fields);
  }
  into.append(security::kTagSize, '\0');
  put_u32(into.data() + begin + 4,
          static_cast<std::uint32_t>(into.size() - begin - kFrameHeaderSize));
  constexpr std::size_t kScratchKept = 1u << 20;
  if (plain.capacity() > kScratchKept) std::string().swap(plain);
}

FrameHeader seal_frame(char* bytes, std::uint64_t identity, Position position, Position batch,
                       const security::DataKey& key, Nonces& nonces) {
  const FrameHeader header = read_frame_header(bytes);
  char* payload = bytes + kFrameHeaderSize;
  char bound[kBoundSize];
  put_bound(header, payload, identity, position, bound);
  nonces.next(payload + kNonceAt);
  const std::size_t size = header.length - kSealedAt - security::kTagSize;
  key.records().seal(payload + kNonceAt, {bound, sizeof bound}, payload + kSealedAt, size,
                     payload + kSealedAt + size);
  return seal_frame(bytes, identity, position, batch);
}

void append_mark(const security::KeyRing* keys, std::string& into) {
  const std::size_t begin = into.size();
  append_closing_frame(into);
  if (keys == nullptr) return;
  into.append(kMarkSealSize, '\0');
  put_u32(into.data() + begin + 4, kMarkSealSize);
}

void seal_mark(char* bytes, std::uint64_t identity, Position position, Position batch,
               const security::KeyRing* keys) {
  if (keys != nullptr) {
    const auto seal = mark_seal(identity, position, *keys);
    std::copy(seal.begin(), seal.end(), bytes + kFrameHeaderSize);
  }
  seal_frame(bytes, identity, position, batch);
}

bool mark_holds(std::string_view payload, std::uint64_t identity, Position position,
                const security::KeyRing& keys) {
  const auto seal = mark_seal(identity, position, keys);
  return payload == std::string_view(seal.data(), seal.size());
}

std::array<char, 16> seal_of(const SegmentHeader& header, const security::KeyRing& keys) {
  return keys.mark_hash().wide("segment" + header.sealed_bytes());
}

Result<std::string_view> open_payload(const FrameHeader& header, std::string_view payload,
                                      std::uint64_t identity, Position position,
                                      const security::KeyRing* keys, std::string& buffer) {
  if (header.format == kPlainFormat) return payload;
  if (header.format != kSealedFormat) {
    return is_newer("format", header.format);
  }
  if (keys == nullptr) {
    return Error{"J112", "the record is sealed, and there are no keys to open it",
                 "put the store's file `keys` back from a backup"};
  }
  if (payload.size() < kLeast) return does_not_open(position);
  const security::DataKey& key = *TRY(keys->of_number(get_u32(payload.data() + kIdSize)));
  char bound[kBoundSize];
  put_bound(header, payload.data(), identity, position, bound);
  const std::string_view sealed =
      payload.substr(kSealedAt, payload.size() - kSealedAt - security::kTagSize);

  // The flag is opened into the last byte before the fields, so that they follow the message id.
  thread_local std::string scratch;
  std::string& opened = scratch;
  opened.resize(kIdSize - 1 + sealed.size());
  if (!key.records().open(payload.data() + kNonceAt, {bound, sizeof bound}, sealed,
                          payload.data() + payload.size() - security::kTagSize,
                          opened.data() + kIdSize - 1)) {
    return does_not_open(position);
  }
  const char flag = opened[kIdSize - 1];
  std::memcpy(opened.data(), payload.data(), kIdSize);
  if (flag == kAsItIs) {
    buffer.swap(opened);
    return std::string_view(buffer);
  }
  const auto dictionary = dictionary_of(flag);
  if (!dictionary) return is_newer("compression", static_cast<unsigned char>(flag));
  buffer.assign(payload.substr(0, kIdSize));
  if (!security::decompress(std::string_view(opened).substr(kIdSize), *dictionary, kLongestPayload,
                            buffer)) {
    return does_not_open(position);
  }
  return std::string_view(buffer);
}

}  // namespace cannula::store
