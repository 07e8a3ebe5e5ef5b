#include "rules/tables/error_codes.h"

namespace cannula::tables {
namespace {

constexpr ErrorCode kCodes[] = {
    {"R101", "The table has no header row",
     "The first row of a table names its columns, such as code,text,loinc. Here the file is empty, "
     "or the first row already holds data. Put a row with names above it."},
    {"R102", "The table is not UTF-8",
     "Tables are read as UTF-8, so that letters such as ü, é or µ mean the same everywhere. Excel "
     "writes UTF-8 only when the file is saved as \"CSV UTF-8 (Comma delimited)\", and LibreOffice "
     "when \"Unicode (UTF-8)\" is chosen as character set. Save the table again like that; opening "
     "and saving changes nothing else."},
    {"R103", "The name of a column cannot be used",
     "Scripts read a row by the names of its columns, so a name is a letter followed by letters, "
     "digits and _: loinc, valid_from, unit2. Blanks, hyphens and accents are not taken. The "
     "columns "
     "with a row's days are called active_from and active_to, in small letters."},
    {"R104", "Two columns have the same name",
     "Nobody could tell which of them is meant. Rename or remove one; upper and lower case do not "
     "make a difference here."},
    {"R105", "A row has too few or too many cells",
     "Each row has a cell for each column of the header, empty ones included. With one too many, a "
     "text most likely holds the separator and lacks its quotes: \"Sodium, serum\". With one too "
     "few, "
     "a separator is missing, and everything to the right of it would be read under the wrong "
     "name."},
    {"R106", "A quote is never closed",
     "A cell that begins with a quote ends with the next one. Without it, all that follows would "
     "be "
     "read into the same cell. The message points at the quote that opens; put the other behind "
     "the "
     "cell's last letter. A quote that belongs to the text is written twice and the whole cell in "
     "quotes: \"5\"\" tube\"."},
    {"R107", "Text stands behind a closing quote",
     "Either all of a cell stands in quotes or none of it. A quote that belongs to the text is "
     "written twice: \"so-called \"\"fasting\"\" glucose\"."},
    {"R108", "A row without a key",
     "The key columns of the row are empty, so that nothing could ever find it. Fill them in or "
     "remove the row."},
    {"R109", "Two rows have the same key",
     "A key has one row, or several whose days (active_from, active_to) do not overlap. Remove one "
     "of the two, or give them days. With ignore_case = true, `k` and `K` are the same key."},
    {"R110", "The days of two rows of one key overlap",
     "On some days both rows would apply. Both the day in active_from and the day in active_to "
     "belong "
     "to a row's time: when one row ends on 2026-06-30, the next begins on 2026-07-01."},
    {"R111", "A day cannot be read",
     "Days are written year-month-day, such as 2026-01-31. Spreadsheet programs like to show and "
     "save "
     "them as the country has it. In Excel: mark the column, Format Cells, Custom, yyyy-mm-dd; "
     "then "
     "save again."},
    {"R112", "A row ends before it begins",
     "The day in active_to lies before the day in active_from, so that the row would never apply. "
     "One of the two is mistyped, or they are swapped."},
    {"R113", "The table's settings name a column that is not there",
     "`keys` and `required` of NAME.table.toml name columns of the header row of NAME.csv, spelled "
     "as "
     "they stand there, each once; up to 16 columns make a key."},
    {"R114", "A cell that is required is empty",
     "NAME.table.toml lists this column under `required`, so each row must have something there."},
    {"R115", "A cell holds what a spreadsheet program made of it",
     "#N/A, #REF! and the like stand where a formula failed, and would be sent to other systems as "
     "if they were codes. A key such as 1.23457E+11 was a long number until the program shortened "
     "it. In a column of LOINC codes Sep-28, 28-Sep and 2028-09-01 were the code 2028-9, which the "
     "program took for a month. Format the column as Text before the codes are entered; what is "
     "destroyed must be entered again, and the message says which code it may have been. Import "
     "the "
     "CSV file (Data, From Text) with that column as Text instead of opening it."},
    {"R116", "A key holds a character that cannot be seen",
     "It looks like a blank or like nothing, as it often comes from web pages, and makes the key "
     "different from the code in the messages. Type the key anew."},
    {"R117", "The table is too large", "A table may have up to 256 MB of text and 1024 columns."},
    {"R118", "A spreadsheet, not a CSV file",
     "The file has the name of a CSV file but is a spreadsheet in its program's own format. Open "
     "it "
     "there and save it as CSV."},
    {"R119", "There are more findings",
     "Only the first hundred findings of a table are listed. Often they have one cause, such as a "
     "separator that differs from the header row's."},
    {"R120", "The table has no rows",
     "There is a header row and nothing below it, so every lookup misses. That is fine for a table "
     "that is still to be filled."},
    {"R121", "A LOINC code with a mistake",
     "The last digit of a LOINC code, behind the hyphen, is computed from those before it (Mod 10, "
     "LOINC Users' Guide), so that a mistyped digit or two in the wrong order show. Systems that "
     "get such a code do not know it, and rules about the right one pass it over. Look the code up "
     "at loinc.org: the message says which check digit the others would have, but any digit may be "
     "the mistyped one. The columns of LOINC codes are those that NAME.table.toml lists under "
     "`loinc`; without that, the column called loinc."},
    {"R122", "A text where a LOINC code stands",
     "The column holds LOINC codes (see R121), and this is not written as one. It would be sent as "
     "a LOINC code all the same, so that it is an error; where it has at least their shape, such "
     "as "
     "LAB12-3, it is a warning, and the table is used. An empty cell says that there is no code; "
     "`loinc = []` in NAME.table.toml says that the column is of something else."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::tables
