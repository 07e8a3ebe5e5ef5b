// Whether the other end of a connection may connect, and which messages it may send: a partner's
// file, compiled.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "channels/transport/address.h"
#include "channels/transport/intake.h"
#include "engine/config/site.h"

namespace cannula::security {

// Immutable, therefore free to use from any thread. No names are looked up: an answer of the
// network never decides who is let in. Errors (P101–P105) name what the operator would change to
// let the peer in.
class AccessList {
 public:
  // Of a channel without a partner: everyone, everything.
  AccessList() = default;
  // `partner` is as load_site() checked it; an address that it could not have passed is ignored,
  // which admits less.
  explicit AccessList(const config::PartnerConfig& partner);

  // By address, and by a name of its verified certificate where the partner must show one. Asked
  // once a connection.
  Result<void> admits(const Peer& peer) const;
  // The first of both: without it no certificate helps.
  bool admits_address(const std::string& address) const;

  // `event` is MSH-9 as "ORU^R01"; a third component (the message structure) is not looked at.
  // Empty when the transport saw none: refused where events are listed.
  Result<void> may_send(std::string_view event) const;

 private:
  std::string partner_;
  bool any_address_ = true;
  std::vector<AddressBlock> from_;
  std::optional<std::string> certificate_;
  std::vector<std::string> may_;
};

}  // namespace cannula::security
