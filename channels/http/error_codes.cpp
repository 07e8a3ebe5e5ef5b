#include "channels/http/error_codes.h"

namespace cannula::http {

std::span<const ErrorCode> error_codes() {
  static constexpr ErrorCode kCodes[] = {
      {"T301", "A request is not HTTP that can be read",
       "What came is not HTTP/1.1 (or 1.0), or says in two ways where it ends, as attacks on "
       "proxies do: both Content-Length and Transfer-Encoding, several lengths, a bad chunk. It is "
       "answered 400 (505 for another version) and the connection closed. Usually the sender "
       "speaks TLS to a port that is plain, or something that is not HTTP."},
      {"T302", "No channel listens on this path",
       "Answered 404. Compare the URL that the sender uses with `path` in [source] of the channel; "
       "a path without \"/*\" at its end must be the same, also in its last slash."},
      {"T303", "The channel does not take this method",
       "Answered 405 with the methods it takes. `methods` of the source lists them."},
      {"T304", "A request was cut off or came too slowly",
       "The head did not come within `header_timeout`, the body stopped for longer than "
       "`body_timeout` or came at less than 1 KB a second, or the connection ended within it. "
       "Answered 408 where somebody still listens; what came of the body is kept as rejected. The "
       "sender got no 2xx and should send it again."},
      {"T305", "A body is larger than max_size",
       "Answered 413; its first 64 KB, as far as they came, are kept as rejected. Raise `max_size` "
       "of the source if such messages are wanted."},
      {"T306", "A request does not say how long its body is",
       "Answered 411. A POST, PUT or PATCH must have Content-Length (0 will do) or send its body "
       "in chunks."},
      {"T307", "A body is compressed",
       "Answered 415: Content-Encoding is not undone here. Have the sender send the body as it "
       "is."},
      {"T308", "The request line and headers are too large",
       "Answered 431, or 414 when it is the address. `max_header` of the source is the limit."},
      {"T309", "There are too many connections",
       "The listener has `max_connections` open. Those that have waited longest without a request "
       "are closed for new ones; when all are at work, new ones are refused. Raise the limit, or "
       "see who opens them."},
      {"T310", "A request cannot be taken at the moment",
       "Answered 503 with Retry-After: the channel is being reloaded or stopped, or the bodies "
       "that are being received held more than `max_memory` together, and this one was begun "
       "first. Nothing was kept; the sender should send it again. Where it is about memory, "
       "either senders are slow and their bodies large, and `max_memory` should be raised, or "
       "somebody begins bodies without ending them: the log says whose was given up."},
      {"T311", "A request asks for something that is not offered",
       "A transfer coding other than \"chunked\" or a method that is not known is answered 501, an "
       "expectation other than \"100-continue\" 417."},
      {"T312", "Channels that share a listener do not agree about TLS",
       "Sources with the same `listen` share one listener, which has one certificate. Write the "
       "same `tls` table in each, or let them listen on different ports. To change it, change it "
       "in all of them before the reload."},
      {"T313", "Two channels have the same path",
       "Sources with the same `listen` are told apart by `path`."},
      {"T314", "A setting of an HTTP source cannot be used",
       "`path` must begin with a slash and be a plain path, with \"/*\" at its end for all below; "
       "`methods` are the names of HTTP in capitals."},
      {"T315", "A request or connection failed for a reason within the engine",
       "An unexpected failure, such as no memory, ended this request only. What had been answered "
       "with 2xx is stored; the rest will be sent again."},
      {"T316", "There are too many connections from one address",
       "The listener has `max_connections_per_address` open from there. Those of them that have "
       "waited longest without a request are closed for new ones; when all are at work, new ones "
       "are refused. Usually a sender opens a new connection for each request and leaves the old "
       "ones; behind a proxy all senders come from one address: raise the limit there."},
      {"T351", "The address of an HTTP destination cannot be used",
       "`url` must be an absolute http or https URL without user, password or fragment; `tls` is "
       "for https. Secrets go into `bearer`, or into a header."},
      {"T352", "A request cannot be made as asked",
       "A method, path or header, of the destination or of what the script gave to send(), is not "
       "one that HTTP can carry: a header value with a line end, a path that climbs out of `url` "
       "with \"..\", a method with a blank. The delivery is dead; correct the script."},
      {"T353", "The server refused the request",
       "It answered with a status of 4xx that is about this message, such as 400, 404, 409 or 422. "
       "Or, of a destination of type fhir, with 2xx and an OperationOutcome of severity error, or "
       "with an entry of a batch or transaction that failed: of a batch the other entries may have "
       "been carried out. The answer is kept with the delivery: `cannula msg show` shows it. "
       "Correct "
       "the script or the message, and send it again."},
      {"T354", "The server asked to try again",
       "It answered 408, 425, 429 or 5xx. The delivery is tried again later, not before the time "
       "that Retry-After names."},
      {"T355", "The server could not be reached, or the connection was lost",
       "The message says at what point: looking up the name, connecting, sending, receiving. The "
       "delivery is tried again with the same Idempotency-Key."},
      {"T356", "The server did not answer in time",
       "Connecting took longer than `connect_timeout`, or the whole exchange longer than "
       "`timeout`. The server may have the message or not, so it is sent again with the same "
       "Idempotency-Key."},
      {"T357", "The server's certificate is not trusted, or TLS failed",
       "The certificate is expired, is signed by an authority that is not in `tls.ca` (or the "
       "system's), or names another host than `url` or `tls.server_name`; or the server asks for a "
       "client certificate. It is always verified. The delivery is tried again, so that it goes "
       "out once the certificate is put right."},
      {"T358", "The destination was stopped during a delivery",
       "The engine is stopping or was reloaded. The delivery is tried again afterwards."},
      {"T359", "The answer is not one that a FHIR server gives",
       "A destination of type fhir answered with 2xx, but what came with it does not say that the "
       "message is there: a page of HTML, such as a login page of a proxy; nothing at all, where "
       "FHIR wants an answer; JSON that is no resource; to a transaction or batch no Bundle of "
       "type "
       "transaction-response or batch-response with as many entries. How the answer begins stands "
       "with the delivery (`cannula msg show`). It is tried again, with the same Idempotency-Key, "
       "and the destination is away until it answers as a FHIR server. See what stands at `url`: "
       "`curl -i URL/metadata` should show a CapabilityStatement."},
      {"T360", "The server does not let the destination in, or is elsewhere",
       "It answered 401, 403 or 407; with a redirect, which is not followed because patient data "
       "goes only where the configuration says; or, to a transaction, 404. That meets every "
       "message "
       "alike, so none is dead of it: it is tried again with growing pauses, and the destination "
       "is "
       "away until then. Put right `url`, or what `bearer`, `headers` and `tls` log in with. Where "
       "a server uses such a status for single messages, say so: `retry.on = { 403 = \"dead\" }`."},
      {"T361", "An answer is too long to be judged",
       "A destination of type fhir answered with 2xx and more than `max_response` of body, so that "
       "it cannot be told whether all of a transaction was carried out. It is not sent again by "
       "itself, because it may well have been: look at the server, raise `max_response`, and then "
       "discard or resend the delivery."},
  };
  return kCodes;
}

}  // namespace cannula::http
