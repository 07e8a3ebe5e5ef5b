// The examples of FHIR R4: each is read, written, and read again without a change, and no number
// loses a digit.
#include <cstdio>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "parsers/tree/document.h"
#include "tests/conformance/corpus.h"

namespace cannula::tree {
namespace {

// Blanks outside of strings taken out.
std::string without_blanks(std::string_view text) {
  std::string out;
  bool inside = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char letter = text[at];
    if (inside && letter == '\\') {
      out += letter;
      out += text[++at];
      continue;
    }
    if (letter == '"') inside = !inside;
    if (inside || std::string_view(" \t\r\n").find(letter) == std::string_view::npos) out += letter;
  }
  return out;
}

TEST(FhirExamples, AreWrittenAsTheyWereRead) {
  std::size_t read = 0;
  std::size_t refused = 0;
  for (const char* folder : {"fhir-r4-examples", "fhir-validator", "cds-hooks"}) {
    const auto corpus = conformance::corpus_folder(folder);
    if (corpus.empty()) continue;
    for (const auto& file : conformance::files_below(corpus)) {
      if (file.extension() != ".json") continue;
      std::string text = conformance::read_file(file);
      const auto document = Document::parse(make_bytes(text));
      const auto peer = nlohmann::json::parse(text, nullptr, false);
      EXPECT_EQ(document.has_value(), !peer.is_discarded()) << file;
      if (!document) {
        ++refused;
        std::printf("refused: %s: %s\n", file.filename().c_str(), document.error().text().c_str());
        continue;
      }
      ++read;
      if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
      EXPECT_EQ(document->encode(), without_blanks(text)) << file;
      const auto again = Document::parse(make_bytes(document->encode(2)));
      ASSERT_TRUE(again) << file;
      EXPECT_EQ(again->encode(), document->encode()) << file;
    }
  }
  if (read == 0) GTEST_SKIP() << "there is no corpus: set CANNULA_CORPUS";
  std::printf("score: %zu documents read and written, %zu refused by us and by the peer\n", read,
              refused);
}

}  // namespace
}  // namespace cannula::tree
