#include "channels/http/fhir_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "channels/http/verdict.h"

namespace cannula::http {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = Answer::Kind;

constexpr const char* kTransaction =
    R"({"resourceType":"Bundle","type":"transaction","entry":[)"
    R"({"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},)"
    R"({"resource":{"resourceType":"Observation"},"request":{"method":"POST","url":"Observation"}}]})";
constexpr const char* kLogin = "<!DOCTYPE html>\n<html>Login please</html>";

std::string batch() {
  std::string text = kTransaction;
  return text.replace(text.find("transaction"), 11, "batch");
}

// A Bundle with an entry for each status.
std::string bundle(const std::string& type, const std::vector<std::string>& statuses) {
  nlohmann::json json{{"resourceType", "Bundle"}, {"type", type}};
  for (const std::string& status : statuses) {
    json["entry"].push_back({{"response", {{"status", status}}}});
  }
  return json.dump();
}

std::string outcome(const std::string& severity) {
  return R"({"resourceType":"OperationOutcome","issue":[{"severity":"information"},{"severity":")" +
         severity + R"(","diagnostics":"Erin Example"}]})";
}

FhirRequest request(const std::string& method, const std::string& path, const std::string& body) {
  Outgoing outgoing;
  outgoing.method = method;
  outgoing.url = "http://ehr.example/fhir" + path;
  outgoing.body = make_bytes(body);
  return fhir_request_of(outgoing);
}

Answer judged(const FhirRequest& asked, unsigned status, const std::string& body,
              const Headers& headers = {}) {
  Outcome outcome;
  outcome.status = status;
  outcome.headers = headers;
  outcome.body = body;
  return verdict_on(std::move(outcome), 0, &asked);
}

TEST(FhirAnswer, ATransactionIsDeliveredWhenEachEntryIs) {
  const FhirRequest asked = request("POST", "", kTransaction);
  const std::string type = "transaction-response";
  EXPECT_EQ(judged(asked, 200, bundle(type, {"200 OK", "201 Created"})).kind, Kind::delivered);
  EXPECT_EQ(
      judged(request("POST", "", batch()), 200, bundle("batch-response", {"201", "204"})).kind,
      Kind::delivered);
  for (const std::string& other :
       {bundle(type, {"201"}), bundle(type, {"201", "201", "201"}),
        bundle("batch-response", {"201", "201"}), bundle("searchset", {"201", "201"}),
        bundle(type, {"201", ""}), std::string(R"({"resourceType":"Patient","id":"1"})"),
        outcome("warning"), std::string("{}"), std::string("{"), std::string("[]"), std::string(),
        std::string(" \r\n"), std::string("ok"), std::string(kLogin)}) {
    const Answer answer = judged(asked, 200, other);
    EXPECT_EQ(answer.kind, Kind::retry) << other;
    EXPECT_EQ(answer.reason.code, "T359") << other;
    EXPECT_EQ(*answer.response, other) << "kept";
  }
}

TEST(FhirAnswer, AnEntryThatFailedIsARefusalWithItsStatus) {
  for (const std::string& type : {std::string("transaction"), std::string("batch")}) {
    const FhirRequest asked = request("POST", "", type == "batch" ? batch() : kTransaction);
    const Answer answer = judged(asked, 200, bundle(type + "-response", {"201", "422 Erin"}));
    EXPECT_EQ(answer.kind, Kind::refused) << type;
    EXPECT_EQ(answer.reason.code, "T353");
    EXPECT_THAT(answer.reason.message, HasSubstr("entry 2 with 422"));
    EXPECT_THAT(answer.reason.message, Not(HasSubstr("Erin")));
  }
}

TEST(FhirAnswer, AnOperationOutcomeOfSeverityErrorIsARefusal) {
  for (const FhirRequest& asked :
       {request("POST", "", kTransaction), request("POST", "/Observation", "{}"),
        request("PUT", "/Observation/1", "{}")}) {
    for (const char* severity : {"error", "fatal"}) {
      const Answer answer = judged(asked, 200, outcome(severity));
      EXPECT_EQ(answer.kind, Kind::refused);
      EXPECT_THAT(answer.reason.text(), Not(HasSubstr("Erin")));
    }
  }
  EXPECT_EQ(judged(request("POST", "/Observation", "{}"), 201, outcome("warning")).kind,
            Kind::delivered)
      << "return=OperationOutcome";
}

TEST(FhirAnswer, AResourceIsAnsweredByOneOrByNothingWhereR4AllowsIt) {
  const std::string resource = R"( {"resourceType":"Observation","id":"1"})";
  const FhirRequest create = request("POST", "/Observation", resource);
  const FhirRequest update = request("PUT", "/Observation/1", resource);
  FhirRequest conditional = create;
  conditional.if_none_exist = true;
  const Headers location{{"location", "Observation/1"}};
  for (unsigned status : {200u, 201u}) {
    EXPECT_EQ(judged(create, status, resource).kind, Kind::delivered);
    EXPECT_EQ(judged(update, status, resource).kind, Kind::delivered);
    EXPECT_EQ(judged(create, status, "", location).kind, Kind::delivered);
    EXPECT_EQ(judged(update, status, "").kind, Kind::delivered);
    EXPECT_EQ(judged(conditional, status, "").kind, Kind::delivered);
    EXPECT_EQ(judged(create, status, kLogin, location).kind, Kind::retry);
    EXPECT_EQ(judged(update, status, kLogin).kind, Kind::retry);
    EXPECT_EQ(judged(update, status, R"({"ok":true})").kind, Kind::retry);
  }
  EXPECT_EQ(judged(create, 201, "").kind, Kind::delivered);
  EXPECT_EQ(judged(create, 200, "").kind, Kind::retry) << "says nothing";
  EXPECT_EQ(judged(create, 202, "").kind, Kind::retry);
  EXPECT_EQ(judged(request("DELETE", "/Observation/1", ""), 204, "").kind, Kind::delivered);
  EXPECT_EQ(judged(request("POST", "/$process-message", "{}"), 200, "").kind, Kind::delivered);
  EXPECT_EQ(judged(request("GET", "/Observation/1", ""), 200, "").kind, Kind::retry);
  EXPECT_EQ(judged(request("POST", "/Bundle", kTransaction), 201, "", location).kind,
            Kind::delivered)
      << "filed, not carried out";
}

TEST(FhirAnswer, HowWhatIsNotFhirBeginsIsKeptWithTheMessageOnly) {
  const FhirRequest asked = request("POST", "", kTransaction);
  const Answer answer = judged(asked, 200, "<html>\x1b[2J\n" + std::string(500, 'x'));
  EXPECT_THAT(answer.quoted, HasSubstr("<html>?[2J / xxx"));
  EXPECT_LT(answer.quoted.size(), 250u);
  EXPECT_THAT(answer.reason.text(), Not(HasSubstr("html")));
}

TEST(FhirAnswer, WhatIsTooLongToBeJudgedIsNotSentAgainByItself) {
  Outcome outcome;
  outcome.status = 200;
  outcome.body = R"({"resourceType":"Bundle","type":"transaction-resp)";
  outcome.cut = true;
  const FhirRequest asked = request("POST", "", kTransaction);
  const Answer answer = verdict_on(std::move(outcome), 0, &asked);
  EXPECT_EQ(answer.kind, Kind::refused);
  EXPECT_EQ(answer.reason.code, "T361");
}

TEST(FhirAnswer, XmlIsTakenWhereItWasAskedFor) {
  FhirRequest asked = request("POST", "/Observation", "<Observation/>");
  const std::string resource = R"(<?xml version="1.0"?><Observation xmlns="http://hl7.org/fhir"/>)";
  EXPECT_EQ(judged(asked, 201, resource).kind, Kind::retry) << "JSON was asked for";
  asked.xml = true;
  EXPECT_EQ(judged(asked, 201, resource).kind, Kind::delivered);
  EXPECT_EQ(judged(asked, 201, kLogin).kind, Kind::retry);
  EXPECT_EQ(judged(asked, 200,
                   R"(<OperationOutcome xmlns="http://hl7.org/fhir"><issue>)"
                   R"(<severity value="error"/></issue></OperationOutcome>)")
                .kind,
            Kind::refused);
}

TEST(FhirAnswer, NotFoundIsAboutTheAddressOfATransactionAndAboutAResource) {
  EXPECT_EQ(judged(request("POST", "", kTransaction), 404, "").kind, Kind::retry);
  EXPECT_EQ(judged(request("PUT", "/Observation/1", "{}"), 404, "").kind, Kind::refused);
}

}  // namespace
}  // namespace cannula::http
