// Deliberately odd messages of the corpus: each is read, keeps its bytes, and gives the finding
// that its file name promises, or none where the standard allows what it shows.
#include <set>

#include <gtest/gtest.h>

#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/message.h"
#include "tests/conformance/corpus.h"

namespace cannula::hl7v2 {
namespace {

struct Promise {
  const char* file;
  const char* code;  // empty: nothing is wrong with it
};

constexpr Promise kPromises[] = {
    {"cosyte__hl7/malformed/invalid-encoding-characters.hl7", "H203"},
    {"cosyte__hl7/malformed/msh-too-short.hl7", "H202"},
    {"cosyte__hl7/vendor-quirks/duplicate-required-segment.hl7", "H204"},
    {"cosyte__hl7/vendor-quirks/missing-required-field.hl7", "H202"},
    {"cosyte__hl7/vendor-quirks/mllp-framing-stripped.hl7", "H208"},
    {"cosyte__hl7/vendor-quirks/segment-case.hl7", "H201"},
    {"cosyte__hl7/vendor-quirks/unknown-charset.hl7", "D201"},
    {"rethinkhealth__hl7v2/fixtures/invalid-segment-header-length.hl7", "H201"},
    {"cosyte__hl7/edge-cases/unicode-names.hl7", "D206"},
    // Legal, whatever the name of the file says (2.5.2, 2.6.1, 2.7.1, 2.4.4).
    {"rethinkhealth__hl7v2/fixtures/invalid-trailing-empty-fields.hl7", ""},
    {"cosyte__hl7/vendor-quirks/unknown-segment.hl7", ""},
    {"cosyte__hl7/vendor-quirks/unknown-escape-sequence.hl7", ""},
    {"cosyte__hl7/vendor-quirks/field-whitespace-trimmed.hl7", ""},
    {"cosyte__hl7/edge-cases/crlf-line-endings.hl7", ""},
    {"cosyte__hl7/edge-cases/lf-line-endings.hl7", ""},
    {"cosyte__hl7/edge-cases/mixed-line-endings.hl7", ""},
    {"cosyte__hl7/edge-cases/no-trailing-newline.hl7", ""},
    {"cosyte__hl7/edge-cases/trailing-newline.hl7", ""},
    {"cosyte__hl7/edge-cases/truncation-char-msh2.hl7", ""},
    {"cosyte__hl7/edge-cases/null-fields.hl7", ""},
    {"cosyte__hl7/edge-cases/empty-fields.hl7", ""},
    {"cosyte__hl7/edge-cases/consecutive-delimiters.hl7", ""},
    {"cosyte__hl7/edge-cases/escape-formatting.hl7", ""},
    {"cosyte__hl7/edge-cases/unknown-escapes.hl7", ""},
    {"cosyte__hl7/charset/utf8-name.hl7", ""},
};

TEST(MalformedMessages, GiveTheFindingTheirNamePromises) {
  const auto folder = conformance::corpus_folder("hl7v2");
  if (folder.empty()) GTEST_SKIP() << "there is no corpus: set CANNULA_CORPUS";
  std::size_t kept = 0;
  for (const Promise& promise : kPromises) {
    const std::string bytes = conformance::read_file(folder / promise.file);
    ASSERT_FALSE(bytes.empty()) << promise.file;
    const auto decoded = decode(make_bytes(bytes));
    ASSERT_TRUE(decoded) << promise.file << ": " << decoded.error().text();
    EXPECT_EQ(*encode(decoded->message, decoded->encoding), bytes) << promise.file;
    std::set<std::string> codes;
    for (const Diagnostic& finding : decoded->findings) codes.insert(finding.code);
    for (const Diagnostic& finding : decoded->message.findings()) codes.insert(finding.code);
    if (*promise.code == '\0') {
      EXPECT_TRUE(codes.empty()) << promise.file << " gives " << *codes.begin();
    } else {
      EXPECT_TRUE(codes.contains(promise.code)) << promise.file;
    }
    ++kept;
  }
  std::printf("score: %zu odd messages, each read, kept and told apart\n", kept);
}

}  // namespace
}  // namespace cannula::hl7v2
