// The examples of FHIR R4, taken apart and built again by our model: what the specification shows
// must pass, and come out as it went in.
#include <cstdio>

#include <gtest/gtest.h>

#include "parsers/fhir/arrange.h"
#include "tests/conformance/corpus.h"

namespace cannula::fhir {
namespace {

TEST(FhirExamples, OfModelledResourcesAreBuiltAsTheyStand) {
  std::size_t built = 0;
  std::size_t same = 0;
  std::size_t others = 0;
  const auto folder = conformance::corpus_folder("fhir-r4-examples");
  if (folder.empty()) GTEST_SKIP() << "there is no corpus: set CANNULA_CORPUS";
  for (const auto& file : conformance::files_below(folder)) {
    if (file.extension() != ".json") continue;
    auto document = tree::Document::parse(make_bytes(conformance::read_file(file)));
    ASSERT_TRUE(document) << file;
    const auto type = type_of_resource(document->root());
    if (!type) {
      ++others;
      continue;
    }
    const std::string before = document->encode();
    const auto done = arrange(*document, document->root().id(), **type);
    if (!done) {
      std::printf("refused: %s: %s\n", file.filename().c_str(), done.error().text().c_str());
      EXPECT_EQ(done.error().code, "E101") << file;  // a resource inside that is not modelled
      continue;
    }
    ++built;
    same += document->encode() == before;
    EXPECT_EQ(document->encode().size(), before.size()) << file;
    if (document->encode() != before) std::printf("other order: %s\n", file.filename().c_str());
  }
  std::printf("score: %zu built, %zu of them the same to the byte; %zu of other resources\n", built,
              same, others);
}

}  // namespace
}  // namespace cannula::fhir
