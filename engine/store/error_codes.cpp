#include "engine/store/error_codes.h"

namespace cannula::store {
namespace {

constexpr ErrorCode kCodes[] = {
    {"J101", "the store is in use by another process",
     "One process at a time may hold a store: two would write over each other's records. The "
     "message names the process that "
     "holds the lock file. Stop it, or name another site. The file `lock` need not be removed by "
     "hand; it is free as soon as "
     "that process has ended, however it ended."},
    {"J103", "the disk is full",
     "The journal could not be written because the disk or a quota has no room. What was being "
     "stored was refused, so its "
     "senders keep it and send it again; nothing that was acknowledged is affected. Free space on "
     "the disk that holds "
     "`state/`; the store goes on by itself."},
    {"J104", "the disk reports an error",
     "Reading or writing a file of the store failed for a reason other than space; the message has "
     "the operating system's words. "
     "What was being stored was refused. The segment being written is not written to again, "
     "because after a failed write "
     "nothing is known of what reached the disk. Look at the kernel's log and the disk's health."},
    {"J105", "the store is closed",
     "Something was to be stored while the engine was stopping. It was not stored, and its sender "
     "was told so."},
    {"J106", "a record is too large",
     "One commit may have up to 1 GiB. Set a lower `max_size` on the source, so that such a "
     "message is refused when it arrives."},
    {"J107", "no record begins at this position",
     "A position names the place where a record begins. This one is behind the journal's end, "
     "within another record, in a "
     "damaged part, or in a segment that is no longer there. `cannula store check` shows what is "
     "damaged."},
    {"J108", "a record is damaged",
     "The bytes of a record are not those that were written: its checksum does not hold or it is "
     "cut off. The disk or a tool "
     "changed the segment file. Restore that file from a backup while the store is closed; "
     "everything else can be read."},
    {"J109", "a record is of an unknown type",
     "The record was written by a newer version of Cannula. Use that version to read it. A store "
     "whose "
     "index would have to be built over such a record is not opened: it would look whole and be "
     "not."},
    {"J110", "a segment cannot be placed",
     "The header of a segment file cannot be read, or names another store than the segments beside "
     "it. Somebody put files of "
     "two stores into one folder, or the only segment is damaged. Move what does not belong there "
     "out, or restore from a backup."},
    {"J111", "a sealed record does not open",
     "Its checksum holds, but its key does not open it: what stands there was not sealed there. "
     "Somebody who can make checksums changed the segment, or moved records. Keep a copy of the "
     "store's folder, look at the audit trail, and restore the file from a backup."},
    {"J112", "the store is sealed with other keys",
     "Each segment names the file of keys that it is sealed with. The file `keys` in the store's "
     "folder is another one, or none was given. Put the one of this store back from a backup."},
    {"J113", "the channel has messages that are not at an end",
     "Shredding a channel's keys would make messages unreadable that are still to be worked, "
     "delivered or looked at. Let them come to an end, discard them, or say `--even-open`."},
    {"J114", "the folder cannot be used for this backup",
     "A backup goes into a folder that is empty, not there yet, or holds an earlier backup of "
     "the same store. It lies outside of the store's folder, and the folder that it is to be "
     "made in is there already: where a disk is not mounted, nothing is put in its place. The "
     "message says which of these is not so. Nothing was changed."},
    {"J115", "there is something already where a store is to be restored",
     "A restore never overwrites: the store's folder must be absent or empty, but for the master "
     "key. Move what is there aside and keep it until the restored store has proved itself; its "
     "file `keys` is worth giving to the restore (`--keys`)."},
    {"J116", "a restore was not finished",
     "The store's folder holds a part of a backup: a restore into it was ended before its end. "
     "Run `cannula store restore` again; it begins anew. Nothing was taken in meanwhile."},
    {"J117", "somebody else works with the backup",
     "One process at a time makes, checks or restores the backup in a folder. Wait until it has "
     "ended, however it ends: no file has to be removed by hand."},
    {"J118", "the store was written by a newer Cannula",
     "A segment's format, or a kind of record in the newest one, is not known to this version: "
     "somebody started an older Cannula on the store than the one that wrote to it last. Nothing "
     "was changed. Start the newer one again; to go back for good, put back the backup that was "
     "made before the upgrade."},
    {"J119", "something stands in the journal that the store has not sealed",
     "As of the position that the file `keys` names, and in every segment whose header names keys, "
     "all records are sealed, and marks and headers of segments have seals. What was found there "
     "has none that holds: somebody put it there who could make checksums and had no key. It is "
     "not read, worked or delivered; what stood in its place may be gone. First keep a copy of "
     "the store's folder as it is: what is found now may not be found after a repair, and "
     "`index.db` may be the only trace of what stood there. Compare with the last backup "
     "(`cannula store check` on it) and with the audit trail (`cannula audit verify`, `cannula "
     "msg show`), and find out who had access to the disk. Then restore from a backup that is "
     "sound."},
    {"J120", "the journal's file is not in its folder any more",
     "The store's folder, or the segment that is being written, was removed, moved or replaced "
     "while "
     "the engine runs. What is written to a removed file is lost when the file is closed, so "
     "nothing "
     "is taken and nothing acknowledged (AE, 503; `/readyz` says so). Was it moved: move it back, "
     "and "
     "work resumes by itself. Was it removed: do not stop the engine yet, for as long as it runs "
     "the "
     "removed files can be read. `ls -l /proc/PID/fd` shows them as (deleted); copy each out "
     "(`cp /proc/PID/fd/N …/journal/NAME`), as well as `index.db` and what is in `audit`. Then "
     "stop "
     "the engine, put the copies where they were, or restore from a backup (`cannula store "
     "restore`), "
     "run `cannula store check`, and start. What was acknowledged before and is in no copy has to "
     "be "
     "sent again by its senders."},
    {"J201", "bytes in the journal are no records",
     "A part of a segment was damaged after it was stored: something valid that was written later "
     "stands behind it. The finding "
     "names file, offset and positions. What stood there is lost unless a backup has the file; "
     "everything behind it was read."},
    {"J202", "the header of a segment is damaged",
     "The records of the segment were read all the same, by the position in its file name. Restore "
     "the file from a backup if "
     "there is one."},
    {"J203", "a segment is missing",
     "The segment that follows names one before it that is not there. The records between the two "
     "positions are lost unless a "
     "backup has the file. Put it back with the store closed and remove `index.db`, which is then "
     "built anew."},
    {"J204", "the index does not agree with the journal",
     "Rows of `index.db` are not those that follow from the journal. The journal is what counts, "
     "and the index can be built anew from it. But where somebody changed the journal, the index "
     "may be the only trace of what it said before: keep a copy of the store's folder first, see "
     "what else `cannula store check` found, and compare with the last backup and `cannula audit "
     "verify`. Then remove `index.db` with the store closed: it is built anew at the next start."},
    {"J206", "what retention removed from the journal cannot be told",
     "The file `pruned` beside the segments says where the journal begins since retention removed "
     "what stood before, and where the ledgers stand that scripts' state is read from when the "
     "index "
     "is built anew. It cannot be read. Put it back from a backup of this store; nothing was "
     "changed."},
    {"J207", "the store was changed each time that it was read",
     "`cannula store check` and `cannula store backup` read the store of an engine that runs, "
     "and each time they did, retention wrote segments anew, or a small file was another. Run it"
     " again, or while the engine does not run."},
    {"J208", "a file of a backup is not as it was written",
     "Its size or checksum is not what the manifest says: the disk or a tool changed it, or it is "
     "gone. What else `cannula store check` finds tells which records that takes. Restore from "
     "another backup; with `--even-damaged` everything that can be read is restored all the same. "
     "Where the store is still there, remove the file and make the backup again: it is copied "
     "anew."},
    {"J209", "there is no backup, or its manifest cannot be read",
     "The file `manifest` in a backup's folder says what belongs to it. It is written last, so a "
     "first backup that was ended before its end has none; one that is damaged, or of a newer "
     "Cannula, cannot be used. Name the folder that `cannula store backup` was given, or another "
     "backup."},
    {"J301", "the index could not be read or written",
     "SQLite reported an error; the message has its words. The journal is not affected, and what "
     "is missing in the index is "
     "added as soon as it can be written."},
    {"J302", "the index is damaged",
     "The file `index.db` is no sound index, or a text in it was not sealed by this store: "
     "something changed it from outside. It is thrown away and built anew from the journal; "
     "nothing is lost by it."},
    {"J303", "the index has not followed the journal",
     "What lists, counts and finds messages is the index, which follows the journal, usually "
     "within "
     "milliseconds. It is further behind and did not catch up while the question waited: its disk "
     "is "
     "full or fails (the message says so), a great many messages come in, or it is being built "
     "anew. Nothing is lost, and "
     "what is asked only is answered with what the index has, and a note. What is done to messages "
     "(sending again, discarding, editing, holding, forgetting, a reload) is refused meanwhile, "
     "because it could miss some. Senders are told to send again later where the source has to "
     "know messages that come again (`duplicates`, `dedupe`, `sequence`). Free space on the disk; "
     "ask again when `cannula status` says that the index has followed."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::store
