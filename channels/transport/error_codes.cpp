#include "channels/transport/error_codes.h"

namespace cannula::transport {

std::span<const ErrorCode> error_codes() {
  static constexpr ErrorCode kCodes[] = {
      {"T101", "A listener cannot be opened",
       "The address of `listen` is already taken by another program or channel, does not belong to "
       "this machine, or its port needs rights that the process does not have (below 1024). The "
       "message says which, and who has the port where that may be known. `ss -ltnp` shows who "
       "listens "
       "where. At the start only the channel that wants it takes nothing: it is tried again every "
       "few "
       "seconds, and the others run; only when none could be opened, the engine ends."},
      {"T102", "A host name cannot be found",
       "The name servers do not know the host, or cannot be reached. Names are looked up at every "
       "new connection, so nothing needs to be restarted once the name is there."},
      {"T103", "A connection cannot be made",
       "The machine was reached, or could not be, and refused: usually the receiver is not running "
       "or listens on another port. Deliveries are tried again."},
      {"T104", "An operation on a connection took too long",
       "Nothing came back, or nothing more could be written, within the time set for it. The "
       "connection is closed, because what comes later could be taken for the answer to something "
       "else. A firewall that drops packets looks like this when connecting; a receiver that is "
       "stuck looks like this when waiting for an acknowledgement."},
      {"T105", "A connection was lost",
       "The other side, or something on the way, closed or reset the connection in the middle of "
       "an "
       "exchange. What was not acknowledged is sent again."},
      {"T106", "A TLS handshake failed",
       "The two sides could not agree: one of them does not speak TLS on this port, the "
       "certificate "
       "is expired, signed by an authority that is not trusted here, or names another host, or the "
       "receiver asks for a client certificate and got none that it accepts. Host names are always "
       "verified; `server_name` in the tls table sets the name to expect when the address is not "
       "the name in the certificate."},
      {"T107", "The TLS settings cannot be used",
       "A file named in the tls table is missing, is not readable, is not in PEM form, or the key "
       "does not belong to the certificate. Files are read when the site is loaded, so a reload "
       "with a bad file keeps the old settings running."},
      {"T108", "The connection was closed on this side",
       "The channel or destination is being stopped or reloaded. What was not acknowledged is sent "
       "again."},
      {"T109", "Connections cannot be accepted for want of resources",
       "The process has reached its limit of open files, or the machine its memory. New "
       "connections "
       "wait in the queue of the operating system; those that are open go on. Raise the limit "
       "(`LimitNOFILE` of the service, `ulimit -n`), or lower `max_connections`."},
  };
  return kCodes;
}

}  // namespace cannula::transport
