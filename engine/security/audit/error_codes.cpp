#include "engine/security/audit/error_codes.h"

namespace cannula::audit {
namespace {

constexpr ErrorCode kCodes[] = {
    {"A101", "The audit trail cannot be written",
     "What people do is written to state/audit before it is answered; when that is not possible, "
     "mostly because the disk is full, it is not done. Messages are still taken in and delivered, "
     "and the engine's log and `cannula status` say so. Free space: the trail goes on by itself, "
     "and says how many entries of the engine's own were lost."},
    {"A102", "An entry of the audit trail is not what was written",
     "Each entry carries a seal over what it says and the seal of the entry before. Here they do "
     "not fit: the entry, or the one before, was changed after it was written. Compare with a "
     "backup or with what was exported, and find out who may write the files."},
    {"A103", "Entries of the audit trail are missing",
     "The numbers of the entries have no gaps. Here there is one: entries, or a whole file, were "
     "taken out."},
    {"A104", "A line was put into the audit trail",
     "It has the number of an entry that stands elsewhere, or one that fits nowhere, and the chain "
     "goes on without it."},
    {"A105", "An entry of the audit trail was moved",
     "It belongs in the chain, but stands in another place than its number says, or its file has "
     "another name than its first entry."},
    {"A106", "The end of the audit trail is missing",
     "state/audit-head.json remembers the last entry, and the engine's log says it from time to "
     "time (\"the trail stands at NUMBER:SEAL\"). The trail ends before that, or that file is "
     "missing or was changed. `cannula audit verify --anchor NUMBER:SEAL` compares with a line of "
     "the log."},
    {"A107", "Entries of the audit trail were sealed with a key that is not at hand",
     "Each entry names its key. Give the ones that the site used before with --old-key, as "
     "env:NAME or file:PATH; until then only numbers and order can be verified."},
    {"A108", "The last line of the audit trail is not whole",
     "Either an entry is being written just now, or the engine was killed, or the power failed, "
     "while it wrote one. "
     "Nothing was answered for it. The engine cuts it off when it goes on."},
    {"A109", "Entries of the audit trail have a plain hash",
     "They were written before the site had `[audit] key`, or by somebody who has no key: who can "
     "write the files can compute such hashes. It is an error until somebody stands for these "
     "entries: `--anchor` with a line of the engine's log from behind them, or, once for all, "
     "`cannula audit accept`, which is best run right after the key was set."},
    {"A110", "A question to the audit trail is not of the right form",
     "Anchors are written NUMBER:SEAL, as in the engine's log, old keys env:NAME or file:PATH."},
    {"A111", "The key of the audit trail is too short",
     "A key that can be guessed seals nothing. `[audit] key` must have 32 characters or more; "
     "`openssl rand -hex 32` makes one."},
    {"A112", "The journal is not where the audit trail says that it stood",
     "When the engine starts and stops, and each hour between, the trail is told where the journal "
     "ends. A journal only grows. This one ends before that, or belongs to another store: it was "
     "cut or zeroed, its folder was removed, or an older copy was put in its place without "
     "`cannula store restore`, which would be entered. Or the disk lost what it had said to have "
     "written. Messages are missing. Keep a copy of the store's folder as it is, the index too, "
     "find out who had access, and compare with the last backup (`cannula store check` on it). The "
     "finding stays: what the trail tells is not taken back. `cannula store restore` from a backup "
     "brings the messages back that the backup has."},
    {"A113", "The audit trail is not as it was left",
     "The engine, or a verb, went on with the trail and found it shorter than it had been, without "
     "the file that remembers its end, with one that is not its own, or not at all although the "
     "store has records. Entries may be missing that nobody can see are missing; after a power "
     "failure it may be that file alone. Compare with the anchors in the engine's log "
     "(`cannula audit verify --anchor NUMBER:SEAL`) and with the last backup. It is an error until "
     "somebody stands for the trail as it is (`cannula audit accept`, or an anchor from behind "
     "the entry)."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::audit
