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

}  // namespace
}  // namespace cannula::hl7v2
