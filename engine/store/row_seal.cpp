#include "engine/store/row_seal.h"

#include <cstring>

#include "engine/store/little_endian.h"

namespace cannula::store {
namespace {

constexpr std::size_t kNumberSize = 4;
constexpr std::size_t kTextAt = kNumberSize + security::kNonceSize;
constexpr std::size_t kBoundSize = 17;

// So that a store without keys has hashes too; they hide nothing there.
const security::KeyedHash& hash_without_key() {
  static const security::KeyedHash hash{security::KeyBytes()};
  return hash;
}

std::string kind_and_text(std::string_view kind, std::string_view text) {
  std::string both(kind);
  both.push_back('\0');
  both.append(text);
  return both;
}

void put_bound(RowPlace place, std::uint32_t number, char* into) {
  into[0] = place.column;
  put_u64(into + 1, place.row);
  put_u32(into + 9, place.part);
  put_u32(into + 13, number);
}

constexpr std::string_view kNoText = "a sealed text does not open";

Error unsound(std::string_view what) {
  return Error{"J302", "index: " + std::string(what),
               "somebody or something changed it from outside; it is built anew from the journal"};
}

}  // namespace

RowPlace place_by(char column, std::string_view identity) {
  return {column, identity.size() < 8 ? 0 : get_u64(identity.data())};
}

Error RowSeal::changed(std::string_view what) const {
  Error error = unsound(what);
  if (on_changed_) on_changed_(error);
  return error;
}

Result<std::string> RowSeal::seal(std::string_view channel, RowPlace place,
                                  std::string_view text) const {
  if (text.empty()) return std::string();
  if (keys_ == nullptr) {
    std::string plain(kNumberSize, '\0');
    plain.append(text);
    return plain;
  }
  const security::DataKey& key = *TRY(keys_->of_channel(channel));
  std::string bound(kBoundSize, '\0');
  put_bound(place, key.number(), bound.data());
  std::string sealed(kTextAt + text.size() + security::kTagSize, '\0');
  char* bytes = sealed.data();
  put_u32(bytes, key.number());
  const auto nonce = key.row_nonces().wide(bound + std::string(text));
  std::memcpy(bytes + kNumberSize, nonce.data(), security::kNonceSize);
  text.copy(bytes + kTextAt, text.size());
  key.rows().seal(bytes + kNumberSize, bound, bytes + kTextAt, text.size(),
                  bytes + kTextAt + text.size());
  return sealed;
}

Result<std::string> RowSeal::open(RowPlace place, std::string_view sealed) const {
  if (sealed.empty()) return std::string();
  if (sealed.size() < kNumberSize) return changed(kNoText);
  const std::uint32_t number = get_u32(sealed.data());
  if (number == 0 && keys_ == nullptr) return std::string(sealed.substr(kNumberSize));
  // An index from before there were keys is not used any more: see Index::open().
  if (number == 0) return changed("a text stands there plain, and this store seals them");
  if (keys_ == nullptr || sealed.size() < kTextAt + security::kTagSize) return changed(kNoText);
  const security::DataKey& key = *TRY(keys_->of_number(number));
  char bound[kBoundSize];
  put_bound(place, number, bound);
  std::string text(sealed.size() - kTextAt - security::kTagSize, '\0');
  if (!key.rows().open(sealed.data() + kNumberSize, {bound, sizeof bound},
                       sealed.substr(kTextAt, text.size()), sealed.data() + kTextAt + text.size(),
                       text.data())) {
    return changed(kNoText);
  }
  return text;
}

std::uint64_t RowSeal::search(std::string_view kind, std::string_view text) const {
  return (keys_ ? keys_->search_hash() : hash_without_key()).of(kind_and_text(kind, text));
}

std::string RowSeal::identity(std::string_view kind, std::string_view text) const {
  const auto bytes =
      (keys_ ? keys_->search_hash() : hash_without_key()).wide(kind_and_text(kind, text));
  return std::string(bytes.data(), bytes.size());
}

std::string joined(std::initializer_list<std::string_view> texts) {
  std::string all;
  for (const std::string_view text : texts) {
    char size[4];
    put_u32(size, static_cast<std::uint32_t>(text.size()));
    all.append(size, sizeof size).append(text);
  }
  return all;
}

Result<std::vector<std::string>> parted(std::string_view joined, std::size_t count) {
  std::vector<std::string> texts(count);
  if (joined.empty()) return texts;
  for (std::string& text : texts) {
    if (joined.size() < 4) return unsound(kNoText);
    const std::size_t size = get_u32(joined.data());
    joined.remove_prefix(4);
    if (size > joined.size()) return unsound(kNoText);
    text = joined.substr(0, size);
    joined.remove_prefix(size);
  }
  return texts;
}

}  // namespace cannula::store
