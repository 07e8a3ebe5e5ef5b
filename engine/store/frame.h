// The frame around each record in a segment:
//
//   0  4  sync word            16  4  checksum of the 16 bytes before it
//   4  4  length of payload    20  8  checksum of the payload
//   8  4  bytes since its batch began
//  12  1  format  13  1  record type  14  1  flags  15  1  zero
//
// Both checksums (XXH3, 64 bits, the first cut to 32) are seeded with the store's identity and the
// frame's position. So a frame is valid only where it was written: bytes of a message that look
// like a frame, and frames of another store, are not taken for records. Because the header has a
// checksum of its own, its length can be trusted when the payload cannot, which keeps the search
// behind damage linear whatever the bytes are.
//
// A batch is what one write and one sync brought to disk. It is named by the position where it
// begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/store/record_codec.h"
#include "engine/store/store.h"

namespace cannula::store {

constexpr std::size_t kFrameHeaderSize = 28;
constexpr std::string_view kSyncWord = "\xC5\x9E\xF1\x8B";  // in no 7-bit text, and not valid UTF-8
constexpr std::uint8_t kPlainFormat = 0;                    // the payload as record_codec.h has it
constexpr std::uint8_t kSealedFormat = 1;                   // frame_seal.h
constexpr std::uint8_t kContinues = 1;  // flag: the next frame belongs to the same submission

// Payloads are smaller than this.
constexpr std::uint64_t kLongestPayload = 1u << 30;

struct FrameHeader {
  std::uint32_t length = 0;
  std::uint32_t batch_offset = 0;
  std::uint8_t format = kPlainFormat;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint64_t checksum = 0;  // of the payload

  bool continues() const { return (flags & kContinues) != 0; }
  std::uint64_t size() const { return kFrameHeaderSize + length; }
};

// What checksums of the frame at `position` are seeded with.
std::uint64_t frame_seed(std::uint64_t identity, Position position);

// Appends the header of a frame whose length and checksums are still to come.
void append_frame_header(RecordType type, std::uint8_t format, bool continues, std::string& into);
// As it stands at `bytes`, whether or not it holds.
FrameHeader read_frame_header(const char* bytes);

// Appends a plain frame for `record` that lacks what is known only at the write: see seal_frame().
void append_frame(const Record& record, bool continues, std::string& into);
// A mark, the frame of type `closed`: plain, and empty in a store without keys (frame_seal.h has
// the other).
void append_closing_frame(std::string& into);

// Completes the frame at `bytes`, which is to stand at `position` in the batch that begins at
// `batch`; returns its header.
FrameHeader seal_frame(char* bytes, std::uint64_t identity, Position position, Position batch);

// False for formats and types of record that only a newer Cannula writes.
bool is_known(const FrameHeader& header);

// The header at `bytes` (kFrameHeaderSize of them) if it is one that was written at `position`.
std::optional<FrameHeader> parse_frame(const char* bytes, std::uint64_t identity,
                                       Position position);
bool payload_holds(const FrameHeader& header, std::string_view payload, std::uint64_t identity,
                   Position position);

}  // namespace cannula::store
