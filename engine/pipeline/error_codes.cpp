#include "engine/pipeline/error_codes.h"

namespace cannula::pipeline {
namespace {

constexpr ErrorCode kCodes[] = {
    {"P301", "A message or its payload is not where the index says",
     "The journal could not give back the bytes of a message or of a delivery, which means that a "
     "segment is damaged or "
     "missing. `cannula store check` names the segment. What is lost can only come from a backup "
     "or from the sender. What is whole and cannot be read all the same, for want of its key or of "
     "the newer Cannula that wrote it, is not lost: its channel's work pauses, or its delivery "
     "waits, until it can be read."},
    {"P302", "A delivery was given up",
     "Every attempt failed for as long as `give_up_after` of the destination's retry table allows, "
     "so the delivery and its "
     "message are dead. The reason of the last attempt is in the text. When the other side is well "
     "again, put it back to work "
     "with `cannula msg resend ID --delivery N`; the idempotency key stays the same."},
    {"P303", "The engine stopped while a sender waited for more than the disk",
     "With ack = \"processed\" or \"delivered:…\" the sender is told what became of its message. "
     "The message itself is on "
     "disk and is worked at the next start; the sender got no good answer and will send it again."},
    {"P304", "There is no such message or delivery",
     "The id is well formed, but this store has no message of that name. Ids belong to one store: "
     "see that the site is the right "
     "one, and list what it has with `cannula msg list`."},
    {"P305", "A message belongs to a channel or destination that is not configured",
     "The channel or destination was renamed or removed while messages still belonged to it. They "
     "stay in the store and go on "
     "when it is configured again under the same name."},
    {"P306", "A script asked for a secret that the site does not name",
     "secret(\"NAME\") finds what [secrets] in site.toml lists. Add NAME = \"env:VARIABLE\" or "
     "NAME = \"file:PATH\" there."},
    {"P307", "A setting cannot be changed while the engine runs",
     "The store's folder and the admin listener are opened once. Everything else of a site is "
     "taken over by a reload."},
    {"P308", "A message cannot be resent because it is still under way",
     "Its script has not run yet, or deliveries of it are still to be made: sending it again now "
     "would send them twice. "
     "`--delivery N` tries one that waits at once; `cannula status` tells whether the channel is "
     "paused."},
    {"P309", "A person discarded the message while its sender waited for it",
     "The sender had asked to be told what became of the message (ack = \"processed\" or "
     "\"delivered:…\"). Who discarded it, "
     "and why, stands in the message's trail."},
    {"P310", "A transport failed in a way it should not",
     "The delivery is tried again. This is a defect of the engine or a lack of memory; the text "
     "helps those who mend it."},
    {"P311", "There is nothing to discard",
     "The message, or the delivery, has ended: it was delivered, filtered, rejected or discarded "
     "before. To discard is to end what is parked, held, dead or still to be made."},
    {"P312", "A message came again",
     "The same message, byte for byte, was taken in before within the window that `duplicates` or "
     "`dedupe` of the source sets. It was acknowledged as the first was and not worked again; the "
     "text names "
     "the first, which has the body. A sender that repeats itself did not see, or did not like, "
     "the acknowledgement."},
    {"P313", "A message came again while the first is still worked",
     "The source answers when a message has been processed or delivered, and the first copy has "
     "not come so far: the sender is asked to try again later."},
    {"P314", "The disk is nearly full and nothing new is taken",
     "Less than `keep_free` of [store] is free. What was accepted is worked and delivered, and "
     "senders are told to try again. Intake goes on by itself when there is room: see "
     "docs/how-to/disk-full.md."},
    {"P315", "A reload would leave messages behind",
     "A channel or destination that is no longer named has messages that wait. Say what becomes of "
     "them: `renamed_from` in the file that takes them over, `cannula channel discard` to end "
     "them, or wait until they are delivered. What was under way only had a few seconds to come to "
     "its end, in which nothing new was taken (P339). Nothing was changed."},
    {"P316", "An act could not be recorded",
     "What people do is written to state/acts.jsonl before it is done. It could not be written, so "
     "it was not done."},
    {"P317", "There is no such channel or destination",
     "The name is not one of the running configuration. `cannula status` lists channels and "
     "destinations."},
    {"P318", "Intake of the channel is paused",
     "A person paused it with `cannula channel pause`; `cannula status` says who, when and why. "
     "Senders are told to try again (AE or CE, 503); files stay where they are. `cannula channel "
     "resume` lets it go on."},
    {"P319", "A delivery is held while its sender waited for it",
     "The sender had asked to be told what became of the message (ack = \"delivered:…\"), and the "
     "destination's `retry.on` says that such a failure waits for a person. The message is on "
     "record; `cannula msg resend ID --delivery N` or `msg discard` decides."},
    {"P320", "Too many replays or discards are running",
     "Four may run at a time, each of any size. `cannula msg replays` lists them and says how far "
     "they are; `cannula msg replay-cancel N` stops one."},
    {"P321", "There is no such replay or discard",
     "They are counted from 1 since the engine started; the last fifty are remembered. What they "
     "did is in the audit trail and in `cannula channel acts`."},
    {"P322", "A message was refused for what is wrong with it",
     "[validate] of the channel says that messages with such findings are rejected. The sender was "
     "told each finding with its place (ERR-2), its code (ERR-3, ERR-7) and a text (ERR-8); the "
     "message is on record as rejected. docs/how-to/validate-a-feed.md tells how to choose what is "
     "refused, parked or only shown."},
    {"P323", "A message is parked for what is wrong with it",
     "[validate] of the channel says that messages with such findings wait for a person. `cannula "
     "msg show` lists the findings; `cannula msg resend` works the message as it is, `cannula msg "
     "edit` makes a corrected one of it, `cannula msg discard` ends it."},
    {"P324", "A message that only starts or resynchronises its link",
     "Its MSH-13 is 0 or -1, and the source follows sequence numbers (`sequence = true`). The "
     "sender was told in MSA-4 which number is expected; there is nothing to be worked, and the "
     "message is on record as filtered."},
    {"P325", "A message with this sequence number was taken before",
     "Its MSH-13 is the last number that was taken from this sender, and its MSH-10 is the same: "
     "the acknowledgement was lost. It was acknowledged with the next number in MSA-4, not worked "
     "again, and is on record as filtered."},
    {"P326", "A sequence number is out of order",
     "The source follows sequence numbers (`sequence = true`), and MSH-13 is neither the next one "
     "nor a repetition of the last: messages are missing, come twice, or two systems send under "
     "one name (MSH-3, MSH-4). The sender was answered AE or CE with the expected number in MSA-4, "
     "and the message is on record as rejected. When it is known what is missing, the sender "
     "resynchronises the link with -1; docs/how-to/exchange-over-mllp.md tells how."},
    {"P327", "MSH-13 holds no sequence number",
     "The source follows sequence numbers (`sequence = true`), and the field is neither 0, -1 nor "
     "a number that counts from 1. The message is on record as rejected. A message without "
     "MSH-13 is taken as on any other link."},
    {"P328", "What has to be on record before a delivery could not be written",
     "The number of a delivery is on disk before the message is sent, so that it has the same one "
     "after a crash. The disk did not take it; nothing was sent, and the delivery is tried again."},
    {"P329", "A delivery is about to begin",
     "Of an attempt whose end is not on record yet: the number that it is sent with is on disk, "
     "and "
     "the attempt itself follows. Seen after a crash, or for the moment that the attempt takes."},
    {"P331", "Legal holds cannot be read or written",
     "`holds.jsonl` in the store's folder says what may not be forgotten. While it cannot be read "
     "the "
     "engine does not start and nothing is forgotten; an act that cannot be written there is not "
     "done. Put the file back from a backup, or see to the disk."},
    {"P332", "There is no such hold",
     "Holds are named H1, H2 and so on; `cannula store holds` lists those in force. One that was "
     "released is not in force any more."},
    {"P333", "Retention is at work already",
     "Somebody asked for it and it has not ended; it does all that is due, so asking again would "
     "do "
     "nothing more."},
    {"P334", "The bodies of the message were removed",
     "[retention] of the site or the channel keeps bodies for a shorter time than messages. What "
     "was "
     "received and sent is gone; times, states, reasons and what the message was found by are "
     "there. "
     "It cannot be sent again, nor edited."},
    {"P335", "The channel has messages under legal hold",
     "Destroying a channel's keys would destroy what a legal hold says must be kept. Release the "
     "hold "
     "first, if whoever asked for it agrees; `cannula store holds` says who that was and why."},
    {"P336", "A message holds another one",
     "A line behind its MSH begins with MSH, FHS, BHS, BTS or FTS. Here it would be worked as one "
     "message, while a receiver may read two; the second would not have been asked about: its "
     "sender may not be allowed to send it, and it is neither checked nor counted. Sources of type "
     "mllp, and of type file with `split = \"hl7\"`, take batches apart; elsewhere each message "
     "must be sent on its own. A text with line ends in it must have them escaped."},
    {"P337", "The sequence numbers of a sender are not followed",
     "The source follows sequence numbers (`sequence = true`), which are kept for each sender "
     "(MSH-3, "
     "MSH-4) for good. The name of this one is longer than HL7 allows (227 bytes a field), or the "
     "channel has 10,000 senders already: usually somebody puts something else into MSH-3 or "
     "MSH-4. "
     "The message is on record as rejected."},
    {"P338", "An edited message looks as if it had a mistake",
     "It was compared with the one that it was made of: a line begins with the name of no segment "
     "(of no version of HL7, of no `hl7/*.segments` of the site, not of Z and two characters, and "
     "not in the original), has its name alone, or MSH or the control id (MSH-10) is gone. Each is "
     "named with its line. Nothing was changed. Correct it and edit again, or give `--force` when "
     "it is meant so."},
    {"P339", "The channel is being taken out of the configuration",
     "A reload takes the channel, or a destination of it, away. While the engine looks whether "
     "anything waits for it, some seconds at most, senders are told to try again (AE or CE, 503); "
     "files stay where they are. If something does, the reload is refused (P315) and the channel "
     "takes again. The same is said to who is in the middle of sending when a source is closed."},
    {"P340", "The message has been edited already",
     "A new message was made of it before, and is worked in its place: another one would reach the "
     "receivers as well. Edit the newer one, which the error names, or give `--force` when both "
     "are wanted."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::pipeline
