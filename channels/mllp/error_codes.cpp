#include "channels/mllp/error_codes.h"

namespace cannula::mllp {

std::span<const ErrorCode> error_codes() {
  static constexpr ErrorCode kCodes[] = {
      {"M101", "Bytes outside an MLLP frame were skipped",
       "A message must stand between the start block VT (0x0B) and the end block FS CR (0x1C "
       "0x0D). "
       "What stood outside was skipped and the connection goes on. The log names what the bytes "
       "look "
       "like: HL7 without any framing, HTTP, or a TLS handshake on a port that is not TLS."},
      {"M102", "Too many bytes came without an MLLP frame",
       "More than 1 MB arrived without a start block, so the sender does not speak MLLP, and the "
       "connection was closed."},
      {"M103", "A frame does not begin with an MSH segment",
       "The frame is kept as rejected and answered AR. Its first bytes are shown in the console; "
       "often the sender wraps something else, or puts blank lines or a byte order mark within the "
       "frame."},
      {"M104", "A frame was cut off",
       "The connection ended, stalled for longer than `frame_timeout`, came at less than 128 bytes "
       "a second for so long, or began a new message "
       "within "
       "the frame. Its beginning is kept as rejected. It was not acknowledged, so the sender "
       "should "
       "send it again."},
      {"M105", "A message is larger than max_size",
       "Its first 64 KB are kept as rejected and the sender gets an error acknowledgement. Raise "
       "`max_size` of the source if such messages are wanted. After sixteen times that size "
       "without "
       "an end the connection is closed."},
      {"M106", "There are too many connections",
       "The source already has `max_connections` open. The one that has been idle longest was "
       "closed for the new one; where all are at work, the new one was refused. Usually a sender "
       "opens a new connection for each message and does not close the old ones; `idle_timeout` "
       "closes those."},
      {"M107", "A connection failed for a reason within the engine",
       "An unexpected failure, such as no memory, ended this connection only. What had been "
       "acknowledged is stored; the rest will be sent again."},
      {"M108", "There are too many connections from one address",
       "The source already has `max_connections_per_address` from there. The one of them that has "
       "been idle longest was closed for the new one; where all are at work, the new one was "
       "refused. Usually a sender opens a new connection for each message and does not close the "
       "old ones; `idle_timeout` closes those. Where many senders come through one address, such "
       "as that of a proxy, raise the limit."},
      {"M109", "A source of type mllp listens or connects",
       "`listen` waits for senders to connect; `connect` opens the connection itself, for senders "
       "that wait for their receiver. One of the two is needed, and TLS is set by `tls` for the "
       "first and by `connect_tls` for the second."},
      {"M110", "A frame holds too many messages",
       "A batch may have 50,000 messages and envelopes (MSH, FHS, BHS, BTS, FTS): its "
       "acknowledgement names each of them and is made as a whole. None of the messages was taken; "
       "the first 64 KB of the frame are kept as rejected. The sender should divide what it "
       "sends."},
      {"M111", "A frame was given up because too many are being received",
       "All messages that are being received hold more than `max_memory` of the source, so the one "
       "that was begun first and had not ended was cut off, as M104, and its connection closed. "
       "Either senders are slow and their messages large, and `max_memory` should be raised, or "
       "somebody begins messages without ending them: the log names the address."},
      {"M201", "The receiver refused the message",
       "It answered AE, AR, CE or CR; its own words are quoted. The message is not sent again by "
       "itself. If this receiver means a passing trouble by such an answer, list the code in "
       "`retry_on` of the destination, or under `on` of its table `retry`."},
      {"M202", "The receiver asked to try again",
       "It answered with a code that `retry_on` lists, so the delivery is tried again later."},
      {"M203", "No acknowledgement came in time",
       "The receiver took the bytes and did not answer within `timeout`. It may have the message "
       "or "
       "not, so it is sent again; a receiver that keeps to the standard recognises it by its "
       "control "
       "id (MSH-10). When the message names acknowledgements for other messages, the receiver "
       "answers "
       "with a wrong MSA-2. What did come, however little, is kept with the attempt: `cannula msg "
       "show` prints it as it came. Where MSH-15 of the message asks for no commit acknowledgement "
       "(NE, or ER and all was well), a receiver need not answer on this connection: the script "
       "may clear MSH-15 and MSH-16, which were the wish of another sender."},
      {"M204", "The payload cannot be framed",
       "It holds the byte 0x1C, which ends an MLLP frame: the receiver would see two pieces. Or a "
       "line of it begins another message (MSH, also behind the byte 0x0B), which the receiver may "
       "take as one of its own. The script that made it must remove or escape the bytes (\\X1C\\, "
       "\\X0B\\), or make a batch of several messages with hl7.batch."},
      {"M205", "The answer is not an acknowledgement",
       "What came back has no MSA segment with a code of table 0008, or came without an MLLP "
       "frame, so nobody can say whether the message was taken. It is sent again. `cannula msg "
       "show` prints what came, as it came: the first 64 KB are kept with the attempt."},
      {"M206", "The destination was stopped during a delivery",
       "The engine is stopping or was reloaded. The delivery is tried again afterwards."},
      {"M207", "The receiver could not store the message",
       "It answered with a negative commit acknowledgement (NAK) of MLLP release 2: it has not got "
       "the message in safe storage. It is sent again."},
      {"M208", "No receiver is connected",
       "The destination listens and waits for its receiver to connect, and nobody did within "
       "`timeout`. The message waits and goes out as soon as someone connects."},
      {"M209", "A destination of type mllp connects or listens",
       "`address` names the receiver to connect to; `listen` waits for a receiver that connects to "
       "its sender. One of the two is needed, with `tls` for the first and `listen_tls` for the "
       "second. Where other machines can reach what it listens on, it must know its receiver: by "
       "`from`, or by `client_ca` of `listen_tls`."},
      {"M210", "A receiver's connection was refused",
       "A destination that listens was reached from an address that `from` does not name, or has "
       "`connections` of them already."},
      {"M211", "The payload cannot bear a sequence number",
       "The destination numbers what it sends (`sequence`), and the payload is no single HL7 v2 "
       "message, or its MSH-15 and MSH-16 do not ask for an acknowledgement in any case: without "
       "one nobody can say which number is next."},
      {"M212", "The receiver expects another sequence number",
       "The number in its MSA-4 does not fit what was sent to it: it has lost messages that it "
       "acknowledged, or takes messages under this name from somewhere else too. The delivery is "
       "held and everything behind it waits (the standard: the link is frozen until an operator "
       "intervenes). See to the receiver, then `cannula msg resend ID --delivery N`; or set "
       "`sequence = \"resync\"` and reload, which makes it take the next number as it comes. "
       "docs/how-to/exchange-over-mllp.md has the steps."},
      {"M213", "The receiver does not follow the sequence number protocol",
       "It answered the message that begins the link (MSH-13 of 0 or -1) without saying which "
       "number it expects (MSA-4), or refused it. The delivery is held and everything behind it "
       "waits. Have the receiver configured for sequence numbers, or set `sequence = \"off\"`."},
      {"M214", "A sequence number was taken by an earlier delivery after all",
       "A delivery was given up while nobody knew whether the receiver had it; its number was used "
       "again, and the receiver turned out to have taken it. The delivery goes again with the next "
       "number."},
      {"M215", "The connection ended before the acknowledgement had come",
       "Something came, but the acknowledgement of this message was not in it, or not whole, when "
       "the receiver or something between closed the connection: a firewall or load balancer, a "
       "receiver that crashed, or one that answers another message. It may have the message or "
       "not, so it is sent again. `cannula msg show` prints what came, as it came."},
  };
  return kCodes;
}

}  // namespace cannula::mllp
