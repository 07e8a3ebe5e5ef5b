// What spreadsheet programs write is read as they mean it.
#include "rules/tables/csv.h"

#include "tests/unit/rules/tables/read_table.h"

namespace cannula::tables {
namespace {

// The cells of a text, cells joined by '|' and rows by '/'.
std::string cells(std::string_view text, char separator = ',') {
  CsvReader reader(text, separator);
  CsvRow row;
  std::string out;
  while (reader.next(row)) {
    for (const CsvCell& cell : row.cells) {
      const std::string_view content = text.substr(cell.begin, cell.end - cell.begin);
      out += (cell.doubled ? undoubled(content) : std::string(content)) + "|";
    }
    if (row.problem == CsvRow::Problem::unclosed_quote) out += "unclosed";
    if (row.problem == CsvRow::Problem::text_behind_quote) out += "behind";
    out += "/";
  }
  return out;
}

TEST(Csv, EveryLineEndEndsARow) {
  EXPECT_EQ(cells("a,b\r\nc,d\ne,f\rg,h"), "a|b|/c|d|/e|f|/g|h|/");
  EXPECT_EQ(cells("a\n\nb\n"), "a|/|/b|/");
  EXPECT_EQ(cells(""), "");
}

TEST(Csv, QuotesHoldSeparatorsLineEndsAndQuotes) {
  EXPECT_EQ(cells("\"a,b\",\"c\r\nd\",\"5\"\" tube\"\n"), "a,b|c\r\nd|5\" tube|/");
  EXPECT_EQ(cells("\"\",\"\"\"\"\n"), "|\"|/");
  EXPECT_EQ(cells("5\" tube,a\"b\n"), "5\" tube|a\"b|/");
}

TEST(Csv, BlanksAroundCellsAndQuotesAreNotPartOfThem) {
  EXPECT_EQ(cells(" a , \"b, c\" ,\t d\n"), "a|b, c|d|/");
}

TEST(Csv, EmptyCellsAreKept) {
  EXPECT_EQ(cells(",a,,\n"), "|a|||/");
  EXPECT_EQ(cells("a\t\tb\n", '\t'), "a||b|/");
}

TEST(Csv, ARowWithAWrongQuoteEndsWithItsLine) {
  EXPECT_EQ(cells("\"a,b\nc,d\n"), "unclosed/c|d|/");
  EXPECT_EQ(cells("a,\"b\nc,\"d\"\ne\n"), "a|unclosed/c|d|/e|/");
  EXPECT_EQ(cells("a,\"b\" c,d\ne\n"), "a|behind/e|/");
}

TEST(Csv, TheHeaderRowTellsTheSeparator) {
  EXPECT_EQ(separator_of("a,b;c,d\n"), ',');
  EXPECT_EQ(separator_of("a;b;c\n1,2,3,4,5\n"), ';');
  EXPECT_EQ(separator_of("a\tb\n"), '\t');
  EXPECT_EQ(separator_of("\r\n\"a,b,c\";d\n"), ';');
  EXPECT_EQ(separator_of("a\n"), ',');
}

TEST(Csv, ManyWrongQuotesTakeLinearTime) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "\"a\"\"\n";
  EXPECT_FALSE(cells(text).empty());
}

TEST(TableText, AByteOrderMarkIsSteppedOver) {
  EXPECT_EQ(at(*good_table("\xEF\xBB\xBF"
                           "code,loinc\r\nK,1-8\r\n"),
               "K", "loinc"),
            "1-8");
}

TEST(TableText, SemicolonsAndTabsSeparateAsWell) {
  EXPECT_EQ(at(*good_table("code;text\nK;Kalium, Serum\n"), "K", "text"), "Kalium, Serum");
  EXPECT_EQ(at(*good_table("code\ttext\nK\tKalium\n"), "K", "text"), "Kalium");
  EXPECT_EQ(at(*good_table("sep=;\r\ncode;text\r\nK;a,b\r\n"), "K", "text"), "a,b");
}

TEST(TableText, EmptyRowsAndColumnsBehindTheTableAreNothing) {
  const auto table = good_table("\n,,,\ncode,text,,\nK,Kalium,,\n,,,\nNA,Natrium\n\n");
  EXPECT_EQ(table->columns().size(), 2U);
  EXPECT_EQ(table->size(), 2U);
  EXPECT_EQ(table->row(1).line(), 6U);
}

TEST(TableText, TheLineOfARowCountsLineEndsInQuotes) {
  const auto table = good_table("code,text\nK,\"two\nlines\"\nNA,x\n");
  EXPECT_EQ(table->row(1).line(), 4U);
  EXPECT_EQ(at(*table, "K", "text"), "two\nlines");
}

// Microsoft support article 77295.
TEST(TableText, ExcelMayLeaveOutTheLastCellsOfSixteenRows) {
  std::string text = "code,text,active_to\n";
  for (int i = 2; i <= 16; ++i) text += "A" + std::to_string(i) + ",x,\n";
  for (int i = 17; i <= 32; ++i) text += "B" + std::to_string(i) + ",y\n";
  text += "C1,z,2026-12-31\n";
  const auto table = good_table(text);
  EXPECT_EQ(at(*table, "B20", "active_to"), "");
  EXPECT_EQ(at(*table, "C1", "active_to"), "2026-12-31");

  text.replace(text.find("B20,y"), 5, "B20,y,");
  const auto read = read_table(text);
  EXPECT_FALSE(read.table);
  EXPECT_EQ(read.findings.size(), 15U);
}

}  // namespace
}  // namespace cannula::tables
