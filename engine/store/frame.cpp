#include "engine/store/frame.h"

#include <xxhash.h>

#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

constexpr std::size_t kCheckedHeader = 16;

std::uint64_t checksum(const char* bytes, std::size_t size, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace

FrameHeader read_frame_header(const char* bytes) {
  return FrameHeader{.length = get_u32(bytes + 4),
                     .batch_offset = get_u32(bytes + 8),
                     .format = static_cast<std::uint8_t>(bytes[12]),
                     .type = static_cast<std::uint8_t>(bytes[13]),
                     .flags = static_cast<std::uint8_t>(bytes[14]),
                     .checksum = get_u64(bytes + 20)};
}

void append_frame_header(RecordType type, std::uint8_t format, bool continues, std::string& into) {
  into.append(kSyncWord);
  into.append(kFrameHeaderSize - kSyncWord.size(), '\0');
  char* header = into.data() + into.size() - kFrameHeaderSize;
  header[12] = static_cast<char>(format);
  header[13] = static_cast<char>(type);
  header[14] = static_cast<char>(continues ? kContinues : 0);
}

std::uint64_t frame_seed(std::uint64_t identity, Position position) {
  return identity ^ (position * 0x9E3779B97F4A7C15u);
}

void append_frame(const Record& record, bool continues, std::string& into) {
  const std::size_t begin = into.size();
  append_frame_header(type_of(record), kPlainFormat, continues, into);
  encode(record, into);
  put_u32(into.data() + begin + 4,
          static_cast<std::uint32_t>(into.size() - begin - kFrameHeaderSize));
}

void append_closing_frame(std::string& into) {
  append_frame_header(RecordType::closed, kPlainFormat, false, into);
}

FrameHeader seal_frame(char* bytes, std::uint64_t identity, Position position, Position batch) {
  const std::uint64_t seed = frame_seed(identity, position);
  const std::uint32_t length = get_u32(bytes + 4);
  put_u32(bytes + 8, static_cast<std::uint32_t>(position - batch));
  put_u32(bytes + 16, static_cast<std::uint32_t>(checksum(bytes, kCheckedHeader, seed)));
  put_u64(bytes + 20, checksum(bytes + kFrameHeaderSize, length, seed));
  return read_frame_header(bytes);
}

bool is_known(const FrameHeader& header) {
  return header.format <= kSealedFormat &&
         header.type <= static_cast<std::uint8_t>(RecordType::ledger);
}

std::optional<FrameHeader> parse_frame(const char* bytes, std::uint64_t identity,
                                       Position position) {
  if (std::memcmp(bytes, kSyncWord.data(), kSyncWord.size()) != 0) return std::nullopt;
  const std::uint64_t seed = frame_seed(identity, position);
  if (get_u32(bytes + 16) != static_cast<std::uint32_t>(checksum(bytes, kCheckedHeader, seed))) {
    return std::nullopt;
  }
  const FrameHeader header = read_frame_header(bytes);
  if (header.length >= kLongestPayload || header.batch_offset > position) return std::nullopt;
  return header;
}

bool payload_holds(const FrameHeader& header, std::string_view payload, std::uint64_t identity,
                   Position position) {
  return header.checksum ==
         checksum(payload.data(), payload.size(), frame_seed(identity, position));
}

}  // namespace cannula::store
