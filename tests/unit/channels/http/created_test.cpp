// What a FHIR server created is known from its answer, and delivered again it is updated.
#include "channels/http/created.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Outgoing post(std::string url, std::string body) {
  Outgoing request;
  request.method = "POST";
  request.url = std::move(url);
  request.body = make_bytes(std::move(body));
  return request;
}

constexpr const char* kBundle =
    R"({"resourceType":"Bundle","type":"transaction","entry":[)"
    R"({"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=1"}},)"
    R"({"resource":{"resourceType":"Encounter","id":"e"},"request":{"method":"PUT","url":"Encounter/e"}},)"
    R"({"resource":{"resourceType":"Observation","valueQuantity":{"value":4.10}},"request":{"method":"POST","url":"Observation"}}]})";
constexpr const char* kBundleAnswer =
    R"({"resourceType":"Bundle","type":"transaction-response","entry":[)"
    R"({"response":{"status":"201","location":"Patient/p1/_history/1"}},)"
    R"({"response":{"status":"200","location":"Encounter/e/_history/7"}},)"
    R"({"response":{"status":"201","location":"https://ehr.example/fhir/Observation/o1/_history/1"}}]})";

TEST(Created, ALocationNamesTypeAndId) {
  EXPECT_EQ(reference_in("https://ehr.example/fhir/Observation/123/_history/1"), "Observation/123");
  EXPECT_EQ(reference_in("Observation/a-b.C"), "Observation/a-b.C");
  EXPECT_EQ(reference_in("/fhir/Patient/1?x=y"), "Patient/1");
  EXPECT_EQ(reference_in(""), "");
  EXPECT_EQ(reference_in("Observation"), "");
  EXPECT_EQ(reference_in("https://ehr.example/fhir/Observation/.."), "");
  EXPECT_EQ(reference_in("https://ehr.example/fhir/Observation/a b"), "");
  EXPECT_EQ(reference_in("/fhir/$process/1"), "");
}

TEST(Created, IsInTheLocationOrInTheResourceThatIsAnswered) {
  const Bytes request = make_bytes(R"({"resourceType":"Observation"})");
  EXPECT_THAT(created_by("POST", request, {{"location", "/fhir/Observation/7"}}, ""),
              ElementsAre("Observation/7"));
  EXPECT_THAT(created_by("POST", request, {}, R"({"resourceType":"Observation","id":"8"})"),
              ElementsAre("Observation/8"));
  EXPECT_THAT(created_by("POST", request, {}, R"({"resourceType":"OperationOutcome","id":"8"})"),
              IsEmpty());
  EXPECT_THAT(created_by("PUT", request, {{"location", "/fhir/Observation/7"}}, ""), IsEmpty());
  EXPECT_THAT(created_by("POST", make_bytes("<Observation/>"), {{"location", "Observation/7"}}, ""),
              IsEmpty());
  EXPECT_THAT(created_by("POST", request, {}, "{"), IsEmpty());
}

TEST(Created, OfATransactionIsByItsEntries) {
  EXPECT_THAT(created_by("POST", make_bytes(kBundle), {}, kBundleAnswer),
              ElementsAre("Patient/p1", "", "Observation/o1"));
  EXPECT_THAT(created_by("POST", make_bytes(kBundle), {}, "no JSON"), IsEmpty());
}

TEST(Created, IsKeptWithTheAttributesOfTheAttempt) {
  const std::string kept = with_created(R"({"status":201,"headers":{}})", {"Patient/1", "", "A/2"});
  EXPECT_EQ(kept, R"({"status":201,"headers":{},"created":["Patient/1","","A/2"]})");
  EXPECT_THAT(created_in(kept), ElementsAre("Patient/1", "", "A/2"));
  EXPECT_EQ(with_created(R"({"status":201})", {}), R"({"status":201})");
  EXPECT_THAT(created_in(R"({"status":201})"), IsEmpty());
  EXPECT_THAT(created_in(R"({"created":["x y/../z"]})"), ElementsAre(""));
  EXPECT_THAT(created_in(""), IsEmpty());
}

TEST(Created, ASingleOneIsUpdatedByItsIdAndNothingElseOfItChanges) {
  Outgoing request = post("https://ehr.example:443/fhir/Observation?_format=json",
                          R"({"resourceType":"Observation","valueQuantity":{"value":4.10}})");
  request.headers = {{"If-None-Exist", "identifier=1"}, {"Accept", "x"}};
  make_update(request, {"Observation/7"});
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.url, "https://ehr.example:443/fhir/Observation/7");
  EXPECT_EQ(*request.body,
            R"({"resourceType":"Observation","valueQuantity":{"value":4.10},"id":"7"})");
  EXPECT_EQ(request.headers.size(), 1U);
}

TEST(Created, WhatDoesNotFitStaysAsItIs) {
  for (const char* url : {"https://ehr.example/fhir/Patient", "https://ehr.example/fhir"}) {
    Outgoing request = post(url, R"({"resourceType":"Observation"})");
    make_update(request, {"Observation/7"});
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(*request.body, R"({"resourceType":"Observation"})");
  }
  Outgoing request = post("https://ehr.example/fhir/Observation", R"({"resourceType":"Patient"})");
  make_update(request, {"Observation/7"});
  EXPECT_EQ(request.method, "POST");
  make_update(request, {});
  EXPECT_EQ(request.method, "POST");
}

TEST(Created, OfATransactionThatGoesAgainEachEntryIsUpdated) {
  Outgoing request = post("https://ehr.example/fhir", kBundle);
  make_update(request, {"Patient/p1", "", "Observation/o1"});
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://ehr.example/fhir");
  EXPECT_THAT(*request.body, HasSubstr(R"({"resourceType":"Patient","id":"p1"})"));
  EXPECT_THAT(*request.body, HasSubstr(R"({"method":"PUT","url":"Patient/p1"})"));
  EXPECT_THAT(*request.body, HasSubstr(R"({"method":"PUT","url":"Encounter/e"})"));
  EXPECT_THAT(*request.body, HasSubstr(R"("value":4.10)"));
  EXPECT_THAT(*request.body, HasSubstr(R"({"method":"PUT","url":"Observation/o1"})"));
  EXPECT_THAT(*request.body, HasSubstr("urn:uuid:1"));
  EXPECT_THAT(*request.body, Not(HasSubstr("ifNoneExist")));
}

}  // namespace
}  // namespace cannula::http
