#include "engine/pipeline/search_keys.h"

#include <algorithm>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

class SearchKeysTest : public EngineTest {
 protected:
  std::vector<std::uint64_t> keys(const std::string& segments) {
    const std::string header = "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101||ORU^R01^ORU_R01|1|P|2.5.1\r";
    const auto message = hl7v2::Message::parse(make_bytes(header + segments)).value();
    return search_keys_of(message, engine_->store());
  }
  bool found(const std::vector<std::uint64_t>& keys, std::string_view kind, std::string_view text) {
    return std::find(keys.begin(), keys.end(), search_key_of(kind, text, engine_->store())) !=
           keys.end();
  }
  std::unique_ptr<Engine> engine_ = start(site(kRelay));
};

TEST_F(SearchKeysTest, AreOfNumbersNameAndAccessions) {
  const auto all = keys(
      "PID|1||4711^^^GEN^MR~~815^^^CITY^PI||Invented^Ina\rORC|RE|P1|F1\rOBR|1|P1|F1|||||||||||||||"
      "A9\r"
      "OBR|2|P2|F2\r");
  for (const auto& [kind, text] : std::vector<std::pair<std::string_view, std::string_view>>{
           {store::kPatientNumber, "4711"},
           {store::kPatientNumber, "815"},
           {store::kPatientName, "Invented"},
           {store::kPatientName, "Invented, Ina"},
           {store::kAccession, "F1"},
           {store::kAccession, "F2"},
           {store::kAccession, "A9"}}) {
    EXPECT_TRUE(found(all, kind, text)) << text;
  }
  EXPECT_EQ(all.size(), 7u);
}

// A message may have millions of repetitions and orders: each would be copied, only to be the same.
TEST_F(SearchKeysTest, LookAtAFewHundredPlacesAndNoFurther) {
  std::string numbers;
  std::string orders;
  for (int i = 0; i < 300; ++i) {
    numbers += "A~";
    orders += "OBR|1||F\r";
  }
  const auto all = keys("PID|1||" + numbers + "B\r" + orders + "OBR|1||G\r");
  EXPECT_TRUE(found(all, store::kPatientNumber, "A"));
  EXPECT_TRUE(found(all, store::kAccession, "F"));
  EXPECT_FALSE(found(all, store::kPatientNumber, "B"));
  EXPECT_FALSE(found(all, store::kAccession, "G"));
}

TEST_F(SearchKeysTest, AreNoMoreThanAFewDozen) {
  std::string orders;
  for (int i = 0; i < 100; ++i) orders += "OBR|1||F" + std::to_string(i) + "\r";
  EXPECT_EQ(keys("PID|1||A\r" + orders).size(), 32u);
}

}  // namespace
}  // namespace cannula::pipeline
