#include "engine/config/keys.h"

namespace cannula::config {
namespace {

using enum OptionType;

const Option kStore[] = {
    {.name = "directory",
     .type = file,
     .description = "Folder of the journal and its index. On a local disk; never in git.",
     .default_value = "state"},
    {.name = "segment_size",
     .type = size,
     .description =
         "How large a file of the journal becomes before the next is begun. Retention and "
         "backup work on whole files.",
     .default_value = "64MB"},
    {.name = "keep_free",
     .type = size,
     .description =
         "With less room on the disk than this nothing new is taken: senders are told to try again "
         "later, while what was accepted is delivered.",
     .default_value = "100MB"},
};

const Option kKeys[] = {
    {.name = "master",
     .description =
         "The master key, which wraps the keys that the store is sealed with: 64 hexadecimal "
         "digits in `\"file:PATH\"` or `\"env:NAME\"`, best on another disk than the store. "
         "Several keys, white space between them, while a new one (the first) follows an old one. "
         "Or a key that never leaves its token (an HSM): its PKCS#11 address by RFC 7512, such as "
         "`\"pkcs11:token=clinic;object=cannula?module-path=/usr/lib/softhsm/libsofthsm2.so\"`. "
         "Without it `master.key` in the store's folder is made."},
    {.name = "former",
     .type = texts,
     .description =
         "Where a master key was before, as of `master`, while a new one elsewhere follows it: at "
         "the next start, or by `cannula keys rotate`, `master` is put in its place. Then it can "
         "go."},
    {.name = "pin",
     .type = secret,
     .description = "The PIN of the token, for an address without `pin-source`."},
};

const Option kAdmin[] = {
    {.name = "listen",
     .type = endpoint,
     .description =
         "Address of the admin interface, which answers `/livez`, `/readyz` and `/metrics`. Off "
         "unless named; on this machine only."},
};

const Option kAudit[] = {
    {.name = "key",
     .type = secret,
     .description = "Seals the audit trail, so that who can write its files cannot compute its "
                    "hashes anew: `\"env:NAME\"` or `\"file:PATH\"`, any text of 32 characters or "
                    "more. Without it the chain is of plain hashes."},
};

const Option kEngine[] = {
    {.name = "workers",
     .type = integer,
     .description = "Threads that run scripts; 0 is one for each core.",
     .default_value = "0",
     .maximum = 1024},
    {.name = "io_threads",
     .type = integer,
     .description = "Threads that serve connections; 0 lets the engine choose.",
     .default_value = "0",
     .maximum = 256},
    {.name = "script_memory",
     .type = size,
     .description = "Memory that all scripts together may hold.",
     .default_value = "512MB"},
};

const Option kSiteRetention[] = {
    {.name = "done",
     .description = "How long a message is kept after its last delivery: a duration such as "
                    "`\"30d\"` or `\"1y\"`, or `\"never\"`, which keeps it for ever.",
     .default_value = "never"},
    {.name = "filtered",
     .description = "The same of messages that the script skipped, and of duplicates.",
     .default_value = "never"},
    {.name = "rejected",
     .description = "The same of messages that were refused.",
     .default_value = "never"},
    {.name = "dead",
     .description = "The same of messages that failed for good. They can be sent again until then.",
     .default_value = "never"},
    {.name = "discarded",
     .description = "The same of messages that a person ended.",
     .default_value = "never"},
    {.name = "bodies",
     .description =
         "How long the bodies of all these are kept: as received, payloads, responses, and what "
         "the script noted. What they were found by, times, states and reasons stay as long as "
         "the message.",
     .default_value = "never"},
    {.name = "every",
     .type = duration,
     .description = "How often the engine looks for what is due. `\"0s\"`: never by itself.",
     .default_value = "10m"},
    {.name = "within",
     .type = duration,
     .description =
         "What was forgotten is off the disk at the latest after this; sooner where half "
         "of its file is.",
     .default_value = "1d"},
};

// Of a channel; what it leaves out is as the site says.
const Option kRetention[] = {
    {.name = "done",
     .description = "How long a message is kept after its last delivery: a duration such as "
                    "`\"30d\"` or `\"1y\"`, or `\"never\"`, which keeps it for ever."},
    {.name = "filtered",
     .description = "The same of messages that the script skipped, and of duplicates."},
    {.name = "rejected", .description = "The same of messages that were refused."},
    {.name = "dead",
     .description =
         "The same of messages that failed for good. They can be sent again until then."},
    {.name = "discarded", .description = "The same of messages that a person ended."},
    {.name = "bodies",
     .description =
         "How long the bodies of all these are kept: as received, payloads, responses, and what "
         "the script noted. What they were found by, times, states and reasons stay as long as "
         "the message."},
};

const Option kSite[] = {
    {.name = "store", .type = table, .description = "Where messages are kept.", .members = kStore},
    {.name = "keys",
     .type = table,
     .description = "What the store is sealed with.",
     .members = kKeys},
    {.name = "admin", .type = table, .description = "The admin interface.", .members = kAdmin},
    {.name = "audit", .type = table, .description = "Who did what.", .members = kAudit},
    {.name = "engine", .type = table, .description = "Threads and memory.", .members = kEngine},
    {.name = "retention",
     .type = table,
     .description = "How long messages are kept after they came to their end; for ever unless it "
                    "says so. What is still to be worked or delivered is always kept.",
     .members = kSiteRetention},
    {.name = "secrets",
     .type = table,
     .description =
         "Names for secrets, each `\"env:NAME\"` or `\"file:PATH\"`. Scripts reach them by "
         "`secret(\"name\")`; the secret itself never stands in a file of the site."},
};

const Option kAgreement[] = {
    {.name = "document",
     .description = "Number or title of the business associate agreement.",
     .required = true},
    {.name = "signed", .description = "The day it was signed, as `2026-01-15`."},
    {.name = "expires",
     .description = "The last day it holds, as `2027-01-15`. `check` warns from the day after."},
};

const Option kPartner[] = {
    {.name = "name", .description = "What people call this partner. The file's name unless given."},
    {.name = "from",
     .type = texts,
     .description =
         "Addresses and blocks it may connect from, such as `10.1.0.0/16` or `2001:db8::/32`. "
         "Any address when left out."},
    {.name = "certificate",
     .description =
         "Subject alternative name that its client certificate must carry; needs `tls` with a "
         "client authority at the source."},
    {.name = "may",
     .type = texts,
     .description =
         "Events it may send, such as `ORU^R01`, or `ADT^*` for all of a kind. Anything else is "
         "refused and recorded. Any event when left out."},
    {.name = "agreement",
     .type = table,
     .description = "The agreement under which it sends.",
     .members = kAgreement},
};

const Option kScript[] = {
    {.name = "time",
     .type = duration,
     .description = "How long the script may run for one message; waiting does not count.",
     .default_value = "2s"},
    {.name = "memory",
     .type = size,
     .description = "Memory that the channel's script may hold.",
     .default_value = "64MB"},
};

const Option kOrder[] = {
    {.name = "by",
     .type = texts,
     .description =
         "`\"channel\"`: all messages in the order of their arrival. A path such as "
         "`\"PID-3.1\"`, or a list of paths: in order among messages that share a value, in "
         "parallel otherwise. `\"none\"`: no order.",
     .default_value = "channel"},
    {.name = "on_hold",
     .description = "When a message parks or dies: `\"pass\"` lets later ones of its key go on, "
                    "`\"hold_key\"` makes them wait for a person.",
     .default_value = "pass",
     .choices = {"pass", "hold_key"}},
};

const Option kValidate[] = {
    {.name = "errors",
     .description =
         "What is done about a message with errors: `\"ignore\"`; `\"warn\"`, it is worked, and "
         "its "
         "findings are shown with it and counted; `\"park\"`, it waits for a person; "
         "`\"reject\"`, it is refused, with the places and reasons in the acknowledgement. Without "
         "[validate] nothing is looked at.",
     .default_value = "warn",
     .choices = {"ignore", "warn", "park", "reject"}},
    {.name = "warnings",
     .description = "The same about warnings.",
     .default_value = "warn",
     .choices = {"ignore", "warn", "park", "reject"}},
    {.name = "on",
     .type = table,
     .description =
         "The same by code or place, which goes before `errors` and `warnings`: `{ H704 = "
         "\"ignore\", PID-8 = \"park\" }`. A place counts before a code."},
    {.name = "profile",
     .type = texts,
     .description =
         "What the site expects beyond the standard: `\"lab\"` is `hl7/lab.profile`. One "
         "or several."},
    {.name = "version",
     .description = "The version to go by, such as `2.5.1`, for a sender whose MSH-12 is wrong."},
};

const Option kSource[] = {
    {.name = "type", .description = "The transport that messages come by.", .required = true},
    {.name = "partner",
     .description =
         "Who sends: the name of a file in `partners/`. A source that listens beyond this "
         "machine needs one."},
    {.name = "open",
     .type = boolean,
     .description =
         "Says aloud that anyone may send: a source without partner, or with one whose file says "
         "neither `from` nor `certificate`, may then listen beyond this machine.",
     .default_value = "false"},
    {.name = "ack",
     .description =
         "When the sender gets its acknowledgement: `\"stored\"` (on disk), `\"processed\"` "
         "(the script has run) or `\"delivered:NAME\"` (that destination has it).",
     .default_value = "stored"},
    {.name = "timezone",
     .description = "Where the clocks of this source stand, such as `Europe/Vienna` or "
                    "`America/New_York`: for the times in its messages that carry no offset."},
    {.name = "charset",
     .description = "The character set of this source's HL7 v2 messages, for a sender whose MSH-18 "
                    "is empty or wrong: `8859/1`, `UTF-8`, `windows-1250`. It goes before MSH-18. "
                    "Messages in UTF-16 are told by their bytes."},
};

const Option kTable[] = {
    {.name = "description", .description = "What the table is for, in a sentence."},
    {.name = "keys",
     .type = texts,
     .description = "The columns that a row is found by. The first column unless given."},
    {.name = "ignore_case",
     .type = boolean,
     .description = "Whether `k` finds the row of `K`.",
     .default_value = "false"},
    {.name = "required",
     .type = texts,
     .description = "Columns that must not be empty in any row."},
    {.name = "loinc",
     .type = texts,
     .description = "The columns of LOINC codes, whose check digits are checked. The column called "
                    "`loinc` unless given; [] for none."},
};

const Option kRetry[] = {
    {.name = "first",
     .type = duration,
     .description =
         "Wait before the second attempt; doubled, with jitter, before each further one.",
     .default_value = "1s"},
    {.name = "max",
     .type = duration,
     .description = "The longest wait between two attempts.",
     .default_value = "5m"},
    {.name = "give_up_after",
     .type = duration,
     .description =
         "How long a delivery is tried, from its first attempt on, before it is dead and "
         "waits for a person.",
     .default_value = "3d"},
    {.name = "away_after",
     .type = integer,
     .description =
         "After so many failures in a row the destination counts as away: only one probe "
         "goes out now and then until it answers.",
     .default_value = "5",
     .minimum = 1,
     .maximum = 1000},
    {.name = "on",
     .type = table,
     .description =
         "What is done about a failure, `\"retry\"`, `\"dead\"` or `\"hold\"` (it and what follows "
         "of its key wait for a person), by name: `refused`, `busy`, `timeout`, `tls` or "
         "`transport`; a code such as `T353`; an HTTP status `409` or `4xx`; an acknowledgement "
         "`AE`. The most particular name counts. Unless named, what is refused is dead and all "
         "else is tried again. Of HTTP, 401, 403, 407 and redirects are no refusals but "
         "`transport`: they concern the destination, which is away until it lets messages in. "
         "Where "
         "a server means single messages by it, write `403 = \"dead\"`."},
};

const Option kDestination[] = {
    {.name = "name",
     .description = "The name that `send()` takes; letters, digits, `-` and `_`.",
     .required = true},
    {.name = "type", .description = "The transport that messages leave by.", .required = true},
    {.name = "retry",
     .type = table,
     .description = "How a delivery is tried again.",
     .members = kRetry},
    {.name = "rate_limit",
     .description = "The most attempts, such as `\"20/s\"`, `\"300/m\"` or `\"1000/h\"`."},
    {.name = "window",
     .type = texts,
     .description =
         "When it may be delivered to, such as `\"22:00-05:00\"`, or "
         "`[\"mon-fri 18:00-06:00\", \"sat,sun 00:00-24:00\"]`; at any time unless given. "
         "What is sent with priority `stat` does not wait for it."},
    {.name = "timezone",
     .description = "Of `window`, such as `Europe/Vienna`. That of the source unless given."},
    {.name = "renamed_from",
     .type = texts,
     .description = "Names the destination had before: what waits under them is delivered here."},
};

const Option kChannel[] = {
    {.name = "description", .description = "What the channel is for, in a sentence."},
    {.name = "enabled",
     .type = boolean,
     .description = "`false` keeps the channel checked but does not run it: its source is closed, "
                    "and what waits stays on record until it is enabled again.",
     .default_value = "true"},
    {.name = "on_error",
     .description =
         "When the script fails on a message: `\"pass\"` lets the message wait, dead, for "
         "a person and works the next; `\"stop\"` also pauses the channel's work.",
     .default_value = "pass",
     .choices = {"pass", "stop"}},
    {.name = "renamed_from",
     .type = texts,
     .description = "Names the channel had before: what waits under them is worked here."},
    {.name = "source", .type = table, .description = "Where messages come from.", .required = true},
    {.name = "order", .type = table, .description = "What is kept in order.", .members = kOrder},
    {.name = "validate",
     .type = table,
     .description = "What is done about what is wrong with HL7 v2 messages.",
     .members = kValidate},
    {.name = "retention",
     .type = table,
     .description =
         "How long the channel's messages are kept after they came to their end. What is "
         "left out is as in `site.toml`.",
     .members = kRetention},
    {.name = "script", .type = table, .description = "Limits of `main.lua`.", .members = kScript},
    {.name = "destination",
     .type = table,
     .description = "Where messages go, each under its own `[[destination]]`."},
};

}  // namespace

std::span<const Option> site_options() {
  return kSite;
}
std::span<const Option> store_options() {
  return kStore;
}
std::span<const Option> keys_options() {
  return kKeys;
}
std::span<const Option> admin_options() {
  return kAdmin;
}
std::span<const Option> audit_options() {
  return kAudit;
}
std::span<const Option> engine_options() {
  return kEngine;
}
std::span<const Option> site_retention_options() {
  return kSiteRetention;
}
std::span<const Option> retention_options() {
  return kRetention;
}
std::span<const Option> partner_options() {
  return kPartner;
}
std::span<const Option> agreement_options() {
  return kAgreement;
}
std::span<const Option> channel_options() {
  return kChannel;
}
std::span<const Option> script_options() {
  return kScript;
}
std::span<const Option> source_options() {
  return kSource;
}
std::span<const Option> validate_options() {
  return kValidate;
}
std::span<const Option> order_options() {
  return kOrder;
}
std::span<const Option> destination_options() {
  return kDestination;
}
std::span<const Option> table_options() {
  return kTable;
}
std::span<const Option> retry_options() {
  return kRetry;
}

}  // namespace cannula::config
