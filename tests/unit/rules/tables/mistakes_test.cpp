// What people get wrong in tables, and what they are told, word for word.
#include "tests/unit/rules/tables/read_table.h"

namespace cannula::tables {
namespace {

TEST(TableMistakes, AnEmptyFile) {
  EXPECT_EQ(findings_of(""),
            R"text(tables/labs.csv:1:1: error[R101]: the table is empty
    1 | 
      | ^
      = hint: the first row names the columns, such as code,text,loinc
)text");
}

TEST(TableMistakes, AFirstRowWithData) {
  EXPECT_EQ(
      findings_of("K,Kalium,2823-3\nNA,Natrium,2951-2\n"),
      R"text(tables/labs.csv:1:10: error[R101]: the first row holds data (`2823-3`), not the names of the columns
    1 | K,Kalium,2823-3
      |          ^~~~~~
      = hint: put a row above it that names the columns, such as code,text,loinc
)text");
}

TEST(TableMistakes, AColumnNameWithABlank) {
  EXPECT_EQ(
      findings_of("code,LOINC Code\nK,1\n"),
      R"text(tables/labs.csv:1:6: error[R103]: `LOINC Code` cannot be the name of a column: a name is a letter followed by letters, digits and _
    1 | code,LOINC Code
      |      ^~~~~~~~~~
      = hint: name it `loinc_code`
)text");
}

TEST(TableMistakes, AColumnWithoutAName) {
  EXPECT_EQ(findings_of("code,,text\nK,,Kalium\n"),
            R"text(tables/labs.csv:1:6: error[R103]: column 2 has no name
    1 | code,,text
      |      ^
      = hint: name it in the header row, or remove the column
)text");
}

TEST(TableMistakes, TwoColumnsOfOneName) {
  EXPECT_EQ(findings_of("code,text,Code\n"),
            R"text(tables/labs.csv:1:11: error[R104]: columns 1 and 3 are both called `Code`
    1 | code,text,Code
      |           ^~~~
      = hint: rename one of them; upper and lower case make no difference here
)text");
}

TEST(TableMistakes, TheColumnsOfDaysSpelledOtherwise) {
  EXPECT_EQ(
      findings_of("code,Active_From\nK,2026-01-01\n"),
      R"text(tables/labs.csv:1:6: error[R103]: the column with the first day of a row is written `active_from`
    1 | code,Active_From
      |      ^~~~~~~~~~~
      = hint: write `active_from` in place of `Active_From`
)text");
}

TEST(TableMistakes, AMissingCell) {
  EXPECT_EQ(
      findings_of("code,text,loinc\nK,Kalium\n"),
      R"text(tables/labs.csv:2:9: error[R105]: this row has 2 cells where the header row names 3: nothing stands for `loinc`
    2 | K,Kalium
      |         ^
      = hint: if a cell further left was forgotten, add its `,`; an empty cell at the end needs one, too
)text");
}

TEST(TableMistakes, ACommaInAText) {
  EXPECT_EQ(
      findings_of("code,text,loinc\nNA,Sodium, serum,2951-2\n"),
      R"text(tables/labs.csv:2:4: error[R105]: this row has 4 cells where the header row names 3: `Sodium, serum` is read as two cells
    2 | NA,Sodium, serum,2951-2
      |    ^~~~~~~~~~~~~
      = hint: put the text in quotes: "Sodium, serum"
)text");
}

TEST(TableMistakes, ACellTooMany) {
  EXPECT_EQ(
      findings_of("code,text,loinc\nK,Kalium,2823-3,mmol/L\n"),
      R"text(tables/labs.csv:2:17: error[R105]: this row has 4 cells where the header row names 3: `mmol/L` stands behind the last column, `loinc`
    2 | K,Kalium,2823-3,mmol/L
      |                 ^~~~~~
      = hint: a text that holds `,` must stand in quotes
)text");
}

TEST(TableMistakes, ASeparatorTooMany) {
  EXPECT_EQ(
      findings_of("code,text\nK,Kalium,,\n"),
      R"text(tables/labs.csv:2:11: error[R105]: this row has 4 cells where the header row names 2: an empty cell stands behind the last column, `text`
    2 | K,Kalium,,
      |           ^
      = hint: a text that holds `,` must stand in quotes
)text");
}

TEST(TableMistakes, ARowWithAnotherSeparator) {
  EXPECT_EQ(
      findings_of("code;text\nK,Kalium\n"),
      R"text(tables/labs.csv:2:9: error[R105]: this row has 1 cell where the header row names 2: nothing stands for `text`
    2 | K,Kalium
      |         ^
      = hint: the header row is separated by `;`, this row by `,`: use one of them
)text");
}

TEST(TableMistakes, AQuoteThatIsNeverClosed) {
  EXPECT_EQ(
      findings_of("code,text\nK,\"Kalium\nNA,Natrium\n"),
      R"text(tables/labs.csv:2:3: error[R106]: the quote that opens here is not closed in this row: `"Kalium`
    2 | K,"Kalium
      |   ^
      = hint: put a quote behind the last letter of the cell, or remove this one
)text");
}

TEST(TableMistakes, AQuoteThatALaterRowCloses) {
  EXPECT_EQ(
      findings_of("code,text\nK,\"Kalium\nNA,\"Natrium\"\n"),
      R"text(tables/labs.csv:2:3: error[R106]: the quote that opens here is not closed in this row: `"Kalium`
    2 | K,"Kalium
      |   ^
      = hint: put a quote behind the last letter of the cell, or remove this one
)text");
}

TEST(TableMistakes, TextBehindAQuote) {
  EXPECT_EQ(
      findings_of("code,text\nK,\"Kalium\" (Serum)\n"),
      R"text(tables/labs.csv:2:12: error[R107]: `(Serum)` stands behind the closing quote of the cell
    2 | K,"Kalium" (Serum)
      |            ^~~~~~~
      = hint: put all of the cell in quotes; a quote that belongs to the text is written twice: "so-called ""fasting"" glucose"
)text");
}

TEST(TableMistakes, ARowWithoutKey) {
  EXPECT_EQ(findings_of("code,text\n,Kalium\n"),
            R"text(tables/labs.csv:2:1: error[R108]: this row has no key: `code` is empty
    2 | ,Kalium
      | ^
      = hint: fill it in, or remove the row
)text");
}

TEST(TableMistakes, ARowWithoutAnyPartOfItsKey) {
  EXPECT_EQ(findings_of("lab,code,text\n,,Kalium\n", {.keys = {"lab", "code"}}),
            R"text(tables/labs.csv:2:1: error[R108]: this row has no key: `lab` and `code` are empty
    2 | ,,Kalium
      | ^
      = hint: fill it in, or remove the row
)text");
}

TEST(TableMistakes, AKeyThatStandsTwice) {
  EXPECT_EQ(findings_of("code,text\nK,a\nNA,b\nK,c\n"),
            R"text(tables/labs.csv:4:1: error[R109]: the key `K` already stands in line 2
    4 | K,c
      | ^
      = hint: remove the row here or the one in line 2
)text");
}

TEST(TableMistakes, AKeyThatStandsTwiceInOtherLetters) {
  EXPECT_EQ(findings_of("code,text\nK,x\nk,y\n", {.ignore_case = true}),
            R"text(tables/labs.csv:3:1: error[R109]: the key `k` already stands in line 2 as `K`
    3 | k,y
      | ^
      = hint: remove the row here or the one in line 2
)text");
}

TEST(TableMistakes, DaysThatOverlap) {
  EXPECT_EQ(
      findings_of("code,active_from,active_to\nK,2026-01-01,2026-12-31\nK,2026-06-01,\n"),
      R"text(tables/labs.csv:3:1: error[R110]: the key `K` has a row in line 2 from 2026-01-01 to 2026-12-31, and this one from 2026-06-01 on: their days overlap
    3 | K,2026-06-01,
      | ^
      = hint: end the row in line 2 on 2026-05-31 (active_to), or remove one of the two
)text");
}

TEST(TableMistakes, DaysThatAreTheSame) {
  EXPECT_EQ(
      findings_of("code,active_from,active_to\nK,2026-01-01,\nK,2026-01-01,\n"),
      R"text(tables/labs.csv:3:1: error[R110]: the key `K` has a row in line 2 from 2026-01-01 on, and this one from 2026-01-01 on: their days overlap
    3 | K,2026-01-01,
      | ^
      = hint: give them days that do not overlap (active_from, active_to), or remove one of the two
)text");
}

TEST(TableMistakes, ADayAsTheCountryWritesIt) {
  EXPECT_EQ(
      findings_of("code,active_from\nK,31.12.2026\n"),
      R"text(tables/labs.csv:2:3: error[R111]: `31.12.2026` in `active_from` is not a day as tables have it, year-month-day such as 2026-01-31
    2 | K,31.12.2026
      |   ^~~~~~~~~~
      = hint: write 2026-12-31; in Excel format the column as Custom, yyyy-mm-dd
)text");
}

TEST(TableMistakes, ADayThatCouldBeTwo) {
  EXPECT_EQ(
      findings_of("code,active_from\nK,1/2/2026\n"),
      R"text(tables/labs.csv:2:3: error[R111]: `1/2/2026` in `active_from` is not a day as tables have it, year-month-day such as 2026-01-31
    2 | K,1/2/2026
      |   ^~~~~~~~
      = hint: write the day as year-month-day; in Excel format the column as Custom, yyyy-mm-dd
)text");
}

TEST(TableMistakes, ADayThatDoesNotExist) {
  EXPECT_EQ(
      findings_of("code,active_from\nK,2026-02-30\n"),
      R"text(tables/labs.csv:2:3: error[R111]: `2026-02-30` in `active_from` is a day that does not exist
    2 | K,2026-02-30
      |   ^~~~~~~~~~
      = hint: look for a mistyped digit
)text");
}

TEST(TableMistakes, ARowThatEndsBeforeItBegins) {
  EXPECT_EQ(
      findings_of("code,active_from,active_to\nK,2026-12-01,2026-01-01\n"),
      R"text(tables/labs.csv:2:14: error[R112]: this row ends (2026-01-01) before it begins (2026-12-01)
    2 | K,2026-12-01,2026-01-01
      |              ^~~~~~~~~~
      = hint: correct active_from or active_to; perhaps they are swapped
)text");
}

TEST(TableMistakes, AnUnknownKeyColumn) {
  EXPECT_EQ(
      findings_of("code,text\nK,Kalium\n", {.keys = {"cod"}}),
      R"text(tables/labs.csv:1:1: error[R113]: the table's settings name `cod` as a key, but the table has no such column
    1 | code,text
      | ^~~~~~~~~
      = hint: did you mean `code`? Correct the table's .table.toml file
)text");
}

TEST(TableMistakes, AnUnknownRequiredColumn) {
  EXPECT_EQ(
      findings_of("code,text\nK,Kalium\n", {.required = {"loinc"}}),
      R"text(tables/labs.csv:1:1: error[R113]: the table's settings name `loinc` as required, but the table has no such column
    1 | code,text
      | ^~~~~~~~~
      = hint: the columns are code, text; correct the table's .table.toml file, or this row
)text");
}

TEST(TableMistakes, ARequiredCellThatIsEmpty) {
  EXPECT_EQ(
      findings_of("code,text\nK,\n", {.required = {"text"}}),
      R"text(tables/labs.csv:2:3: error[R114]: `text` is empty in this row; the table's settings require it
    2 | K,
      |   ^
      = hint: fill it in, or remove the row until it is known
)text");
}

TEST(TableMistakes, AnOlderCharacterSet) {
  EXPECT_EQ(
      findings_of("code,text\nK,S\xFC\xDF\n"),
      R"text(tables/labs.csv:2:4: error[R102]: this file is not UTF-8: the byte FC here is `ü` in the older character set Windows-1252
    2 | K,Süß
      |    ^
      = hint: in Excel: File, Save As, type "CSV UTF-8 (Comma delimited)"; in LibreOffice: Save As, "Text CSV", character set "Unicode (UTF-8)"
)text");
}

TEST(TableMistakes, Utf16) {
  EXPECT_EQ(
      findings_of("\xFF\xFE"
                  "c"),
      R"text(tables/labs.csv: error[R102]: this file is UTF-16 ("Unicode Text"), where UTF-8 is read
      = hint: in Excel: File, Save As, type "CSV UTF-8 (Comma delimited)"; in LibreOffice: Save As, "Text CSV", character set "Unicode (UTF-8)"
)text");
}

TEST(TableMistakes, ASpreadsheetCalledCsv) {
  EXPECT_EQ(
      findings_of("PK\x03\x04"),
      R"text(tables/labs.csv: error[R118]: this is a spreadsheet in its program's own format (xlsx, ods or xls) with the name of a CSV file
      = hint: in Excel: File, Save As, type "CSV UTF-8 (Comma delimited)"; in LibreOffice: Save As, "Text CSV", character set "Unicode (UTF-8)"
)text");
}

TEST(TableMistakes, AFormulaThatFailed) {
  EXPECT_EQ(
      findings_of("code,loinc\nK,#N/A\n"),
      R"text(tables/labs.csv:2:3: error[R115]: `#N/A` in `loinc` is what a spreadsheet shows when a formula fails
    2 | K,#N/A
      |   ^~~~
      = hint: put the value there that is meant, or leave the cell empty
)text");
}

TEST(TableMistakes, AShortenedNumber) {
  EXPECT_EQ(
      findings_of("code,text\n1.23457E+11,x\n"),
      R"text(tables/labs.csv:2:1: warning[R115]: the key `1.23457E+11` looks like a long number that a spreadsheet has shortened
    2 | 1.23457E+11,x
      | ^~~~~~~~~~~
      = hint: format the column as Text, then enter the whole number again
)text");
}

TEST(TableMistakes, AnUnseenCharacterInAKey) {
  EXPECT_EQ(
      findings_of("code,text\nA\xE2\x80\x8B"
                  "B,x\n"),
      R"text(tables/labs.csv:2:2: warning[R116]: the key `A​B` holds a zero width space (U+200B), which nobody sees
    2 | A​B,x
      |  ^
      = hint: type the key anew, unless the messages have it like this
)text");
}

TEST(TableMistakes, ATableWithoutRows) {
  EXPECT_EQ(findings_of("code,text\n"),
            R"text(tables/labs.csv:1:1: warning[R120]: the table has no rows below its header row
    1 | code,text
      | ^
)text");
}

TEST(TableMistakes, AMistypedLoincCode) {
  EXPECT_EQ(
      findings_of("code,loinc\nK,2823-4\nNA,2951-2\nX,\n"),
      R"text(tables/labs.csv:2:3: error[R121]: `2823-4` is no LOINC code: the check digit of 2823 is 3
    2 | K,2823-4
      |   ^~~~~~
      = hint: did you mean 2823-3? Look the code up: any of its digits may be the mistyped one
)text");
}

TEST(TableMistakes, ATextWhereALoincCodeStands) {
  EXPECT_EQ(
      findings_of("code,LOINC\nK,none\n"),
      R"text(tables/labs.csv:2:3: error[R122]: `none` is no LOINC code, which is digits, a hyphen and a check digit, such as 2823-3
    2 | K,none
      |   ^~~~
      = hint: leave the cell empty where there is no code; if the column is not of LOINC codes, write loinc = [] in the table's .table.toml file
)text");
}

TEST(TableMistakes, ACodeOfAnotherKindWhereALoincCodeStandsIsAWarning) {
  const auto read = read_table("code,loinc\nK,LAB12-3\n");
  ASSERT_EQ(read.findings.size(), 1U);
  EXPECT_EQ(read.findings.front().code, "R122");
  EXPECT_EQ(read.findings.front().severity, Severity::warning);
  EXPECT_NE(read.table, nullptr);
}

TEST(TableMistakes, ALoincCodeThatASpreadsheetMadeAMonthOf) {
  EXPECT_EQ(
      findings_of("code,loinc\nCA,2028-09-01\n"),
      R"text(tables/labs.csv:2:4: error[R115]: `2028-09-01` in `loinc` is a day or month, which a spreadsheet makes of a LOINC code
    2 | CA,2028-09-01
      |    ^~~~~~~~~~
      = hint: format the column as Text, then enter the code again; it was probably 2028-9
)text");
  for (const std::string cell : {"Sep-28", "28-Sep", "Okt 28", "Feb-51", "01.09.2028"}) {
    const auto read = read_table("code,loinc\nCA," + cell + "\n");
    ASSERT_EQ(read.findings.size(), 1U) << cell;
    EXPECT_EQ(read.findings.front().code, "R115") << cell;
    EXPECT_EQ(read.table, nullptr) << cell;
  }
}

TEST(TableMistakes, ARowWithACellTooManySaysNothingOfItsLoincCode) {
  EXPECT_EQ(read_table("code,loinc\nK, serum,2823-3\n").findings.size(), 1U);
}

TEST(TableMistakes, TheSettingsSayWhichColumnsAreLoincCodes) {
  const auto with = [](std::vector<std::string> columns) {
    TableSettings settings;
    settings.loinc = std::move(columns);
    return settings;
  };
  EXPECT_EQ(findings_of("code,loinc\nK,2823-4\n", with({})), "");
  EXPECT_EQ(read_table("code,target\nK,2823-4\n", with({"target"})).findings.size(), 1U);
  EXPECT_EQ(read_table("code,target\nK,2823-4\n", with({"traget"})).findings.front().code, "R113");
}

// Only the first hundred are listed.
TEST(TableMistakes, ManyFindingsAreCounted) {
  std::string text = "code,text\n";
  for (int i = 0; i < 250; ++i) text += ",x\n";
  const auto read = read_table(std::move(text));
  EXPECT_FALSE(read.table);
  ASSERT_EQ(read.findings.size(), 101U);
  EXPECT_EQ(read.findings.back().message, "150 more findings are not shown");
}

TEST(TableMistakes, AnErrorIsShownHoweverManyWarningsStandBeforeIt) {
  std::string text = "code,loinc\n";
  for (int i = 0; i < 250; ++i) text += "K" + std::to_string(i) + ",LAB1-2\n";
  text += ",2823-3\n";
  const auto read = read_table(std::move(text));
  EXPECT_FALSE(read.table);
  ASSERT_EQ(read.findings.size(), 101U);
  EXPECT_TRUE(has_errors(read.findings));
  EXPECT_EQ(read.findings[99].severity, Severity::error);
  EXPECT_EQ(read.findings.back().message, "151 more findings are not shown");
}

TEST(TableMistakes, FindingsStandInOrderOfTheirLines) {
  const auto read = read_table("code,text,active_from\nK,a,\nK,b,x\nNA,c,\nNA,d,\n,e,\n");
  std::vector<std::size_t> lines;
  for (const Diagnostic& finding : read.findings) {
    lines.push_back(finding.source->position(finding.span->begin).line);
  }
  EXPECT_EQ(lines, (std::vector<std::size_t>{3, 5, 6}));
}

TEST(TableMistakes, AWarningLeavesTheTableUsable) {
  EXPECT_TRUE(read_table("code,text\n1.5E+11,x\n").table);
  EXPECT_TRUE(read_table("code,text\n").table);
}

}  // namespace
}  // namespace cannula::tables
