#include "engine/store/file_copy.h"

#include <memory>

#include <fmt/format.h>
#include <xxhash.h>

namespace cannula::store {
namespace {

constexpr std::size_t kPiece = 4u << 20;

class Checksum {
 public:
  Checksum() : state_(XXH3_createState(), &XXH3_freeState) { XXH3_128bits_reset(state_.get()); }
  void add(std::string_view bytes) {
    XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
  }
  std::string text() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

// `to` may be null.
Result<std::string> go_through(const File& from, std::uint64_t size, File* to,
                               const AfterPiece& after_piece) {
  using Clock = std::chrono::steady_clock;
  Checksum checksum;
  std::string piece;
  for (std::uint64_t at = 0; at < size; at += piece.size()) {
    const auto began = Clock::now();
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size - at)));
    const std::size_t count = TRY(from.read(at, piece.data(), piece.size()));
    if (count < piece.size()) {
      return Error{"J104", fmt::format("it ends after {} of {} bytes", at + count, size),
                   "somebody cut it off"};
    }
    checksum.add(piece);
    if (to) {
      TRY(to->write(at, piece));
      TRY(to->sync());
    }
    if (after_piece) after_piece(piece.size(), Clock::now() - began);
  }
  return checksum.text();
}

}  // namespace

Result<std::string> copy_file(const File& from, std::uint64_t size, FileSystem& files,
                              const std::filesystem::path& to, const AfterPiece& after_piece) {
  const auto file = TRY(files.open(to, FileSystem::Access::create));
  std::string checksum = TRY(go_through(from, size, file.get(), after_piece));
  if (size == 0) TRY(file->sync());
  return checksum;
}

Result<std::string> checksum_of(const File& file, std::uint64_t size,
                                const AfterPiece& after_piece) {
  return go_through(file, size, nullptr, after_piece);
}

}  // namespace cannula::store
