#include "engine/security/partners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::security {
namespace {

using testing::HasSubstr;

AccessList from(std::vector<std::string> addresses) {
  config::PartnerConfig partner;
  partner.name = "reference-lab";
  partner.from = std::move(addresses);
  return AccessList(partner);
}

AccessList may(std::vector<std::string> events) {
  config::PartnerConfig partner;
  partner.name = "reference-lab";
  partner.may = std::move(events);
  return AccessList(partner);
}

std::string code_of(const Result<void>& result) {
  return result ? "" : result.error().code;
}

TEST(AccessList, WithoutAPartnerEveryoneMaySendEverything) {
  const AccessList open;
  EXPECT_TRUE(open.admits({"203.0.113.7", {}, false}));
  EXPECT_TRUE(open.may_send("ORU^R01"));
  EXPECT_TRUE(open.may_send(""));
}

struct AddressCase {
  const char* listed;
  const char* peer;
  bool admitted;
};

class Addresses : public testing::TestWithParam<AddressCase> {};

TEST_P(Addresses, AreAdmittedWhenListed) {
  const auto& [listed, peer, admitted] = GetParam();
  EXPECT_EQ(code_of(from({listed}).admits({peer, {}, false})), admitted ? "" : "P101")
      << listed << " " << peer;
}

INSTANTIATE_TEST_SUITE_P(AccessList, Addresses,
                         testing::Values(AddressCase{"10.1.2.3", "10.1.2.3", true},
                                         AddressCase{"10.1.2.3", "10.1.2.4", false},
                                         AddressCase{"10.1.0.0/16", "10.1.255.255", true},
                                         AddressCase{"10.1.0.0/16", "10.2.0.0", false},
                                         AddressCase{"10.1.0.0/16", "::ffff:10.1.2.3", true},
                                         AddressCase{"::ffff:10.1.2.3", "10.1.2.3", true},
                                         AddressCase{"10.1.2.0/23", "10.1.3.9", true},
                                         AddressCase{"10.1.2.0/23", "10.1.4.0", false},
                                         AddressCase{"0.0.0.0/0", "203.0.113.7", true},
                                         AddressCase{"0.0.0.0/0", "2001:db8::1", false},
                                         AddressCase{"::/0", "203.0.113.7", true},
                                         AddressCase{"::1", "::1", true},
                                         AddressCase{"::1", "127.0.0.1", false},
                                         AddressCase{"2001:db8::/33", "2001:db8:7fff::1", true},
                                         AddressCase{"2001:db8::/33", "2001:db8:8000::1", false},
                                         AddressCase{"fe80::/10", "fe80::1%eth0", true},
                                         AddressCase{"10.1.0.0/16", "lab.example", false},
                                         AddressCase{"10.1.0.0/16", "", false}));

TEST(AccessList, AListThatCouldNotBeReadAdmitsNobody) {
  EXPECT_EQ(code_of(from({"lab.example"}).admits({"10.1.2.3", {}, false})), "P101");
}

TEST(AccessList, ARefusalSaysWhatTheOperatorWouldChange) {
  const Error error = from({"10.1.0.0/16"}).admits({"203.0.113.7", {}, false}).error();
  EXPECT_THAT(error.message, HasSubstr("203.0.113.7"));
  EXPECT_THAT(error.hint, HasSubstr("partners/reference-lab.toml"));
}

TEST(AccessList, ACertificateIsRequiredByName) {
  config::PartnerConfig partner;
  partner.name = "reference-lab";
  partner.certificate = "reference-lab.example";
  const AccessList list(partner);
  EXPECT_EQ(code_of(list.admits({"10.1.2.3", {}, false})), "P102");
  EXPECT_EQ(code_of(list.admits({"10.1.2.3", {"other.example"}, true})), "P103");
  EXPECT_EQ(code_of(list.admits({"10.1.2.3", {"reference-lab.example.org"}, true})), "P103");
  EXPECT_EQ(code_of(list.admits({"10.1.2.3", {"other.example", "Reference-Lab.Example"}, true})),
            "");
}

TEST(AccessList, EventsAreComparedByTypeAndTrigger) {
  const AccessList list = may({"ORU^R01", "ADT^*"});
  EXPECT_EQ(code_of(list.may_send("ORU^R01")), "");
  EXPECT_EQ(code_of(list.may_send("ORU^R01^ORU_R01")), "");
  EXPECT_EQ(code_of(list.may_send("ADT^A08")), "");
  EXPECT_EQ(code_of(list.may_send("ADT")), "");
  EXPECT_EQ(code_of(list.may_send("ORU^R30")), "P104");
  EXPECT_EQ(code_of(list.may_send("ORU^R0")), "P104");
  EXPECT_EQ(code_of(list.may_send("ADTX^A08")), "P104");
  EXPECT_EQ(code_of(list.may_send("oru^r01")), "P104");
  EXPECT_EQ(code_of(list.may_send("")), "P105");
  EXPECT_EQ(code_of(may({"*"}).may_send("anything")), "");
}

TEST(AccessList, AStrangeEventIsShownWithoutControlCharacters) {
  const Error error = may({"ORU^R01"}).may_send("X\r\nAL\x1b[2J" + std::string(500, 'y')).error();
  EXPECT_THAT(error.message, HasSubstr("X??AL?[2J"));
  EXPECT_LT(error.message.size(), 150u);
}

}  // namespace
}  // namespace cannula::security
