#include "channels/transport/address.h"

#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>

namespace cannula {
namespace {

constexpr AddressBytes kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};

bool is_ipv4(const AddressBytes& address) {
  return std::equal(kMapped.begin(), kMapped.begin() + 12, address.begin());
}

}  // namespace

std::optional<AddressBytes> parse_address(std::string_view text) {
  if (const std::size_t zone = text.find('%'); zone != std::string_view::npos) {
    text = text.substr(0, zone);
  }
  const std::string written(text);
  if (written.find('\0') != std::string::npos) return std::nullopt;
  AddressBytes bytes = kMapped;
  if (inet_pton(AF_INET, written.c_str(), bytes.data() + 12) == 1) return bytes;
  if (inet_pton(AF_INET6, written.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

std::string address_text(const AddressBytes& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_ipv4(address)) {
    inet_ntop(AF_INET, address.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

std::optional<AddressBlock> AddressBlock::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address || text.find('%') != std::string_view::npos) return std::nullopt;
  AddressBlock block{*address, 128};
  if (slash == std::string_view::npos) return block;

  const std::string_view digits = text.substr(slash + 1);
  const bool written_as_ipv4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const unsigned longest = written_as_ipv4 ? 32 : 128;
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (error != std::errc() || end != digits.data() + digits.size() || prefix > longest) {
    return std::nullopt;
  }
  block.prefix = prefix + (128 - longest);
  return block;
}

bool AddressBlock::contains(const AddressBytes& other) const {
  const std::size_t whole = prefix / 8;
  if (!std::equal(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.begin())) {
    return false;
  }
  const unsigned rest = prefix % 8;
  if (rest == 0) return true;
  return ((address[whole] ^ other[whole]) >> (8 - rest)) == 0;
}

AddressBlock AddressBlock::cleared() const {
  AddressBlock block = *this;
  for (unsigned bit = prefix; bit < 128; ++bit) {
    block.address[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  }
  return block;
}

std::string AddressBlock::text() const {
  if (prefix == 128) return address_text(address);
  const bool ipv4 = is_ipv4(address) && prefix >= 96;
  return fmt::format("{}/{}", address_text(address), ipv4 ? prefix - 96 : prefix);
}

bool is_loopback(std::string_view host) {
  if (host == "localhost") return true;
  const auto address = parse_address(host);
  if (!address) return false;
  AddressBytes one{};
  one[15] = 1;
  return *address == one || (is_ipv4(*address) && (*address)[12] == 127);
}

bool is_wildcard(std::string_view host) {
  const auto address = parse_address(host);
  if (!address) return false;
  return *address == AddressBytes{} || *address == kMapped;
}

}  // namespace cannula
