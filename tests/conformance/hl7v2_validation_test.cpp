// What validation says about every message of the corpus, by code. Clean feeds of common versions
// must stay clean: most messages there are fine by the standard.
#include <iostream>
#include <map>

#include <gtest/gtest.h>

#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/validation/validation.h"
#include "tests/conformance/corpus.h"

namespace cannula::hl7v2 {
namespace {

TEST(Corpus, IsValidatedWithoutFindingWhatIsNotWrong) {
  const std::filesystem::path folder = conformance::corpus_folder("hl7v2");
  if (folder.empty()) GTEST_SKIP() << "no corpus: set CANNULA_CORPUS";
  std::map<std::string_view, std::size_t> errors_and_warnings;
  std::size_t messages = 0;
  std::size_t without_errors = 0;
  for (const auto& path : conformance::files_below(folder)) {
    const std::string bytes = conformance::read_file(path);
    for (const Span span : split_messages(bytes)) {
      const auto message = Message::parse(make_bytes(bytes.substr(span.begin, span.size())));
      if (!message) continue;
      ++messages;
      bool fine = true;
      for (const Finding& each : validate(*message)) {
        ASSERT_FALSE(each.path.empty());
        if (each.severity != Severity::note) ++errors_and_warnings[each.code];
        fine = fine && each.severity != Severity::error;
      }
      without_errors += fine;
    }
  }
  std::cout << messages << " messages, " << without_errors << " without an error\n";
  for (const auto& [code, count] : errors_and_warnings) std::cout << code << ": " << count << "\n";
  EXPECT_GT(without_errors * 100, messages * 60);
}

struct Promise {
  const char* file;
  const char* code;
  const char* path;
};

// What only the dictionary can tell; the others stand in hl7v2_malformed_test.cpp.
constexpr Promise kPromises[] = {
    {"cosyte__hl7/vendor-quirks/out-of-order-segment.hl7", "H709", "EVN"},
    {"cosyte__hl7/vendor-quirks/extra-fields.hl7", "H712", "EVN-8"},
    {"cosyte__hl7/vendor-quirks/missing-required-field.hl7", "H701", "MSH-9"},
    {"cosyte__hl7/vendor-quirks/encoding-mismatch.hl7", "H704", "MSH-18"},
    {"cosyte__hl7/vendor-quirks/unknown-charset.hl7", "H704", "MSH-18"},
    {"cosyte__hl7/vendor-quirks/segment-case.hl7", "H710", "PID"},
    // It says 2.8, which keeps EVN-1 for older receivers only.
    {"cosyte__hl7/vendor-quirks/version-mismatch.hl7", "H711", "EVN-1"},
    {"cosyte__hl7/malformed/msh-too-short.hl7", "H701", "MSH-12"},
    {"rethinkhealth__hl7v2/fixtures/invalid-wrong-version.hl7", "H713", "MSH-12.1"},
    {"CDCgov__prime-reportstream/FHIR_to_HL7/output-invalid.hl7", "H701", "PID-3"},
};

TEST(Corpus, OddMessagesGiveTheFindingOfValidationTheirNamePromises) {
  const std::filesystem::path folder = conformance::corpus_folder("hl7v2");
  if (folder.empty()) GTEST_SKIP() << "no corpus: set CANNULA_CORPUS";
  for (const Promise& promise : kPromises) {
    const auto message = Message::parse(make_bytes(conformance::read_file(folder / promise.file)));
    ASSERT_TRUE(message) << promise.file;
    bool found = false;
    for (const Finding& each : validate(*message)) {
      found = found || (each.code == promise.code && each.path == promise.path);
    }
    EXPECT_TRUE(found) << promise.file << " does not give " << promise.code << " at "
                       << promise.path;
  }
}

}  // namespace
}  // namespace cannula::hl7v2
