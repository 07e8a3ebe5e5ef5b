#include "engine/config/error_codes.h"

namespace cannula::config {
namespace {

constexpr ErrorCode kCodes[] = {
    {"C101", "A file is not TOML",
     "The file cannot be read as TOML from the marked place on; what stands behind it has not been "
     "looked at. Usual causes: "
     "text without quotes, a closing quote or bracket that is missing, a key that stands twice, a "
     "file that was not saved as "
     "UTF-8."},
    {"C102", "A file or folder cannot be read",
     "It is there, but reading it failed: the user that runs cannula has no permission, it is a "
     "link to nothing, it is not a "
     "regular file, or it is larger than 16 MB, which no file of a site should be."},
    {"C103", "Unknown key",
     "The table has no key of this name. A key that nothing reads is refused, because its author "
     "expects something of it. "
     "The nearest name is suggested; docs/reference/config.md lists all of them. A key below "
     "another [table] header belongs to "
     "that table."},
    {"C104", "A value is of the wrong type",
     "The message says what the key takes and what was found, such as a number where a string is "
     "needed."},
    {"C105", "A required key is missing",
     "The table cannot be used without it. The hint says what the key is for."},
    {"C106", "A value is not one of those allowed",
     "The message lists the values that the key takes."},
    {"C107", "A number is out of range", "The message says which numbers the key takes."},
    {"C108", "A duration, size, address or path is badly written",
     "Durations are a whole number and ms, s, m, h or d (\"30s\"). Sizes are a whole number and "
     "KB, MB or GB, or a number of "
     "bytes. Addresses are \"host:port\"; an IPv6 address stands in brackets: \"[::1]:2575\"."},
    {"C109", "Not a site folder",
     "A site is a folder with a site.toml, which may be empty. Name the folder, or run the command "
     "inside of it. `cannula new` "
     "makes one."},
    {"C110", "A name cannot be used",
     "Channels, partners, destinations, secrets and modules are named with letters, digits, - and "
     "_, at most 64 of them, "
     "because their names stand in metrics, in paths and on the command line."},
    {"C111", "Unknown transport",
     "The `type` of a source or destination names the transport. docs/reference/config.md lists "
     "those that there are."},
    {"C112", "A transport cannot be used here",
     "Some transports only take messages in, others only deliver. The hint lists those that can "
     "stand here."},
    {"C113", "Unknown partner",
     "The source names a partner for whom there is no file in partners/. The partner's name is the "
     "file's name without .toml."},
    {"C114", "Two destinations of the same name",
     "send(\"name\") could mean either, and so could a report. Rename one and the sends that mean "
     "it."},
    {"C115", "`ack` cannot be kept",
     "The acknowledgement is sent when the message is on disk (\"stored\"), when the script has "
     "run (\"processed\") or when one "
     "of the channel's destinations has it (\"delivered:NAME\"). The name must be that of a "
     "[[destination]] of this channel."},
    {"C116", "An order path is not a path",
     "order.by is \"channel\", \"none\" or one or several paths to a field, such as \"PID-3.1\". "
     "The caret stands where the path "
     "could not be read."},
    {"C117", "A channel has no script",
     "Each channel has a main.lua beside its channel.toml. A script that only passes messages on "
     "is three lines long."},
    {"C118", "A channel folder without channel.toml",
     "Every folder in channels/ is a channel. Write its channel.toml or move the folder elsewhere; "
     "a folder whose name begins "
     "with a dot is passed over."},
    {"C119", "A source is open to the network without saying so",
     "It listens on an address that other machines can reach, and there is no partner, or one "
     "whose "
     "file says neither `from` where nor with which `certificate`. Say who may send, listen on "
     "127.0.0.1, or say open = true if everyone may."},
    {"C120", "A port is listened on twice",
     "Only one channel can listen on a port of an address, and 0.0.0.0 is every address. Give each "
     "its own port. A channel "
     "with enabled = false does not count."},
    {"C121", "The admin interface would be reachable from the network",
     "It shows what passes through the engine and signs nobody in, so it listens on this machine "
     "only."},
    {"C122", "An address of a partner is badly written",
     "`from` lists addresses and blocks such as 10.1.0.0/16. In a block the bits behind the prefix "
     "are zero, because "
     "10.1.2.3/16 may be meant as one address or as the block. Host names are not taken: a lookup "
     "at the moment of connecting "
     "would hand the decision to the name server."},
    {"C123", "A secret stands where its place should be named",
     "Secrets do not stand in files of the site, because those are shown, copied and kept in "
     "version control. Write "
     "\"env:NAME\" or \"file:PATH\". If a real secret stood there, change it."},
    {"C124", "A secret is not there",
     "The environment variable or file that is named cannot be read on this machine. This is a "
     "warning, because `check` "
     "often runs elsewhere than the engine; where the engine runs, the source or destination that "
     "needs "
     "the secret waits until it is there, and nothing else does; a missing key of the store or of "
     "the audit trail keeps the engine from starting."},
    {"C125", "An agreement has expired",
     "The partner's agreement ended before today. Messages are still taken. Renew the agreement "
     "and enter its new date, or "
     "disable the channels that take from this partner."},
    {"C126", "An event is badly written",
     "`may` lists events as HL7 writes them: a message type, a caret and a trigger (\"ORU^R01\"), "
     "or * for every trigger "
     "(\"ADT^*\")."},
    {"C127", "Retries contradict each other",
     "The first wait must be longer than nothing and not longer than the longest one (`max`)."},
    {"C128", "`open` has no effect",
     "The source names a partner whose file says who that is, so only that partner may send. "
     "Delete "
     "`open`, or the partner if everyone may send."},
    {"C129", "A secret file can be read by everyone",
     "Every user of this machine can read it. Give it to the user that runs cannula and take the "
     "others' right: chmod 600."},
    {"C130", "A date of an agreement is wrong",
     "Dates are written 2026-01-15, are days of the calendar, and an agreement does not expire "
     "before it is signed."},
    {"C131", "A partner must show a certificate that nobody asks for",
     "The partner's file names a `certificate`, but the source has no `tls` with `client_ca`, so "
     "no connection would ever carry "
     "one and all would be closed. Add the table, or take the requirement out of the partner's "
     "file."},
    {"C132", "Settings of a table that is not there",
     "tables/NAME.table.toml belongs to tables/NAME.csv, which is missing. Rename one of the two, "
     "or "
     "delete the settings."},
    {"C133", "Unknown time zone",
     "`timezone` takes the names of the IANA time zone database, such as \"Europe/Vienna\" or "
     "\"America/New_York\", or a fixed offset such as \"+01:00\". Abbreviations such as EST are "
     "not "
     "taken: they leave open whether daylight saving time applies."},
    {"C134", "Unknown character set",
     "`charset` takes the names of HL7 table 0211, such as \"8859/1\" or \"UNICODE UTF-8\", and "
     "those of IANA, such as \"windows-1250\". Leave it out where the sender's MSH-18 is right."},
    {"C135", "An order path in a segment that HL7 v2 does not have",
     "A message without the segment has no value there, so all of them would be kept in order as "
     "if they were of one patient. Segments of the site's own begin with Z and are not asked "
     "about."},
    {"C136", "A file or folder is not there",
     "A destination retries until its folder is there. A source, and certificates, must be there "
     "when the site starts. This is a warning, because `check` often runs elsewhere than the "
     "engine."},
    {"C140", "A delivery window is not a time of day",
     "`window` takes a span such as \"22:00-05:00\" or a list of them. Days may stand before it, "
     "as "
     "in \"mon-fri 18:00-06:00\": those on which the span begins. The times are those of "
     "`timezone`, or of the source's."},
    {"C141", "A rate limit cannot be read",
     "`rate_limit` is a number of attempts and s, m or h: \"20/s\", \"300/m\", \"1000/h\"."},
    {"C142", "`on` names a failure or an act that there is not",
     "Failures are named by class (refused, busy, timeout, tls, transport), by a stable code such "
     "as T353, by an HTTP status such as 409 or 4xx, or by an acknowledgement such as AE. Acts are "
     "\"retry\", \"dead\" and \"hold\"."},
    {"C143", "A window without a time zone",
     "Hours of the day mean nothing without the place whose clock shows them. Give the "
     "destination, or the source of the channel, a `timezone`."},
    {"C144", "A former name is still in use",
     "`renamed_from` takes over what waits under a former name, so that name must not be the one "
     "of a channel or destination that is there."},
    {"C145", "[validate] names a profile, a finding or a policy that there is not",
     "`profile` names a file hl7/NAME.profile of the site. `on` takes codes of findings, such as "
     "H704, and places as findings give them, such as PID-8 or OBX-3.1; what is done is "
     "\"ignore\", "
     "\"warn\", \"park\" or \"reject\"; a `version` is one from 2.1 to 2.8. See "
     "docs/how-to/validate-a-feed.md."},
    {"C146", "[retention] cannot be kept as it stands",
     "A period is a duration of a minute or more, such as \"30d\" or \"1y\", or \"never\", which "
     "keeps "
     "for ever. `bodies` is for removing bodies before the messages themselves, so it is shorter "
     "than those; and what a source's `duplicates` or `dedupe` looks back on must still be there. "
     "See "
     "docs/how-to/keep-and-forget.md."},
    {"C147", "The address of a key in a token cannot be used",
     "`[keys] master` or `former` begins with `pkcs11:` and is not the address of one secret key "
     "by "
     "RFC 7512: it cannot be read, names no key or another kind of object, or has the PIN itself "
     "in it, which then is to be changed. The message says which."},
    {"C148", "A secret is written out",
     "A header of `headers`, or a parameter in `url`, has a name by which one logs in, such as "
     "X-Api-Key or sig. Files of the site are shown, copied and kept in version control. Where the "
     "server takes a bearer token, name its place: `bearer = \"env:NAME\"`. Where it does not, "
     "this is a warning only: let nobody but the engine and its administrators read the file."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::config
