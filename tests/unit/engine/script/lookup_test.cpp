// lookup, park until mapped, and reply.
#include "rules/tables/table.h"
#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class LookupTest : public ScriptTest {
 protected:
  LookupTest() {
    rules::Resources resources;
    resources.tables["codes"] = table("codes",
                                      "code,loinc,unit,active_from,active_to\n"
                                      "K,2823-3,mmol/L,,\n"
                                      "NA,2951-2,,,\n"
                                      "OLD,1-8,,,2025-12-31\n"
                                      "7,718-7,,,\n",
                                      {});
    tables::TableSettings two;
    two.keys = {"lab", "code"};
    resources.tables["by-lab"] = table("by-lab", "lab,code,loinc\nNORTH,K,2823-3\n", two);
    host_.known = std::make_shared<const rules::Resources>(std::move(resources));
  }
  static std::shared_ptr<const tables::Table> table(const std::string& name, const std::string& csv,
                                                    tables::TableSettings settings) {
    auto read = tables::Table::read(name, std::make_shared<Source>(name + ".csv", csv),
                                    std::move(settings));
    EXPECT_TRUE(read.table) << render(read.findings);
    return read.table;
  }
  // The text that a script gives to skip().
  std::string said(const std::string& expression) {
    const Conclusion conclusion = work_in_main("skip(tostring(" + expression + "))");
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::skipped) << conclusion.reason;
    return conclusion.reason;
  }
  Conclusion work_in_main(const std::string& body) {
    return work("function main(msg)\n" + body + "\nend");
  }
};

TEST_F(LookupTest, ARowIsReadByColumn) {
  EXPECT_EQ(said("lookup('codes', 'K').loinc"), "2823-3");
  EXPECT_EQ(said("lookup('codes', 'NA').unit"), "nil") << "an empty cell is nil";
  EXPECT_EQ(said("lookup('codes', 7).loinc"), "718-7") << "a number is looked up as its text";
  EXPECT_EQ(said("lookup('codes', phi('K')).loinc"), "2823-3");
  EXPECT_EQ(said("lookup('by-lab', { 'NORTH', 'K' }).loinc"), "2823-3");
}

TEST_F(LookupTest, AMissIsNilAndCountedOnce) {
  const Conclusion conclusion = work_in_main(R"(
    if lookup('codes', 'X', { text = 'Xylose' }) then error('found') end
    lookup('codes', 'X')
    lookup('by-lab', { 'SOUTH', 'K' }))");
  EXPECT_EQ(conclusion.kind, Conclusion::Kind::finished) << conclusion.reason;
  EXPECT_THAT(conclusion.misses,
              ElementsAre(Miss{"codes", "X", "Xylose"}, Miss{"by-lab", "SOUTH\x1fK", ""}));
}

TEST_F(LookupTest, ARowThatIsNoLongerActiveIsAMiss) {
  EXPECT_EQ(said("lookup('codes', 'OLD')"), "nil");
}

TEST_F(LookupTest, MustParksUntilTheRowIsThere) {
  const Conclusion conclusion = work_in_main("lookup.must('codes', 'X') send('ehr', msg)");
  EXPECT_EQ(conclusion.kind, Conclusion::Kind::parked);
  EXPECT_TRUE(conclusion.until_mapped);
  EXPECT_THAT(conclusion.reason, HasSubstr("'X'"));
  EXPECT_THAT(conclusion.sends, IsEmpty());
  EXPECT_THAT(conclusion.misses, SizeIs(1));
  EXPECT_EQ(said("lookup.must('codes', 'K').loinc"), "2823-3");
}

TEST_F(LookupTest, ParkWaitsForEveryCodeThatMissed) {
  Conclusion conclusion = work_in_main(R"(
    lookup('codes', 'X') lookup('codes', 'Y')
    park('codes without LOINC', { until_mapped = true }))");
  EXPECT_EQ(conclusion.kind, Conclusion::Kind::parked);
  EXPECT_TRUE(conclusion.until_mapped);
  EXPECT_THAT(conclusion.misses, SizeIs(2));

  conclusion = work_in_main("lookup('codes', 'X') park('for a person')");
  EXPECT_FALSE(conclusion.until_mapped);
  conclusion = work_in_main("park('why', { until_mapped = true })");
  EXPECT_THAT(conclusion.reason, HasSubstr("no lookup of this message missed"));
}

TEST_F(LookupTest, MistakesSayWhatThereIs) {
  EXPECT_THAT(work_in_main("lookup('code', 'K')").reason, HasSubstr("did you mean 'codes'?"));
  EXPECT_THAT(work_in_main("return lookup('codes', 'K').lonic").reason,
              HasSubstr("did you mean 'loinc'?"));
  EXPECT_THAT(work_in_main("lookup('by-lab', 'K')").reason, HasSubstr("lab, code"));
  EXPECT_THAT(work_in_main("lookup('codes', { 'K', 'L' })").reason, HasSubstr("one column"));
  EXPECT_THAT(work_in_main("lookup('codes', 'K').loinc = 'x'").reason, HasSubstr("L232"));
  EXPECT_THAT(load("lookup('codes', 'K') function main(msg) end"), SizeIs(1));
}

TEST_F(LookupTest, TheTraceTellsEachLookup) {
  const Conclusion conclusion = work_in_main("lookup('codes', 'K') lookup('codes', phi('X'))");
  EXPECT_THAT(conclusion.trace,
              HasSubstr(R"("lookup":{"table":"codes","key":"K","line":2,)"
                        R"("row":{"code":"K","loinc":"2823-3","unit":"mmol/L"}})"));
  EXPECT_THAT(conclusion.trace, HasSubstr(R"("lookup":{"table":"codes","key":"***","row":null})"));
}

TEST_F(LookupTest, ARowDiesWithItsMessage) {
  ASSERT_THAT(load(R"(local kept function main(msg)
    if kept then return skip(kept.loinc) end kept = lookup('codes', 'K') end)"),
              IsEmpty());
  EXPECT_EQ(finish(*runtime_->begin(input())).kind, Conclusion::Kind::finished);
  EXPECT_THAT(finish(*runtime_->begin(input())).reason,
              HasSubstr("belongs to a message whose run has ended"));
}

using ReplyTest = LookupTest;

TEST_F(ReplyTest, TheLastReplyOfARunIsTheAnswer) {
  const Conclusion conclusion = work_in_main(R"(
    reply{ status = 500 }
    reply{ status = 201, headers = { Location = 'Patient/1' }, body = 'made' })");
  ASSERT_TRUE(conclusion.reply);
  EXPECT_EQ(conclusion.reply->status, 201u);
  EXPECT_THAT(conclusion.reply->headers, ElementsAre(Pair("Location", "Patient/1")));
  EXPECT_EQ(*conclusion.reply->body, "made");
  EXPECT_EQ(*work_in_main("reply{ body = { a = { 1, 2 } } }").reply->body, R"({"a":[1,2]})");
  EXPECT_EQ(*work_in_main("reply{ body = json.parse('{\"b\": 1.00}') }").reply->body,
            R"({"b":1.00})");
  EXPECT_TRUE(work_in_main("reply{ status = 404 } skip('not here')").reply);
  EXPECT_FALSE(work_in_main("reply{ status = 200 } error('no')").reply);
}

TEST_F(ReplyTest, WhatCannotBeAnsweredIsRefused) {
  EXPECT_THAT(work_in_main("reply{ status = 99 }").reason, HasSubstr("200 to 599"));
  EXPECT_THAT(work_in_main("reply{ statsu = 200 }").reason, HasSubstr("did you mean 'status'?"));
  EXPECT_THAT(work_in_main("reply{ headers = { ['X-A'] = 'a\\r\\nX-B: b' } }").reason,
              HasSubstr("L234"));
  EXPECT_THAT(work_in_main("reply('text')").reason, HasSubstr("a table"));
}

}  // namespace
}  // namespace cannula::script
