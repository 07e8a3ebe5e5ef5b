#include "engine/security/audit/reader.h"

#include <nlohmann/json.hpp>

#include "channels/transport/wall_clock.h"
#include "parsers/fhir/model.h"
#include "tests/unit/engine/security/audit/trail_fixture.h"

namespace cannula::audit {
namespace {

using nlohmann::ordered_json;

class Reader : public TrailFixture {
 protected:
  std::vector<std::uint64_t> numbers(Filter filter) const {
    std::vector<std::uint64_t> found;
    EXPECT_TRUE(each_entry(directory(), filter, [&](const std::string&, const auto& entry) {
      found.push_back(entry["seq"].template get<std::uint64_t>());
      return true;
    }));
    return found;
  }
};

TEST_F(Reader, AsksByActorActObjectOutcomeAndTime) {
  {
    Log log(options());
    log.note({.act = "engine.start"});
    ASSERT_TRUE(log.append(shown("M1")));
    Entry discarded = shown("M2");
    discarded.act = "message.discard";
    discarded.actor = {.kind = Actor::Kind::person, .uid = 4711, .says = "bert"};
    discarded.outcome = Outcome::refused;
    ASSERT_TRUE(log.append(discarded));
  }
  using testing::ElementsAre;
  EXPECT_THAT(numbers({}), ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers({.actor = "anna"}), ElementsAre(2));
  EXPECT_THAT(numbers({.actor = "uid 4711"}), ElementsAre(3));
  EXPECT_THAT(numbers({.actor = "bert"}), ElementsAre(3));
  EXPECT_THAT(numbers({.actor = "engine"}), ElementsAre(1));
  EXPECT_THAT(numbers({.act = "message."}), ElementsAre(2, 3));
  EXPECT_THAT(numbers({.act = "message"}), ElementsAre());
  EXPECT_THAT(numbers({.message = "M2"}), ElementsAre(3));
  EXPECT_THAT(numbers({.outcome = "refused"}), ElementsAre(3));
  const std::int64_t later = now_microseconds() + 1;
  EXPECT_THAT(numbers({.since = 1, .until = later}), ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers({.until = 1}), ElementsAre());
  EXPECT_THAT(numbers({.since = later}), ElementsAre());
}

// Every name is R4's, lists are lists, what is required is there, primitives have their form.
void expect_of_type(const ordered_json& value, const fhir::Type& type, const std::string& place) {
  for (const auto& [name, member] : value.items()) {
    if (name == "resourceType") continue;
    const fhir::Element* element = type.find(name);
    ASSERT_TRUE(element) << place << "." << name << " is not in R4";
    ASSERT_EQ(member.is_array(), element->list) << place << "." << name;
    for (const ordered_json& one : element->list ? member : ordered_json::array({member})) {
      if (element->type) {
        expect_of_type(one, *element->type, place + "." + name);
      } else {
        const std::string text = one.is_string() ? one.get<std::string>() : one.dump();
        EXPECT_FALSE(fhir::wrong_form(element->primitive, text)) << place << "." << name << text;
      }
    }
  }
  for (const fhir::Element& element : type.elements()) {
    if (!element.required || element.choice != 0) continue;
    EXPECT_TRUE(value.contains(std::string(element.name))) << place << "." << element.name;
  }
}

TEST_F(Reader, EveryActBecomesAnAuditEventOfR4) {
  const fhir::Type* type = fhir::Model::r4().find("AuditEvent");
  ASSERT_TRUE(type);
  {
    Log log(options());
    for (const char* act :
         {"engine.start", "engine.stop", "configuration.reload", "tables.taken_in",
          "connection.refused", "message.refused", "message.show", "message.search",
          "message.resend", "key.rotate", "audit.export", "something.new"}) {
      log.note({.act = act});
      Entry full{.actor = {.kind = Actor::Kind::partner, .name = "lab", .address = "192.0.2.7:1"},
                 .act = act,
                 .object = {.message = "M1",
                            .delivery = 2,
                            .channel = "lab",
                            .destination = "ehr",
                            .file = "tables/x.csv",
                            .key = "master"},
                 .outcome = Outcome::refused,
                 .code = "P101",
                 .reason = "a reason",
                 .detail = {{"hash", "0"}}};
      ASSERT_TRUE(log.append(full));
      full.actor = {.kind = Actor::Kind::person, .name = "anna", .uid = 1000, .says = "bert"};
      ASSERT_TRUE(log.append(full));
    }
  }
  int events = 0;
  ASSERT_TRUE(each_entry(directory(), {}, [&](const std::string&, const ordered_json& entry) {
    const std::string line = audit_event(entry, "my-site");
    EXPECT_EQ(line.find('\n'), std::string::npos);
    expect_of_type(ordered_json::parse(line), *type, "AuditEvent");
    ++events;
    return true;
  }));
  EXPECT_EQ(events, 36);
}

}  // namespace
}  // namespace cannula::audit
