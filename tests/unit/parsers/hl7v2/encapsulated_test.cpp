#include "parsers/hl7v2/encapsulated.h"

#include <gtest/gtest.h>

#include "parsers/hl7v2/escape.h"
#include "parsers/text/base64.h"

namespace cannula::hl7v2 {
namespace {

Result<Encapsulated> document(const std::string& value) {
  const auto message =
      Message::parse(make_bytes("MSH|^~\\&|A\rOBX|1|ED|PDF||" + value + "||||||F\r"));
  return read_encapsulated(*message, Place{1, 5});
}

TEST(Encapsulated, GivesTheBytesOfADocument) {
  const auto pdf = document("^Application^PDF^Base64^JVBERi0xLjQ=");
  ASSERT_TRUE(pdf) << pdf.error().text();
  EXPECT_EQ(pdf->bytes, "%PDF-1.4");
  EXPECT_EQ(pdf->type, "Application");
  EXPECT_EQ(pdf->subtype, "PDF");
  EXPECT_EQ(pdf->encoding, "Base64");
  EXPECT_EQ(document("^TEXT^^A^one \\T\\ two")->bytes, "one & two");
  EXPECT_EQ(document("^Image^TIFF^Hex^4D 4d\\X0D\\00")->bytes, std::string("MM\0", 3));
  EXPECT_EQ(document("^^PDF^^JVBERi0xLjQ")->bytes, "%PDF-1.4");
}

TEST(Encapsulated, PassesOverTheLineBreaksOfSenders) {
  EXPECT_EQ(document("^^PDF^Base64^JVBE\\.br\\Ri0x\\X0D0A\\LjQ=")->bytes, "%PDF-1.4");
}

TEST(Encapsulated, SaysWhatItCannotRead) {
  EXPECT_EQ(document("just text").error().code, "H502");
  EXPECT_EQ(document("^^PDF^Zip^JVBE").error().code, "H502");
  EXPECT_EQ(document("^^PDF^Hex^4D4").error().code, "H502");
  EXPECT_EQ(document("^^PDF^Base64^JV*E").error().code, "D205");
}

// connect#1665: a PDF of 1.6 MB took minutes. Here 24 MB of it are read where they stand.
TEST(Encapsulated, TakesManyMegabytes) {
  std::string bytes(18u << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  const auto read = document("^Application^PDF^Base64^" + encode_base64(bytes));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->bytes == bytes);
}

TEST(Formatted, CarriesOutWhatPlainTextCan) {
  const auto text = [](std::string_view encoded) { return formatted(encoded, Delimiters{}); };
  EXPECT_EQ(text("one\\.br\\two\\.sp\\three\\.sp+2\\four"), "one\ntwo\nthree\n\nfour");
  EXPECT_EQ(text("a \\H\\bold\\N\\ word"), "a bold word");
  EXPECT_EQ(text("\\.ti+4\\in\\.fi\\\\.nf\\x"), "    in\nx");
  EXPECT_EQ(text("5 \\T\\ 6\\X0D0A\\7\\X0A\\8\\X0D\\9"), "5 & 6\n7\n8\n9");
  EXPECT_EQ(text("\\C2842\\\\M2442\\\\Z01\\\\Q\\"), "\\C2842\\\\M2442\\\\Z01\\\\Q\\");
  EXPECT_EQ(text("C:\\temp\\.br\\x\\"), "C:\\temp\nx\\");
  EXPECT_EQ(text("\\E\\.br\\E\\"), "\\.br\\");
  EXPECT_EQ(formatted("a\\.br\\b", Delimiters{'|', '^', '~', 0, '&', 0}), "a\\.br\\b");
}

}  // namespace
}  // namespace cannula::hl7v2
