#include "engine/store/segment.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <xxhash.h>

#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

constexpr std::string_view kMagic = "CANNULA\n";
constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kSealAt = 72;
constexpr std::size_t kChecksumAt = kSegmentHeaderSize - 8;

// Magic and checksum hold.
bool is_sound(std::string_view bytes) {
  return bytes.size() >= kSegmentHeaderSize && bytes.starts_with(kMagic) &&
         get_u64(bytes.data() + kChecksumAt) == XXH3_64bits(bytes.data(), kChecksumAt);
}

}  // namespace

std::string SegmentHeader::bytes() const {
  std::string text(kSegmentHeaderSize, '\0');
  char* at = text.data();
  kMagic.copy(at, kMagic.size());
  put_u32(at + 8, kSegmentVersion);
  put_u32(at + 12, kSegmentHeaderSize);
  put_u64(at + 16, identity);
  put_u64(at + 24, base);
  put_u64(at + 32, previous_base);
  put_u64(at + 40, previous_end);
  put_u64(at + 48, last_id);
  put_u64(at + 56, static_cast<std::uint64_t>(created));
  put_u64(at + 64, keys);
  std::copy(seal.begin(), seal.end(), at + kSealAt);
  put_u64(at + kChecksumAt, XXH3_64bits(at, kChecksumAt));
  return text;
}

std::string SegmentHeader::sealed_bytes() const {
  return bytes().substr(0, kSealAt);
}

std::optional<SegmentHeader> SegmentHeader::parse(std::string_view bytes) {
  if (!is_sound(bytes)) return std::nullopt;
  const char* at = bytes.data();
  if (get_u32(at + 8) != kSegmentVersion || get_u32(at + 12) != kSegmentHeaderSize) {
    return std::nullopt;
  }
  SegmentHeader header;
  header.identity = get_u64(at + 16);
  header.base = get_u64(at + 24);
  header.previous_base = get_u64(at + 32);
  header.previous_end = get_u64(at + 40);
  header.last_id = get_u64(at + 48);
  header.created = static_cast<Timestamp>(get_u64(at + 56));
  header.keys = get_u64(at + 64);
  std::copy_n(at + kSealAt, header.seal.size(), header.seal.begin());
  return header;
}

std::optional<std::uint32_t> unknown_version(std::string_view bytes) {
  if (!is_sound(bytes)) return std::nullopt;
  const std::uint32_t version = get_u32(bytes.data() + 8);
  return version == kSegmentVersion ? std::nullopt : std::optional(version);
}

std::string segment_name(Position base) {
  return fmt::format("{:020}{}", base, kSuffix);
}

std::optional<Position> base_of_segment_name(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  Position base = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, base);
  if (error != std::errc{} || end != name.data() + kDigits) return std::nullopt;
  return base;
}

std::string identity_text(std::uint64_t identity) {
  return fmt::format("{:016x}", identity);
}

}  // namespace cannula::store
