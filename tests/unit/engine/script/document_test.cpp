// JSON in a script's hands: the received document, documents it makes, json, msg.request and the
// HTTP options of send.
#include "parsers/tree/document.h"

#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kBundle =
    R"( {"resourceType":"Bundle","id":"b1","total":2.50,"entry":[{"resource":{"id":"p1",)"
    R"("active":true,"name":[{"family":"Muster","given":["Anna","B\u00e9a"]}],"text":null}},)"
    R"({"resource":{"id":"o1","value":0.010}}],"link":[]})";

class DocumentTest : public ScriptTest {
 protected:
  // What `expression` gives for the bundle, as tostring.
  std::string value(const std::string& expression) {
    return sent("send('ehr', tostring(" + expression + "))", kBundle);
  }
};

TEST_F(DocumentTest, PathsReadTextsAndNil) {
  EXPECT_EQ(value("msg['entry[1].resource.id']"), "p1");
  EXPECT_EQ(value("msg['entry[2].resource.value']"), "0.010");
  EXPECT_EQ(value("msg['entry[1].resource.active']"), "true");
  EXPECT_EQ(value("msg['entry[1].resource.name[1].given[2]']"), "B\u00e9a");
  EXPECT_EQ(value("msg['entry[1].resource.text']"), "nil");
  EXPECT_EQ(value("msg['entry[9].resource.id']"), "nil");
  EXPECT_EQ(value("msg['entry[1].resource.name[1]']"),
            R"({"family":"Muster","given":["Anna","B\u00e9a"]})");
  EXPECT_EQ(value("msg['entry[*].resource.value']"), "0.010");
}

TEST_F(DocumentTest, NamesThatStandTwiceAreToldToWhoAsks) {
  const std::string_view twice = R"({"a":{"dose":"1","x":0,"dose":"2"},"b":1})";
  EXPECT_EQ(sent("send('ehr', table.concat(msg:doubled(), ' ') .. ' ' .. msg.a.dose)", twice),
            "a.dose 1");
  EXPECT_EQ(value("#msg:doubled()"), "0");
}

TEST_F(DocumentTest, NamesReadTextsOrNodes) {
  EXPECT_EQ(value("msg.resourceType == 'Bundle'"), "true");
  EXPECT_EQ(value("msg.entry[1].resource.name[1].family"), "Muster");
  EXPECT_EQ(value("msg.entry[1].resource.name[1].given[1]"), "Anna");
  EXPECT_EQ(value("msg.entry[2].resource['value']"), "0.010");
  EXPECT_EQ(value("msg.missing"), "nil");
  EXPECT_EQ(value("msg.entry[3]"), "nil");
  EXPECT_EQ(value("#msg.entry"), "2");
}

TEST_F(DocumentTest, ADocumentOfManyValuesIsRefusedBeforeItTakesTheMemory) {
  std::string numbers = "[1";
  for (int i = 0; i < 3'000'000; ++i) numbers += ",1";
  numbers += "]";
  const Conclusion conclusion = work("function main(doc) return doc['[1]'] end", numbers);
  EXPECT_EQ(conclusion.kind, Conclusion::Kind::failed);
  EXPECT_EQ(conclusion.code, "L235");
  EXPECT_FALSE(runtime_->closed());
}

TEST_F(DocumentTest, AMissingPlaceIsANodeToo) {
  EXPECT_EQ(value("msg:at('entry[9].resource'):isempty()"), "true");
  EXPECT_EQ(value("msg:at('entry[9].resource'):at('name'):text() == ''"), "true");
  EXPECT_EQ(value("msg:at('total'):is('2.50')"), "true");
  EXPECT_EQ(value("msg:at('entry'):kind()"), "array");
  EXPECT_EQ(value("msg:at('entry[1].resource.text'):isnull()"), "true");
  EXPECT_EQ(value("msg:at('link'):isempty()"), "true");
  EXPECT_EQ(value("msg:at('entry[2].resource'):path()"), "entry[2].resource");
  EXPECT_EQ(value("table.concat(msg.entry[2].resource:keys(), ',')"), "id,value");
}

TEST_F(DocumentTest, WalksElementsMembersAndPlaces) {
  EXPECT_EQ(sent("local t = '' for e in msg:each('entry') do t = t .. e['resource.id'] end "
                 "send('ehr', t)",
                 kBundle),
            "p1o1");
  EXPECT_EQ(
      sent("local t = '' for id in msg:each('entry[*].resource.id') do t = t .. id:text() end "
           "for m in msg.entry[2].resource:each() do t = t .. m:key() end send('ehr', t)",
           kBundle),
      "p1o1idvalue");
  EXPECT_EQ(sent("for e in msg:each('none') do error('none') end send('ehr', 'ok')", kBundle),
            "ok");
}

TEST_F(DocumentTest, WhatTheEngineKnowsOfTheMessage) {
  EXPECT_EQ(value("msg.id"), "01JTEST");
  EXPECT_EQ(value("msg:get('id')"), "b1");
  EXPECT_EQ(value("msg.partner"), "north");
  EXPECT_EQ(value("msg.raw"), kBundle);
  EXPECT_EQ(value("msg.request"), "nil");
  EXPECT_THAT(failure("msg.id = 'x'", kBundle), HasSubstr("msg:set(\"id\", value)"));
  EXPECT_EQ(sent("msg:set('id', 'x') send('ehr', msg:get('id'))", kBundle), "x");
}

TEST_F(DocumentTest, TheReceivedDocumentIsSentAsItCameUntilItIsEdited) {
  EXPECT_EQ(sent("local x = msg['total'] send('ehr', msg)", kBundle), "(as received)");
  EXPECT_EQ(sent("msg['total'] = json.number('7.10') msg.link = nil msg.entry = nil "
                 "send('ehr', msg)",
                 kBundle),
            R"({"resourceType":"Bundle","id":"b1","total":7.10})");
}

TEST_F(DocumentTest, WritesEachKindOfValue) {
  EXPECT_EQ(sent(R"(local d = json.parse('{}')
    d['a[1].b'] = 'text "quoted"' d.int = 3 d.float = 7.5 d.yes = true d.null = json.null
    d.list = {1, 'x', {y = 1}} d.empty = {} d.none = json.array{} d.copy = d.list
    d.list[1] = 2  d:at('deep.er[1]'):set('made') d['list[*]'] = nil
    send('ehr', d))"),
            R"({"a":[{"b":"text \"quoted\""}],"int":3,"float":7.5,"yes":true,"null":null,)"
            R"("list":[],"empty":{},"none":[],"copy":[1,"x",{"y":1}],"deep":{"er":["made"]}})");
}

TEST_F(DocumentTest, TablesAreWrittenInTheOrderOfTheirNames) {
  EXPECT_EQ(sent("send('ehr', json.encode{ z = 1, a = { 'x', nil, 'y' }, m = { k = false } })"),
            R"({"a":["x","y"],"m":{"k":false},"z":1})");
  EXPECT_EQ(sent("send('ehr', json.encode('a\\n') .. json.encode(nil) .. json.encode(1.5))"),
            "\"a\\n\"null1.5");
  EXPECT_EQ(sent("send('ehr', json.encode({ a = 1 }, 2))"), "{\n  \"a\": 1\n}");
}

TEST_F(DocumentTest, BecomesAPlainTable) {
  EXPECT_EQ(sent(R"(local t = msg:table()
    send('ehr', t.entry[1].resource.name[1].given[1] .. t.total .. tostring(t.entry[1].resource.text)
      .. math.type(json.parse('[12]'):table()[1]) .. tostring(json.parse('[null]'):table()[1]
      == json.null)))",
                 kBundle),
            "Anna2.5nilintegertrue");
}

TEST_F(DocumentTest, CopiesAreEditedOnTheirOwn) {
  EXPECT_EQ(sent("local c = msg.entry[2].resource:copy() c.id = 'c' "
                 "send('ehr', c['id'] .. msg['entry[2].resource.id'])",
                 kBundle),
            "co1");
}

TEST_F(DocumentTest, ErrorsSayWhere) {
  EXPECT_THAT(failure("local x = msg.a", "{\"a\": 1,\n \"b\" 2}"),
              HasSubstr("line 2, column 6: '2' was found where ':'"));
  EXPECT_EQ(code_, "L228");
  EXPECT_EQ(sent("send('ehr', msg.raw)", "{\"a\""), "{\"a\"");
  EXPECT_THAT(failure("json.parse('[1,]')"), HasSubstr("line 1, column 4"));
  EXPECT_THAT(failure("local x = msg['a..b']", kBundle), HasSubstr("[L220]"));
  EXPECT_THAT(failure("msg['total.x'] = 1", kBundle), HasSubstr("[L222]"));
  EXPECT_THAT(failure("msg.x = function() end", kBundle), HasSubstr("not a function"));
  EXPECT_THAT(failure("msg.x = { 1, y = 2 }", kBundle), HasSubstr("[L229]"));
  EXPECT_THAT(failure("msg.x = 'M\\xFCller'", kBundle), HasSubstr("not UTF-8"));
  EXPECT_THAT(failure("json.encode{ ['\\xFF'] = 1 }"), HasSubstr("not UTF-8"));
  EXPECT_THAT(failure("local t = {} t.t = t json.encode(t)"), HasSubstr("100 levels"));
  EXPECT_THAT(failure("json.encode(0/0)"), HasSubstr("not finite"));
  EXPECT_THAT(failure("json.encode(msg.PID)"), HasSubstr("read its text"));
}

TEST_F(DocumentTest, RepeatedNamesAreAWarningInTheTrace) {
  const Conclusion conclusion = work("function main(msg) local x = msg.a end", R"({"a":1,"a":2})");
  EXPECT_THAT(conclusion.trace, HasSubstr("stands twice in one object (a)"));
}

// A sender that repeats a name a hundred thousand times does not fill the journal with it.
TEST_F(DocumentTest, RepeatedNamesTakeLittleOfTheTrace) {
  std::string members = "{\"a\":1";
  for (int i = 0; i < 100'000; ++i) members += ",\"a\":1";
  members += ",\"" + std::string(100'000, 'b') + "\":1,\"" + std::string(100'000, 'b') + "\":1}";
  const Conclusion conclusion = work("function main(msg) local x = msg.a end", members);
  EXPECT_THAT(conclusion.trace, HasSubstr("100001 names stand twice in this document"));
  EXPECT_LT(conclusion.trace.size(), 10'000u);
}

TEST_F(DocumentTest, AnythingElseIsAnEmptyDocument) {
  EXPECT_EQ(sent("send('ehr', msg:kind() .. tostring(msg['a.b']) .. msg.raw)", "<xml/>"),
            "missingnil<xml/>");
  EXPECT_EQ(sent("send('ehr', msg)", ""), "(as received)");
}

TEST_F(DocumentTest, MemoryIsChargedToTheScript) {
  limits_.memory = 4u << 20;
  const std::string reason =
      failure("local all = {} for i = 1, 1e6 do all[i] = json.parse('[1,2,3,4,5,6,7,8]') end");
  EXPECT_EQ(code_, "L202") << reason;
  failure("local t = {1} for i = 1, 40 do t = {t, t} end json.encode(t)");
  EXPECT_TRUE(code_ == "L202" || code_ == "L201") << code_;
  failure("local d = json.parse('{}') for i = 1, 1e7 do d['a' .. i] = 'x' end");
  EXPECT_EQ(code_, "L202");
}

TEST_F(DocumentTest, DocumentsDieWithTheirMessage) {
  load("local kept function main(msg) if kept then local x = kept['a'] end kept = msg end");
  finish(*runtime_->begin(input("{}")));
  const Conclusion conclusion = finish(*runtime_->begin(input("{}")));
  EXPECT_EQ(conclusion.code, "L207");
}

TEST_F(DocumentTest, KnowsItsHttpRequest) {
  load(R"(function main(msg) local r = msg.request
    send('ehr', r.method .. r.path .. r.query.patient .. r.headers['x-name']) end)");
  for (const std::string_view body : {std::string_view("{}"), kResult, std::string_view("x")}) {
    Input given = input(body);
    given.attributes = R"({"method":"POST","path":"/fhir/x","target":"/fhir/x?patient=1",)"
                       R"("query":{"patient":"1"},"headers":{"x-name":"y"}})";
    const Conclusion conclusion = finish(*runtime_->begin(std::move(given)));
    ASSERT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
    EXPECT_EQ(*conclusion.sends[0].payload, "POST/fhir/x1y");
  }
}

TEST_F(DocumentTest, SendTakesTheOptionsOfHttp) {
  const Conclusion conclusion = work(R"(function main(msg)
    send('ehr', json.parse('{}'), { method = 'PUT', path = '/Patient/1', content_type = 'a/b',
                                    headers = { ['If-Match'] = 'W/"1"', Accept = 'x' }, key = 'k' })
  end)");
  ASSERT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
  const auto attributes = tree::Document::parse(make_bytes(conclusion.sends[0].attributes));
  ASSERT_TRUE(attributes) << conclusion.sends[0].attributes;
  const auto read = [&](std::string_view path) {
    return attributes->root().find(tree::Path::parse(path).value()).text();
  };
  EXPECT_EQ(read("method"), "PUT");
  EXPECT_EQ(read("path"), "/Patient/1");
  EXPECT_EQ(read("content_type"), "a/b");
  EXPECT_EQ(read("headers.If-Match"), "W/\"1\"");
  EXPECT_EQ(conclusion.sends[0].key, "k");
  EXPECT_THAT(failure("send('ehr', msg, { headers = 'x' })"), HasSubstr("[L214]"));
}

TEST_F(DocumentTest, SendTakesWhatIsToBeUpdatedAsCreatedGivesIt) {
  const auto attributes = [&](const std::string& options) {
    const Conclusion conclusion =
        work("function main(msg) send('ehr', json.parse('{}'), " + options + ") end");
    return conclusion.sends.empty() ? conclusion.reason : conclusion.sends[0].attributes;
  };
  EXPECT_EQ(attributes("{ updates = { 'Patient/1', '' } }"), R"({"updates":["Patient/1",""]})");
  EXPECT_EQ(attributes("{ updates = created('ehr') }"), R"({"updates":[]})");
  EXPECT_THAT(failure("send('ehr', msg, { updates = 'Patient/1' })"), HasSubstr("[L214]"));
  EXPECT_THAT(failure("created('nowhere')"), HasSubstr("[L212]"));
  EXPECT_THAT(failure("created('ehr', 0)"), HasSubstr("[L214]"));
}

TEST_F(DocumentTest, RepliesTakeDocumentsAndTables) {
  const auto body = [&](const std::string& value) {
    const Conclusion conclusion =
        work("function main(msg) reply{ body = " + value + " } end", kBundle);
    return conclusion.reply && conclusion.reply->body ? *conclusion.reply->body : conclusion.reason;
  };
  EXPECT_EQ(body("fhir.OperationOutcome{ issue = { severity = 'error', code = 'invalid' } }"),
            R"({"resourceType":"OperationOutcome","issue":[{"severity":"error","code":)"
            R"("invalid"}]})");
  EXPECT_EQ(body("{ ok = true }"), R"({"ok":true})");
  EXPECT_EQ(body("msg.entry[2].resource"), R"({"id":"o1","value":0.010})");
}

TEST_F(DocumentTest, ResponsesHaveStatusHeadersAndDocument) {
  load(R"(function main() end function on_response(msg, destination, response)
    send('review', tostring(response.status) .. tostring(response.headers and
      response.headers.location) .. tostring(response.document and response.document['id'])) end)");
  const auto answer = [&](std::string attributes, std::string body) {
    Input given = input();
    given.response = Response{0, "ehr", make_bytes(std::move(body)), std::move(attributes)};
    const Conclusion conclusion = finish(*runtime_->begin(std::move(given)));
    EXPECT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
    return conclusion.sends.empty() ? std::string() : *conclusion.sends[0].payload;
  };
  EXPECT_EQ(answer(R"({"status":201,"headers":{"location":"/x"}})", R"({"id":"7"})"), "201/x7");
  EXPECT_EQ(answer("", "MSH|^~\\&|"), "nilnilnil");
  EXPECT_EQ(answer("", "{broken"), "nilnilnil");
}

TEST_F(DocumentTest, AReplyOfATableIsSentAsJson) {
  const auto type_of = [this](const std::string& reply) {
    const Conclusion conclusion = work("function main(msg) reply" + reply + " end", "{}");
    std::string types;
    if (!conclusion.reply) return conclusion.reason;
    for (const auto& [name, value] : conclusion.reply->headers) types += name + "=" + value + ";";
    return types;
  };
  EXPECT_EQ(type_of("{ body = { ok = true } }"), "Content-Type=application/json;");
  EXPECT_EQ(type_of("{ body = msg }"), "Content-Type=application/json;");
  EXPECT_EQ(type_of("{ body = {}, headers = { ['content-type'] = 'application/fhir+json' } }"),
            "content-type=application/fhir+json;");
  EXPECT_EQ(type_of("{ body = 'text' }"), "");
}

}  // namespace
}  // namespace cannula::script
