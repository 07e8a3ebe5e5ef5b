// TLS settings, the same table for every transport: `tls = { … }` in a source or a destination.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "channels/transport/options.h"
#include "channels/transport/transport.h"
#include "parsers/text/result.h"

namespace cannula {

// The members of the table `tls` of a source: certificate, key, key_password, client_ca,
// minimum_version.
std::span<const Option> tls_server_options();
// The members of the table `tls` of a destination: ca, certificate, key, key_password, server_name,
// minimum_version.
std::span<const Option> tls_client_options();

// The table itself, to be put into a transport's own list.
Option tls_server_option();
Option tls_client_option();

// Certificates, keys and rules, shared by all connections of a listener or destination. When the
// files change while the engine runs, new connections use what is in them then, and open ones go
// on; files that cannot be used are not used. Opaque: OpenSSL stays in tls.cpp.
class TlsContext;

// What became of files that had changed, to be logged by whoever has a report.
struct TlsNote {
  bool used = false;  // false: they cannot be used, and what was read before still is
  std::string text;
};
// Once for each change; asked after a connection was accepted or opened. `tls` may be null.
std::optional<TlsNote> take_note(TlsContext* tls);

// Reads the files now, so that a missing or wrong one is found when the site is loaded and not at
// the first connection. `values` null, that is no table `tls`, gives null: a plain connection.
Result<std::shared_ptr<TlsContext>> make_server_tls(const Values* values, const Ports& ports);
Result<std::shared_ptr<TlsContext>> make_client_tls(const Values* values, const Ports& ports);

}  // namespace cannula
