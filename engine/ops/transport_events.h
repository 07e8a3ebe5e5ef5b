// What the transports and the intake count (Report::count), for the page of metrics. A test holds
// the names against the sources.
#pragma once

#include <string_view>

namespace cannula::ops {

struct TransportEvent {
  std::string_view name, meaning;
};
inline constexpr TransportEvent kTransportEvents[] = {
    {"accept_shortages_total", "a connection could not be taken for want of descriptors or memory"},
    {"acknowledgements_lost_total", "the sender was gone before it got its acknowledgement"},
    {"acknowledgements_unmatched_total", "an acknowledgement of no message under way (MSA-2)"},
    {"answers_lost_total", "the HTTP client was gone before it got its answer"},
    {"bad_answers_total",
     "something came back that is no acknowledgement of what was sent; it is kept with the "
     "attempt"},
    {"bytes_received_total", "bytes of messages received, or of requests"},
    {"bytes_sent_total", "bytes of messages sent, framing included"},
    {"commit_blocks_received_total", "commit acknowledgements of MLLP release 2"},
    {"connections_evicted_total", "idle the longest when more came than may be open"},
    {"connections_failed_total", "ended by an error, TLS handshakes among them"},
    {"connections_refused_total", "over the limit, or of an address that may not send"},
    {"connections_stale_total", "a kept connection that the other side had closed"},
    {"connections_total", "connections taken, or made"},
    {"control_ids_reused_total", "a control id came again with another message"},
    {"duplicates_total", "a message came again and was answered as the first was"},
    {"files_received_total", "files taken from the folder"},
    {"files_with_refusals_total", "files of which a part was refused"},
    {"frames_defective_total", "truncated, over max_size, or without a message in them"},
    {"frames_given_up_total", "unfinished when all that were being received held too much"},
    {"frames_received_total", "whole MLLP frames"},
    {"garbage_bytes_total", "bytes between frames"},
    {"requests_defective_total", "HTTP requests that could not be read"},
    {"requests_failed_total", "HTTP requests without an answer"},
    {"requests_given_up_total", "unfinished when all that were being received held too much"},
    {"requests_total", "HTTP requests, received or made"},
    {"sequence_disagreements_total", "a receiver expected another sequence number, or none at all"},
    {"sequence_refused_total", "a sequence number was out of order, or none"},
    {"sequence_repeats_total", "a message came again under its sequence number"},
    {"sequence_starts_total", "a link with sequence numbers was begun or resynchronised"},
};

}  // namespace cannula::ops
