#include "engine/cli/error_codes.h"

namespace cannula::cli {
namespace {

constexpr ErrorCode kCodes[] = {
    {"U101", "Unknown verb",
     "The first word after `cannula` is the verb. `cannula --help` lists them; the nearest one is "
     "suggested."},
    {"U102", "Wrong options",
     "An option is unknown, lacks its value, or has one that it does not take. `cannula VERB "
     "--help` lists a verb's options "
     "with an example."},
    {"U103", "No site there",
     "The verb works on a site, which is a folder with a site.toml; an empty one is enough. Either "
     "the folder that was named is none, or none was named and there is no site.toml in this "
     "folder or one above it. Name the site, or run the command inside of it; a site of nearly "
     "that name beside it is suggested, and it is said when the site stands where another argument "
     "belongs. Every verb says so with exit code 2."},
    {"U104", "A new site cannot be written",
     "`cannula new` never overwrites anything, so the folder must not hold any of the files it "
     "makes, and it must be writable."},
    {"U105", "Unknown error code",
     "Codes are a letter and three digits, as they stand in brackets in messages: C103."},
    {"U106", "An address or file of the command cannot be used",
     "Addresses are \"host:port\" (\"127.0.0.1:2575\", \"[::1]:2575\"). Files must be readable and "
     "hold at least one HL7 v2 "
     "message, that is a line that begins with MSH."},
    {"U107", "No channel of that name",
     "Channels are the folders in channels/ of the site. The nearest name is suggested."},
    {"U108", "There are no channel tests",
     "`cannula test` runs channels/NAME/tests/*.test.toml and found none. A run that tests nothing "
     "does not pass, so that a wrong folder is noticed."},
    {"U109", "The program itself failed",
     "There was not enough memory, or something happened that cannula does not expect; the message "
     "has the words for it. What an engine accepted is in its store, and nothing of that is lost. "
     "When it is not the memory, it is a fault of cannula and worth a report."},
    {"U110", "The site's files have a mistake that is in the way",
     "Verbs about messages, channels and the store reach a running engine whatever is wrong with "
     "the site's files: it goes on with what it has read before. Where none answers, they open the "
     "store themselves, and for that [store], [keys] and [audit] of site.toml must be free of "
     "mistakes, and to forget messages all of the site, for each channel says how long it keeps "
     "them. `cannula check` shows what is wrong. An engine whose [store] directory is not `state` "
     "is not found while site.toml cannot be read."},
    {"U120", "Rule files that cannot be read",
     "There is no such file, or the site has no files in its rules folder. The verbs of rules take "
     "rule files and folders of sites; without any they work on the site at or above the working "
     "directory."},
    {"U121", "No rule of that name",
     "The rule files named, or those of the site here, have no such rule. `cannula rules explain "
     "FILE` shows all that a file has."},
    {"U131", "A file that cannot be shown",
     "`cannula parse` shows HL7 v2 messages (one, several or a batch, that is lines that begin "
     "with "
     "MSH|) and JSON documents. The message says what the file looks like instead."},
    {"U132", "An unknown version of HL7",
     "--version takes a version of HL7 v2 from 2.1 to 2.8, such as 2.5.1."},
    {"U133", "A path without a segment",
     "Outside of a script a path begins with a segment: PID-3.1, OBX[*]-5."},
    {"U141", "No such table",
     "A table is a file tables/NAME.csv of the site, and is named without the ending. `cannula "
     "table "
     "list` names those that can be used; one with errors is not among them, and `cannula table "
     "check` shows why."},
    {"U142", "The table has no row for this key",
     "Keys are compared letter by letter, without blanks around them; upper and lower case make a "
     "difference unless the table's settings say ignore_case = true. A row with active_from and "
     "active_to is found on these days and between them only."},
    {"U143", "The key has another number of parts",
     "The key columns of a table are its first column, or those that `keys` in NAME.table.toml "
     "names. Each of them needs a word on the command line, in that order."},
    {"U144", "Some tables cannot be used",
     "They have errors; `cannula table check` shows them. A running engine stays with the last "
     "good "
     "state of such a table."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::cli
