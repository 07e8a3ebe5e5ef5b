// Network addresses as configuration names them: single ones and CIDR blocks. No names are looked
// up.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cannula {

// An IPv4 or IPv6 address in sixteen bytes; IPv4 stands as ::ffff:a.b.c.d, so that a peer which
// comes over a dual-stack socket is the same peer.
using AddressBytes = std::array<std::uint8_t, 16>;

// "10.1.2.3", "::1", "::ffff:10.1.2.3", "fe80::1%eth0" (the zone is dropped). Nothing for anything
// else, such as a name.
std::optional<AddressBytes> parse_address(std::string_view text);
std::string address_text(const AddressBytes& address);

// "10.1.0.0/16" or a single address.
struct AddressBlock {
  AddressBytes address{};
  unsigned prefix = 128;  // bits of `address` that count, in the sixteen-byte form

  static std::optional<AddressBlock> parse(std::string_view text);
  bool contains(const AddressBytes& other) const;
  // With the bits behind the prefix cleared; equal to itself when it was written as a block should
  // be.
  AddressBlock cleared() const;
  std::string text() const;
  friend bool operator==(const AddressBlock&, const AddressBlock&) = default;
};

// 127.0.0.0/8, ::1 and "localhost": reached from this machine only.
bool is_loopback(std::string_view host);

// 0.0.0.0 and ::, which listen on every address.
bool is_wildcard(std::string_view host);

}  // namespace cannula
