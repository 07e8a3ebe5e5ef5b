#include "engine/pipeline/search_keys.h"

#include <algorithm>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

class SearchKeysTest : public EngineTest {
 protected:
  static std::string message(const std::string& segments, const std::string& charset = "") {
    return "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101||ORU^R01^ORU_R01|1|P|2.5.1||||||" + charset + "\r" +
           segments;
  }
  static std::string patient(const std::string& name, const std::string& charset = "") {
    return message("PID|1||4711||" + name + "\r", charset);
  }
  // As of a message that came in, in its bytes.
  std::vector<std::uint64_t> keys_of(const std::string& bytes, std::string_view told = "") {
    const Bytes body = make_bytes(std::string(bytes));
    const auto parsed = hl7v2::Message::parse(body);
    return search_keys_of(parsed ? &*parsed : nullptr, body, told, engine_->store());
  }
  std::vector<std::uint64_t> keys(const std::string& segments) {
    return keys_of(message(segments));
  }
  bool found(const std::vector<std::uint64_t>& keys, std::string_view kind, std::string_view text) {
    const auto wanted = search_keys_for(kind, text, engine_->store());
    return std::find_first_of(keys.begin(), keys.end(), wanted.begin(), wanted.end()) != keys.end();
  }
  void expect_named(const std::string& bytes, std::initializer_list<std::string_view> names,
                    std::string_view told = "") {
    const auto all = keys_of(bytes, told);
    for (const std::string_view name : names) {
      EXPECT_TRUE(found(all, store::kPatientName, name)) << name;
    }
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

TEST_F(SearchKeysTest, ANameIsFoundInWhateverCaseAndWithWhateverBlanks) {
  expect_named(patient("Invented^Ina"),
               {"invented", "INVENTED", " Invented ,  Ina ", "invented^INA"});
  expect_named(patient("MÜLLER^ZOË", "UNICODE UTF-8"),
               {"Müller", "müller", "MÜLLER", "Müller, Zoë", "mu\u0308ller ,  zoe\u0308"});
  expect_named(patient("Große  Freude", "UNICODE UTF-8"), {"GROSSE FREUDE", "große freude"});
  EXPECT_FALSE(found(keys_of(patient("Müller", "UNICODE UTF-8")), store::kPatientName, "Muller"));
}

TEST_F(SearchKeysTest, ANameIsFoundWhateverCharacterSetItCameIn) {
  expect_named(patient("M\xFCller^Zo\xEB", "8859/1"), {"Müller", "MÜLLER, ZOË"});
  expect_named(patient("M\xFCller"), {"Müller", "MÜLLER"});  // says nothing
  expect_named(patient("Müller"), {"MÜLLER"});
  expect_named(patient("\xA3ukasiewicz", "8859/2"), {"Łukasiewicz", "łukasiewicz"});
  expect_named(patient("\xB8\xD2\xD0\xDD\xDE\xD2\xD0", "8859/5"), {"Иванова", "ИВАНОВА"});
}

TEST_F(SearchKeysTest, TheChannelsCharacterSetGoesBeforeTheMessages) {
  const std::string bytes = patient("\xD9\xE5\xF0\xE1\xE0\xEA\xEE\xE2\xE0", "8859/1");
  expect_named(bytes, {"Щербакова", "ЩЕРБАКОВА"}, "windows-1251");
  EXPECT_FALSE(found(keys_of(bytes), store::kPatientName, "Щербакова"));
}

TEST_F(SearchKeysTest, NamesThatSwitchBetweenSetsAreRead) {
  expect_named(
      message("PID|1||4711||\\M2442\\;3ED\\C2842\\^\\M2442\\B@O:\\C2842\\\r", "ASCII~ISO IR87"),
      {"山田", "山田, 太郎"});
  expect_named(patient("\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B", "~ISO IR87"), {"山田", "山田^太郎"});
}

TEST_F(SearchKeysTest, AMessageInUtf16IsFoundAsAnyOther) {
  std::string bytes = "\xFF\xFE";
  for (const char c : message("PID|1||4711||Muster^Eva\rOBR|1|P1|F1\r")) bytes += {c, '\0'};
  const auto all = keys_of(bytes);
  EXPECT_TRUE(found(all, store::kPatientNumber, "4711"));
  EXPECT_TRUE(found(all, store::kPatientName, "MUSTER, EVA"));
  EXPECT_TRUE(found(all, store::kAccession, "F1"));
}

// Names were hashed as the bytes that came, with ASCII letters in capitals. Messages of then are
// found by these, and holds of then have to cover what comes in now.
TEST_F(SearchKeysTest, WhatEarlierVersionsHashedIsFoundAndIsStillGiven) {
  const store::Store& store = engine_->store();
  const auto wanted = search_keys_for(store::kPatientName, "Müller", store);
  EXPECT_THAT(wanted, testing::IsSupersetOf({store.search_key(store::kPatientName, "MüLLER"),
                                             store.search_key(store::kPatientName, "M\xFCLLER")}));
  EXPECT_THAT(keys_of(patient("M\xFCller^Zo\xEB", "8859/1")),
              testing::IsSupersetOf({store.search_key(store::kPatientName, "M\xFCLLER"),
                                     store.search_key(store::kPatientName, "M\xFCLLER^ZO\xEB")}));
  EXPECT_THAT(keys_of(patient("Invented^Ina")),
              testing::ElementsAre(store.search_key(store::kPatientNumber, "4711"),
                                   store.search_key(store::kPatientName, "INVENTED"),
                                   store.search_key(store::kPatientName, "INVENTED^INA")));
}

TEST_F(SearchKeysTest, ANameThatNobodyHasIsNotFolded) {
  std::string name;
  for (int i = 0; i < 1000; ++i) name += "Ü";
  const store::Store& store = engine_->store();
  const auto wanted = search_keys_for(store::kPatientName, name, store);
  ASSERT_FALSE(wanted.empty());
  EXPECT_EQ(wanted[0], store.search_key(store::kPatientName, name));
  EXPECT_THAT(keys_of(patient(name, "UNICODE UTF-8")), testing::Contains(wanted[0]));
}

TEST_F(SearchKeysTest, NumbersAreHashedAsTheyCame) {
  const store::Store& store = engine_->store();
  EXPECT_THAT(keys_of(message("PID|1||\xC4-47\r", "8859/1")),
              testing::ElementsAre(store.search_key(store::kPatientNumber, "\xC4-47")));
  EXPECT_THAT(search_keys_for(store::kAccession, "ä1", store),
              testing::ElementsAre(store.search_key(store::kAccession, "ä1")));
}

}  // namespace
}  // namespace cannula::pipeline
