#include "parsers/tree/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::tree {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Document parsed(std::string_view text) {
  auto document = Document::parse(make_bytes(std::string(text)));
  EXPECT_TRUE(document) << document.error().text();
  return document ? *std::move(document) : Document();
}

Path path(std::string_view text) {
  return Path::parse(text).value();
}

std::string read(const Document& document, std::string_view where) {
  return document.root().find(path(where)).text();
}

constexpr std::string_view kBundle = R"({
  "resourceType": "Bundle",
  "total": 2.50,
  "entry": [
    {"resource": {"resourceType": "Patient", "id": "p1", "active": true,
                  "name": [{"family": "Muster", "given": ["Anna", "B\u00e9a"]}]}},
    {"resource": {"resourceType": "Observation", "id": "o1", "valueQuantity": {"value": 0.010}}}
  ],
  "link": [],
  "meta": null
})";

TEST(Document, ReadsByPath) {
  const Document document = parsed(kBundle);
  EXPECT_EQ(read(document, "resourceType"), "Bundle");
  EXPECT_EQ(read(document, "entry[1].resource.id"), "p1");
  EXPECT_EQ(read(document, "entry[2].resource.id"), "o1");
  EXPECT_EQ(read(document, "entry[1].resource.name[1].given[2]"), "Béa");
  EXPECT_EQ(read(document, "entry[1].resource.active"), "true");
  EXPECT_EQ(read(document, "meta"), "");
  EXPECT_EQ(document.root().find(path("meta")).kind(), Kind::null);
  EXPECT_EQ(document.root().find(path("entry[3]")).kind(), Kind::missing);
  EXPECT_EQ(document.root().find(path("total.x")).kind(), Kind::missing);
}

TEST(Document, ANameInAnArrayIsLookedForInItsFirstElement) {
  const Document document = parsed(kBundle);
  EXPECT_EQ(read(document, "entry.resource.name.family"), "Muster");
}

TEST(Document, AStarReadsTheFirstPlaceThereIsAndFindsAll) {
  const Document document = parsed(kBundle);
  EXPECT_EQ(read(document, "entry[*].resource.valueQuantity.value"), "0.010");
  std::vector<std::string> ids;
  for (const Node node : document.root().find_all(path("entry[*].resource.id"))) {
    ids.push_back(node.text());
  }
  EXPECT_THAT(ids, ElementsAre("p1", "o1"));
}

TEST(Document, KeepsTheTextOfNumbers) {
  for (const char* number : {"1.00", "0.010", "100000000000000000001", "-0", "1E+2", "7.10"}) {
    const Document document = parsed(std::string("[") + number + "]");
    EXPECT_EQ(read(document, "[1]"), number);
    EXPECT_EQ(document.encode(), std::string("[") + number + "]");
  }
}

TEST(Document, ContainersReadAsTheirJson) {
  EXPECT_EQ(read(parsed(kBundle), "entry[1].resource.name[1]"),
            R"({"family":"Muster","given":["Anna","B\u00e9a"]})");
}

TEST(Document, KnowsWhereEachValueStood) {
  const std::string text = "\xEF\xBB\xBF {\"a\": [1, \"x\"]}";
  const Document document = parsed(text);
  EXPECT_EQ(document.root().offset(), text.find('{'));
  EXPECT_EQ(document.root().find(path("a")).offset(), text.find('['));
  EXPECT_EQ(document.root().find(path("a[2]")).offset(), text.find("\"x\""));
}

TEST(Document, WritesWhatItReadInTheSameOrder) {
  const std::string text = R"({"z":1,"a":{"y":[true,false,null,{}],"b":"\u00e9\/\n"},"":[]})";
  EXPECT_EQ(parsed(text).encode(), text);
}

TEST(Document, WritesIndented) {
  EXPECT_EQ(parsed(R"({"a":[1,{"b":2}],"c":{}})").encode(2),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": {}\n}");
}

TEST(Document, EscapesInNamesAreDecodedAndWrittenAgain) {
  const Document document = parsed(R"({"a\"b\u0041":1})");
  EXPECT_EQ(document.root().first().name(), "a\"bA");
  EXPECT_EQ(document.encode(), R"({"a\"bA":1})");
}

TEST(Document, DecodesSurrogatePairs) {
  EXPECT_EQ(read(parsed(R"(["\ud83d\ude00"])"), "[1]"), "\xF0\x9F\x98\x80");
}

TEST(Document, TellsItsPath) {
  const Document document = parsed(kBundle);
  const std::string_view where = "entry[1].resource.name[1].given[2]";
  EXPECT_EQ(document.root().find(path(where)).path().text(), where);
}

// -- Errors

struct Wrong {
  std::string_view text;
  std::string_view code;
  std::string_view place;
  std::string_view says;
};

TEST(DocumentErrors, NameThePlaceAndWhatWasExpected) {
  const Wrong cases[] = {
      {"{\"a\": 1,\n  \"b\" 2}", "N101", "line 2, column 7", "'2' was found where ':'"},
      {"{\"a\": 1 \"b\": 2}", "N101", "line 1, column 9", "',' or '}'"},
      {"{\"a\": 1,}", "N101", "line 1, column 9", "a name in double quotes"},
      {"[1,]", "N101", "line 1, column 4", "']' was found where a value"},
      {"[1 2]", "N101", "line 1, column 4", "',' or ']'"},
      {"{'a': 1}", "N101", "line 1, column 2", "''a'' was found where a name"},
      {"[tru]", "N101", "line 1, column 2", "'tru' was found where a value"},
      {"[\"a\"b]", "N101", "line 1, column 5", "',' or ']'"},
      {"[1] x", "N101", "line 1, column 5", "the end of the document"},
      {"[1", "N101", "line 1, column 3", "the text ends"},
      {"{\"a\":", "N101", "line 1, column 6", "the text ends where a value"},
      {"]", "N101", "line 1, column 1", "a value"},
      {"{]", "N101", "line 1, column 2", "a name"},
      {"[\"M\xFCller\"]", "N102", "line 1, column 4", "UTF-8"},
      {"[\"a\nb\"]", "N103", "line 1, column 4", "control character"},
      {"[\"abc", "N104", "line 1, column 2", "never closed"},
      {"[\"a\\x\"]", "N105", "line 1, column 4", "'\\x'"},
      {"[\"\\ud800\"]", "N105", "line 1, column 3", "\\ud800"},
      {"[\"\\udc00\\ud800\"]", "N105", "line 1, column 3", "\\udc00"},
      {"[01]", "N106", "line 1, column 2", "'01' is not a number"},
      {"[1.]", "N106", "line 1, column 2", "'1.'"},
      {"[+1]", "N106", "line 1, column 2", "'+1'"},
      {"", "N109", "", "empty"},
      {" \n", "N109", "", "empty"},
  };
  for (const Wrong& wrong : cases) {
    const auto document = Document::parse(make_bytes(std::string(wrong.text)));
    ASSERT_FALSE(document) << wrong.text;
    EXPECT_EQ(document.error().code, wrong.code) << wrong.text;
    EXPECT_THAT(document.error().message, HasSubstr(std::string(wrong.place))) << wrong.text;
    EXPECT_THAT(document.error().message, HasSubstr(std::string(wrong.says))) << wrong.text;
  }
}

TEST(DocumentErrors, DepthIsLimitedAndNothingOverflows) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(Document::parse(make_bytes(nested(256))));
  const auto deep = Document::parse(make_bytes(nested(257)));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, "N107");
  EXPECT_EQ(Document::parse(make_bytes(std::string(2'000'000, '['))).error().code, "N107");
  const auto very_deep = Document::parse(make_bytes(nested(100'000)), {.depth = 100'000});
  ASSERT_TRUE(very_deep);
  EXPECT_EQ(very_deep->encode(), nested(100'000));
}

TEST(DocumentErrors, ManySmallValuesAreBoundedByMemory) {
  std::string numbers = "[1", names = "{\"n\":1";
  for (int i = 0; i < 100'000; ++i) {
    numbers += ",1";
    names += ",\"n" + std::to_string(i) + "\":{}";
  }
  Document::Limits limits;
  limits.memory = 1u << 20;
  EXPECT_EQ(Document::parse(make_bytes(numbers + "]"), limits).error().code, "N110");
  EXPECT_EQ(Document::parse(make_bytes(names + "}"), limits).error().code, "N110");
  // A long text is one value, and it is not copied.
  const auto one = Document::parse(make_bytes("[\"" + std::string(2u << 20, 'x') + "\"]"), limits);
  ASSERT_TRUE(one);
  EXPECT_LT(one->memory(), 10'000u);
  limits.memory = 16u << 20;
  const auto enough = Document::parse(make_bytes(numbers + "]"), limits);
  ASSERT_TRUE(enough);
  EXPECT_LT(enough->memory(), 100'002u * 33 + 10'000);
}

TEST(DocumentErrors, SizeIsLimited) {
  const auto large = Document::parse(make_bytes("[1, 2, 3]"), {.size = 8});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, "N108");
}

TEST(DocumentErrors, ANameThatStandsTwiceIsAFinding) {
  const Document document =
      parsed("{\"a\": 1, \"b\": {\"a\": 2},\n \"a\": 3, \"c\": [{\"x\":1,\"x\":2}]}");
  EXPECT_EQ(read(document, "a"), "1");
  const auto findings = document.findings("order.json");
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].path, "c[1].x");
  EXPECT_EQ(findings[1].path, "a");
  EXPECT_THAT(render(findings[1]), HasSubstr("order.json:2:7: warning[N201]"));
  EXPECT_THAT(document.encode(), HasSubstr(R"("a":3)"));
}

// -- Editing

TEST(DocumentEdits, WritesByPathAndMakesWhatIsMissing) {
  Document document;
  ASSERT_TRUE(document.set(path("resourceType"), document.make_string("Patient")));
  ASSERT_TRUE(document.set(path("name[1].given[1]"), document.make_string("Anna")));
  ASSERT_TRUE(document.set(path("name[1].given[2]"), document.make_string("B\"")));
  ASSERT_TRUE(document.set(path("multipleBirthInteger"), document.make_number("2")));
  EXPECT_EQ(document.encode(), R"({"resourceType":"Patient","name":[{"given":["Anna","B\""]}],)"
                               R"("multipleBirthInteger":2})");
}

TEST(DocumentEdits, ReplacesWhatIsThereAndKeepsTheRest) {
  Document document = parsed(kBundle);
  ASSERT_TRUE(document.set(path("entry[1].resource.name[1]"), document.make_null()));
  ASSERT_TRUE(
      document.set(path("entry[2].resource.valueQuantity.value"), document.make_number("7.10")));
  EXPECT_THAT(document.encode(), HasSubstr(R"("name":[null])"));
  EXPECT_THAT(document.encode(), HasSubstr(R"("valueQuantity":{"value":7.10})"));
  EXPECT_THAT(document.encode(), HasSubstr(R"("total":2.50)"));
}

TEST(DocumentEdits, WithAStarEachPlaceThereIsIsWritten) {
  Document document = parsed(R"({"name":[{"use":"old"},{}],"other":[]})");
  ASSERT_TRUE(document.set(path("name[*].use"), document.make_string("official")));
  ASSERT_TRUE(document.set(path("other[*].use"), document.make_string("official")));
  ASSERT_TRUE(document.set(path("none[*].use"), document.make_string("official")));
  EXPECT_EQ(document.encode(), R"({"name":[{"use":"official"},{"use":"official"}],"other":[]})");
}

TEST(DocumentEdits, RefusesWaysThroughValuesAndGapsAndChangesNothing) {
  Document document = parsed(R"({"a":"text","b":[1],"c":{}})");
  const std::string before = document.encode();
  const auto through = document.set(path("a.x"), document.make_null());
  ASSERT_FALSE(through);
  EXPECT_EQ(through.error().code, "N301");
  EXPECT_THAT(through.error().message, HasSubstr("at 'a' stands a string"));
  const auto gap = document.set(path("new.b[3].y"), document.make_null());
  ASSERT_FALSE(gap);
  EXPECT_EQ(gap.error().code, "N302");
  const auto beyond = document.set(path("b[3]"), document.make_null());
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, "N302");
  EXPECT_FALSE(document.set(path("c[1]"), document.make_null()));
  EXPECT_EQ(document.set(path("b.x"), document.make_null()).error().code, "N301");
  EXPECT_EQ(document.encode(), before);
}

TEST(DocumentEdits, NullsOnTheWayBecomeObjects) {
  Document document = parsed(R"({"a":[null],"b":[],"c":null})");
  ASSERT_TRUE(document.set(path("a.x"), document.make_number("1")));
  ASSERT_TRUE(document.set(path("b.x"), document.make_number("2")));
  ASSERT_TRUE(document.set(path("c.x"), document.make_number("3")));
  EXPECT_EQ(document.encode(), R"({"a":[{"x":1}],"b":[{"x":2}],"c":{"x":3}})");
}

TEST(DocumentEdits, RemovesPlaces) {
  Document document = parsed(R"({"a":[1,2,3],"b":{"x":1,"y":2},"c":1})");
  document.remove(document.root().id(), path("a[2]"));
  document.remove(document.root().id(), path("b.y"));
  document.remove(document.root().id(), path("c"));
  document.remove(document.root().id(), path("none.at[1].all"));
  EXPECT_EQ(document.encode(), R"({"a":[1,3],"b":{"x":1}})");
  document.append(document.root().find(path("a")).id(), document.make_number("4"));
  EXPECT_EQ(document.encode(), R"({"a":[1,3,4],"b":{"x":1}})");
}

TEST(DocumentEdits, CopiesFromAnotherDocument) {
  Document target = parsed(R"({"entry":[]})");
  {
    const Document source = parsed(kBundle);
    const NodeId copied = target.copy(source.root().find(path("entry[1].resource")));
    ASSERT_TRUE(target.set(path("entry[1].resource"), copied));
  }
  EXPECT_EQ(read(target, "entry[1].resource.name[1].given[2]"), "Béa");
  EXPECT_THAT(target.encode(), HasSubstr(R"({"family":"Muster","given":["Anna","B\u00e9a"]})"));
}

TEST(DocumentEdits, CopiesInsideADocumentAreEditedOnTheirOwn) {
  Document document = parsed(R"({"a":{"x":["1"]}})");
  document.add(document.root().id(), "b", document.copy(document.root().member("a")));
  ASSERT_TRUE(document.set(path("b.x[1]"), document.make_string("2")));
  EXPECT_EQ(document.encode(), R"({"a":{"x":["1"]},"b":{"x":["2"]}})");
}

TEST(DocumentEdits, ACopyOfADocumentIsEditedOnItsOwn) {
  Document document = parsed(R"({"a":"1"})");
  ASSERT_TRUE(document.set(path("b"), document.make_string("made")));
  Document copy = document;
  ASSERT_TRUE(copy.set(path("b"), copy.make_string("other")));
  ASSERT_TRUE(document.set(path("c"), document.make_string("third")));
  EXPECT_EQ(document.encode(), R"({"a":"1","b":"made","c":"third"})");
  EXPECT_EQ(copy.encode(), R"({"a":"1","b":"other"})");
}

TEST(DocumentEdits, KnowsWhetherItWasEdited) {
  Document document = parsed(R"({"a":1})");
  EXPECT_FALSE(document.edited());
  document.remove(document.root().id(), path("b"));
  EXPECT_FALSE(document.edited());
  ASSERT_TRUE(document.set(path("a"), document.make_number("2")));
  EXPECT_TRUE(document.edited());
}

TEST(DocumentEdits, IsEmptyAgainAfterClear) {
  Document document = parsed(R"({"a":"1"})");
  ASSERT_TRUE(document.set(path("made"), document.make_string("long enough to be kept")));
  const Document copy = document;
  document.clear();
  EXPECT_FALSE(document.root());
  EXPECT_EQ(document.received(), nullptr);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(document.set(path("b" + std::to_string(round)), document.make_string("x\ny")));
    EXPECT_EQ(document.encode(), "{\"b" + std::to_string(round) + "\":\"x\\ny\"}");
    document.clear();
  }
  EXPECT_EQ(copy.encode(), R"({"a":"1","made":"long enough to be kept"})");
}

TEST(DocumentEdits, TakesOnlyUtf8AndNumbers) {
  Document document;
  EXPECT_EQ(document.make_string("M\xFCller"), kNone);
  EXPECT_EQ(document.make_number("7,1"), kNone);
  EXPECT_EQ(document.make_number(""), kNone);
  EXPECT_NE(document.make_string("Müller"), kNone);
}

TEST(DocumentEdits, AStringOfAnyLengthIsEscapedWhereverItNeedsTo) {
  for (std::size_t size = 1; size < 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      std::string escaped = text;
      text[at] = '"';
      escaped.replace(at, 1, "\\\"");
      Document document;
      document.set_root(document.make_string(text));
      EXPECT_EQ(document.encode(), '"' + escaped + '"');
      std::string quoted;
      append_json_string(quoted, text);
      EXPECT_EQ(quoted, document.encode());
      text[at] = '\xFF';
      EXPECT_EQ(document.make_string(text), kNone);
    }
  }
}

TEST(DocumentEdits, ManyNamesAreFound) {
  Document document;
  document.set_root(document.make_object());
  for (int at = 0; at < 5000; ++at) {
    document.add(document.root().id(), "name" + std::to_string(at), document.make_boolean(true));
  }
  const Document again = parsed(document.encode());
  EXPECT_EQ(again.root().size(), 5000u);
  EXPECT_TRUE(again.root().member("name4999"));
  EXPECT_TRUE(again.findings().empty());
}

// -- Paths

TEST(TreePath, IsWrittenAsItIsRead) {
  for (const char* text : {"id", "entry[1].resource.id", "entry[*].x", "[2].code", "a[1][2]",
                           "extension[\"http://a.b/c\"].url", "[\"\"]"}) {
    const auto read = Path::parse(text);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->text(), text);
  }
}

TEST(TreePath, RefusesWhatIsNone) {
  for (const char* text :
       {"", ".", "a.", "a..b", "a[0]", "a[x]", "a[", "a]b", "a[1]b", "[\"a", "a\xFF"}) {
    const auto read = Path::parse(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, "N001");
  }
}

}  // namespace
}  // namespace cannula::tree
