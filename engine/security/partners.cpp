#include "engine/security/partners.h"

#include <fmt/format.h>

namespace cannula::security {
namespace {

// "ORU^R01^ORU_R01" -> "ORU^R01"
std::string_view type_and_trigger(std::string_view event) {
  const std::size_t caret = event.find('^');
  if (caret == std::string_view::npos) return event;
  return event.substr(0, event.find('^', caret + 1));
}

// "ADT^*" matches every trigger and none; "*" everything.
bool matches(std::string_view pattern, std::string_view event) {
  if (pattern == "*" || pattern == event) return true;
  if (!pattern.ends_with("^*")) return false;
  return event.substr(0, event.find('^')) == pattern.substr(0, pattern.size() - 2);
}

// Host names in certificates are compared without regard to case (RFC 5280, 7.2).
bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

// What a stranger sent is shown without control characters and not at length.
std::string shown(std::string_view text) {
  std::string shown(text.substr(0, 40));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F) c = '?';
  }
  return shown;
}

}  // namespace

AccessList::AccessList(const config::PartnerConfig& partner)
    : partner_(partner.name),
      any_address_(partner.from.empty()),
      certificate_(partner.certificate),
      may_(partner.may) {
  for (const std::string& text : partner.from) {
    if (const auto block = AddressBlock::parse(text)) from_.push_back(*block);
  }
}

bool AccessList::admits_address(const std::string& text) const {
  if (any_address_) return true;
  const auto address = parse_address(text);
  return address && std::any_of(from_.begin(), from_.end(),
                                [&](const auto& block) { return block.contains(*address); });
}

Result<void> AccessList::admits(const Peer& peer) const {
  if (!admits_address(peer.address)) {
    return Error{"P101",
                 fmt::format("{} is not an address that partner {} may connect from",
                             shown(peer.address), partner_),
                 fmt::format("if it should be, add it to `from` in partners/{}.toml", partner_),
                 {}};
  }
  if (!certificate_) return {};
  if (peer.certificate_names.empty()) {
    return Error{
        "P102",
        fmt::format("{} showed no certificate; partner {} must show one for {}",
                    shown(peer.address), partner_, *certificate_),
        "the sender must be given a client certificate, and the channel's source must have "
        "`tls` with `client_ca`",
        {}};
  }
  const bool named =
      std::any_of(peer.certificate_names.begin(), peer.certificate_names.end(),
                  [&](const std::string& name) { return same_name(name, *certificate_); });
  if (named) return {};
  return Error{
      "P103",
      fmt::format("the certificate of {} is for {}, not for {} as partner {} must show",
                  shown(peer.address), shown(peer.certificate_names.front()), *certificate_,
                  partner_),
      fmt::format("if it is the right one, change `certificate` in partners/{}.toml", partner_),
      {}};
}

Result<void> AccessList::may_send(std::string_view event) const {
  if (may_.empty()) return {};
  const std::string_view sent = type_and_trigger(event);
  for (const std::string& pattern : may_) {
    if (matches(pattern, sent)) return {};
  }
  if (event.empty()) {
    return Error{"P105",
                 fmt::format("the message names no event, and partner {} may send listed ones only",
                             partner_),
                 "the sender must fill MSH-9",
                 {}};
  }
  return Error{"P104",
               fmt::format("partner {} may not send {}; it may send {}", partner_, shown(sent),
                           fmt::join(may_, ", ")),
               fmt::format("if it should, add it to `may` in partners/{}.toml", partner_),
               {}};
}

}  // namespace cannula::security
