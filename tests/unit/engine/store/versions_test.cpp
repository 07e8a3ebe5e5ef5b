// A store that any earlier Cannula wrote opens, has all that was in it, and goes on. What a later
// one wrote is refused; a later index is built anew (index_test.cpp).
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <xxhash.h>

#include "channels/transport/wall_clock.h"
#include "engine/security/sealing/compression.h"
#include "engine/store/frame.h"
#include "engine/store/index_schema.h"
#include "engine/store/little_endian.h"
#include "engine/store/retention.h"
#include "engine/store/segment.h"
#include "engine/store/store_files.h"
#include "tests/unit/engine/store/store_fixture.h"

namespace cannula::store {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Timestamp kThen = 1'760'000'000'000'000;
const fs::path kVersions = "tests/unit/engine/store/versions";

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void put(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// A folder of kVersions; its name begins with the number of the index's version.
struct Version {
  std::string folder;
  std::size_t number = 0;

  bool worklist() const { return number >= 2; }
  bool sealed() const { return number >= 3; }  // and searched by patient
  bool edits() const { return number >= 4; }
  bool retention() const { return number >= 6; }
  bool wire_state() const { return number >= 7; }
};

std::vector<Version> versions() {
  std::vector<Version> found;
  std::error_code none;  // then all_versions_are_here fails
  for (const auto& entry : fs::directory_iterator(kVersions, none)) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename();
    found.push_back({name, static_cast<std::size_t>(std::stoul(name))});
  }
  std::sort(found.begin(), found.end(),
            [](const Version& a, const Version& b) { return a.number < b.number; });
  return found;
}

class VersionFixture : public StoreFixture {
 protected:
  void unpack(const Version& version) const {
    const fs::path from = kVersions / version.folder;
    for (const auto& entry : fs::recursive_directory_iterator(from)) {
      if (!entry.is_regular_file()) continue;
      std::string bytes;
      ASSERT_TRUE(
          security::decompress(content(entry.path()), security::Dictionary::none, 1u << 26, bytes))
          << entry.path();
      const fs::path to = directory() / fs::relative(entry.path(), from).replace_extension();
      fs::create_directories(to.parent_path());
      put(to, bytes);
    }
  }

  static MessageRow found(Store& store, const std::string& control_id) {
    const auto rows = value(store.messages({.control_id = control_id}));
    if (rows.size() != 1) throw std::runtime_error(control_id + " is not there once");
    return rows.front();
  }
  static std::string body_of(Store& store, const MessageRow& row) {
    const auto accepted = std::get<Accepted>(value(store.read(row.accepted_at_position)));
    return accepted.body ? *accepted.body : "";
  }

  static void expect_what_was_written(Store& store, const Version& version) {
    expect_delivered(store, version);
    expect_queues(store, version);
    expect_ends(store, version);
    expect_what_retention_left(store, version);
  }

  static void expect_delivered(Store& store, const Version& version) {
    const MessageRow row = found(store, "LAB-1");
    EXPECT_EQ(row.state, MessageState::done);
    EXPECT_EQ(row.channel, "lab-results");
    EXPECT_EQ(row.partner, "reference-lab");
    EXPECT_EQ(row.event, "ORU^R01");
    EXPECT_EQ(row.received_at, kThen);
    EXPECT_THAT(row.order_keys, ElementsAre(11u));
    EXPECT_EQ(row.size, body_of(store, row).size());
    EXPECT_THAT(body_of(store, row), HasSubstr("MUSTER^ANNA"));
    const auto deliveries = value(store.deliveries(row.id));
    ASSERT_THAT(deliveries, SizeIs(1));
    EXPECT_EQ(deliveries.front().state, DeliveryState::delivered);
    EXPECT_EQ(deliveries.front().attempts, 2u);
    const auto trail = value(store.trail(row.id));
    ASSERT_THAT(trail, SizeIs(4));
    EXPECT_EQ(std::get<Accepted>(trail.at(0)).peer, "10.1.0.7:40112");
    const auto& worked = std::get<Outcome>(trail.at(1));
    EXPECT_EQ(worked.trace, R"({"log":"routed"})");
    EXPECT_THAT(*worked.deliveries.front().payload, HasSubstr("MUSTER^ANNA"));
    EXPECT_EQ(worked.deliveries.front().attributes, version.worklist() ? R"({"path":"/lab"})" : "");
    EXPECT_EQ(std::get<Attempt>(trail.at(2)).reason, "no answer within 30 s");
    EXPECT_EQ(*std::get<Attempt>(trail.at(3)).response, "MSA|AA|2");
    EXPECT_EQ(value(store.script_state("lab-results")).at(0).value, "\"LAB-1\"");
    if (!version.sealed()) return;
    MessageQuery by_number;
    by_number.search_keys = {{store.search_key(kPatientNumber, "4711")}};
    EXPECT_THAT(value(store.messages(by_number)), SizeIs(1));
  }

  static void expect_queues(Store& store, const Version& version) {
    const MessageRow queued = found(store, "LAB-2");
    EXPECT_EQ(queued.state, MessageState::queued);
    const auto deliveries = value(store.waiting_deliveries("lab-results", "ehr", 0, 0, 10));
    ASSERT_THAT(deliveries, SizeIs(1));
    EXPECT_EQ(deliveries.front().id, queued.id);
    EXPECT_EQ(deliveries.front().state, DeliveryState::retrying);
    EXPECT_EQ(deliveries.front().next_at, kThen + 100);
    EXPECT_EQ(deliveries.front().code, "D201");
    EXPECT_THAT(deliveries.front().order_keys, ElementsAre(11u));
    const auto outcome = std::get<Outcome>(value(store.read(deliveries.front().outcome_position)));
    EXPECT_EQ(*outcome.deliveries.front().payload, "to the ehr");
    EXPECT_EQ(value(store.deliveries(queued.id)).at(1).state, DeliveryState::delivered);

    std::vector<std::string> waiting;
    for (const auto& one : value(store.waiting_messages("lab-results", 0, 10))) {
      waiting.push_back(row(store, one.id).control_id);
    }
    if (version.edits()) {
      EXPECT_THAT(waiting, ElementsAre("LAB-3", "LAB-4", "LAB-9"));
      const MessageRow edited = found(store, "LAB-9");
      EXPECT_EQ(edited.edited_from, found(store, "LAB-7").id);
      EXPECT_THAT(value(store.edited_as(edited.edited_from)), ElementsAre(edited.id));
    } else {
      EXPECT_THAT(waiting, ElementsAre("LAB-3", "LAB-4"));
    }
    EXPECT_EQ(found(store, "LAB-4").state, MessageState::accepted);
    EXPECT_THAT(value(store.trail(found(store, "LAB-4").id)), SizeIs(3));
  }

  static void expect_ends(Store& store, const Version& version) {
    const MessageRow parked = found(store, "LAB-5");
    EXPECT_EQ(parked.state, MessageState::parked);
    EXPECT_EQ(parked.reason, "K7 has no row");
    if (version.worklist()) {
      EXPECT_EQ(value(store.unmapped("lab-to-loinc", 10)).at(0).key, "K7");
      EXPECT_EQ(value(store.unmapped("lab-to-loinc", 10)).at(0).text, "Kalium");
      EXPECT_EQ(value(store.awaiting({}, 10)).at(0).id, parked.id);
    }
    EXPECT_EQ(found(store, "LAB-6").state, MessageState::rejected);
    EXPECT_EQ(found(store, "LAB-6").code, "P104");
    EXPECT_EQ(found(store, "LAB-7").state, MessageState::discarded);
    EXPECT_EQ(std::get<Discarded>(value(store.trail(found(store, "LAB-7").id)).at(2)).actor,
              "a.analyst");
    EXPECT_EQ(found(store, "LAB-8").state, MessageState::filtered);
    EXPECT_EQ(found(store, "LAB-10").state, MessageState::dead);
    LetterQuery dead;
    dead.messages = {MessageState::dead};
    EXPECT_EQ(value(store.causes(dead)).at(0).code, "L201");
    const auto remembered = value(store.wire_state("adt-link"));
    ASSERT_THAT(remembered, SizeIs(version.wire_state() ? 1 : 0));
    for (const StateWrite& one : remembered) EXPECT_EQ(one.value, R"({"number":7})");
  }

  static void expect_what_retention_left(Store& store, const Version& version) {
    for (int i = 0; i < 4; ++i) {
      const MessageRow old = found(store, fmt::format("OLD-{}", i));
      EXPECT_EQ(old.state, MessageState::done);
      EXPECT_GT(old.size, 100u);
      EXPECT_EQ(old.bodies_removed != 0, version.retention());
      EXPECT_EQ(body_of(store, old).size(), version.retention() ? 0 : old.size);
      const auto older = value(store.messages({.control_id = fmt::format("OLDER-{}", i)}));
      EXPECT_THAT(older, SizeIs(version.retention() ? 0 : 1));
    }
    for (const char* channel : {"old-results", "older-results"}) {
      EXPECT_THAT(value(store.script_state(channel)), SizeIs(1));
    }
  }

  // Takes in a message, works it, delivers it.
  static void go_on(Store& store, const std::string& control_id) {
    Accepted fresh = accepted("lab-results", "MSH|^~\\&|LAB|REF|HIS|WARD|||ORU^R01|" + control_id);
    fresh.control_id = control_id;
    const MessageId id = commit(store, {fresh}).front().id;
    Outcome worked = outcome(id, "lab-results", MessageState::queued, {"archive"});
    worked.search_keys = {store.search_key(kPatientNumber, "4799")};
    commit(store, {worked, attempt(id, "lab-results", 1, "archive", DeliveryState::delivered)});
    store.catch_up();
    EXPECT_EQ(found(store, control_id).state, MessageState::done);
  }

  void expect_sound() const {
    const auto checked = check(directory(), nullptr, keys());
    ASSERT_TRUE(checked) << checked.error().text();
    EXPECT_EQ(render(checked->damage), "");
    EXPECT_TRUE(checked->index_compared);
  }

  std::vector<fs::path> segments() const {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(journal_directory(directory()))) {
      paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  std::string everything() const {
    std::string all;
    for (const fs::path& path : segments()) all += path.string() + content(path);
    return all;
  }
};

class EarlierVersion : public VersionFixture, public testing::WithParamInterface<Version> {
 protected:
  // As a person does who says that it never had keys.
  Options asked() const {
    Options options = StoreFixture::options();
    options.believe_plain = !GetParam().sealed();
    return options;
  }
};

TEST_P(EarlierVersion, has_all_that_it_wrote_and_goes_on) {
  const Version& version = GetParam();
  const auto steps = index_migrations().subspan(version.number);
  const bool anew =
      std::any_of(steps.begin(), steps.end(), [](const Migration& step) { return step.anew; });
  unpack(version);
  EXPECT_EQ(fs::exists(directory() / "keys"), version.sealed());
  {
    const auto store = open(asked());
    const Recovery& recovery = store->recovery();
    EXPECT_EQ(render(recovery.damage), "");
    EXPECT_EQ(recovery.torn_bytes_cut, 0u);
    EXPECT_EQ(recovery.index_rebuilt, anew);
    if (anew) {
      EXPECT_THAT(
          recovery.index_rebuilt_why,
          HasSubstr(fmt::format("an older Cannula wrote it, in version {}", version.number)));
    }
    expect_what_was_written(*store, version);
    go_on(*store, "NEW-1");
  }
  for (const bool without_index : {false, true}) {
    if (without_index) fs::remove(index_path(directory()));
    const auto store = open();
    EXPECT_EQ(render(store->recovery().damage), "");
    EXPECT_EQ(store->recovery().index_rebuilt, without_index);
    expect_what_was_written(*store, version);
    EXPECT_EQ(found(*store, "NEW-1").state, MessageState::done);
    go_on(*store, without_index ? "NEW-3" : "NEW-2");
  }
  expect_sound();
}

TEST_P(EarlierVersion, forgets_what_is_due) {
  unpack(GetParam());
  PruneOrder order;
  order.now = now_microseconds() + 1'000'000'000'000;
  order.keep = [](const std::string& channel, MessageState) {
    return channel == "old-results" ? Keep{Timestamp{1}, {}} : Keep{};
  };
  const auto store = open(asked());
  EXPECT_EQ(value(store->prune(order)).messages(), 4u);
  EXPECT_THAT(value(store->messages({.control_id = "OLD-0"})), IsEmpty());
  EXPECT_EQ(found(*store, "LAB-1").state, MessageState::done);
  store->close();
  expect_sound();
}

TEST_P(EarlierVersion, that_has_no_keys_opens_only_when_a_person_says_so) {
  unpack(GetParam());
  const std::string before = everything();
  const auto store = Store::open(options());
  EXPECT_EQ(store.has_value(), GetParam().sealed());
  if (store) return;
  EXPECT_EQ(store.error().code, "K118");
  EXPECT_FALSE(fs::exists(directory() / "keys"));
  EXPECT_EQ(everything(), before);
}

INSTANTIATE_TEST_SUITE_P(Store, EarlierVersion, testing::ValuesIn(versions()), [](const auto& one) {
  std::string name = one.param.folder;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

class VersionTest : public VersionFixture {
 protected:
  Options plain() const {
    Options options = StoreFixture::options();
    options.keys = nullptr;
    options.zero_ahead = 0;
    return options;
  }
  static std::string text_of(const Error& error) {
    return error.code + " " + error.message + " " + error.hint;
  }
  std::string refusal(Options options) const {
    const auto store = Store::open(std::move(options));
    return store ? "it opened" : text_of(store.error());
  }
  // Behind the last record of the newest segment, as a newer Cannula could have written it.
  Position append_frame_of(std::uint8_t format, std::uint8_t type) const {
    const fs::path path = segments().back();
    std::string bytes = content(path);
    const auto header = *SegmentHeader::parse(bytes);
    const Position position = header.base + bytes.size() - kSegmentHeaderSize;
    std::string frame;
    append_frame_header(static_cast<RecordType>(type), format, false, frame);
    frame += "0123456789";
    put_u32(frame.data() + 4, 10);
    seal_frame(frame.data(), header.identity, position, position);
    put(path, bytes + frame);
    return position;
  }
};

TEST_F(VersionTest, all_versions_are_here) {
  std::vector<std::size_t> numbers, wanted;
  for (const Version& version : versions()) numbers.push_back(version.number);
  for (std::size_t step = 1; step <= index_migrations().size(); ++step) wanted.push_back(step);
  EXPECT_EQ(numbers, wanted) << "a new step of the index brings a store that has it: "
                             << (kVersions / "README.md").string();
}

TEST_F(VersionTest, a_segment_of_a_later_version_is_refused_and_nothing_is_changed) {
  static_cast<void>(commit(*open(plain()), {accepted("lab")}));
  const fs::path path = segments().back();
  std::string bytes = content(path);
  put_u32(bytes.data() + 8, kSegmentVersion + 1);
  put_u64(bytes.data() + kSegmentHeaderSize - 8, XXH3_64bits(bytes.data(), kSegmentHeaderSize - 8));
  put(path, bytes);
  fs::remove(index_path(directory()));

  EXPECT_THAT(refusal(plain()), AllOf(HasSubstr("J118"), HasSubstr(path.string()),
                                      HasSubstr("version 2"), HasSubstr("run the version")));
  EXPECT_THAT(refusal(options()), HasSubstr("J118"));  // no keys are made for it either
  EXPECT_FALSE(fs::exists(directory() / "keys"));
  EXPECT_EQ(content(path), bytes);
  const auto checked = check(directory());
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, "J118");
}

TEST_F(VersionTest, a_record_of_a_later_kind_is_refused_and_nothing_is_changed) {
  for (const auto& [format, type] : {std::pair{9, 1}, std::pair{0, 99}}) {
    fs::remove_all(directory());
    static_cast<void>(commit(*open(plain()), {accepted("lab")}));
    const Position position =
        append_frame_of(static_cast<std::uint8_t>(format), static_cast<std::uint8_t>(type));
    put(segments().back(), content(segments().back()) + "torn");
    const std::string before = everything();
    EXPECT_THAT(refusal(plain()),
                AllOf(HasSubstr("J118"), HasSubstr(segments().back().string()),
                      HasSubstr(fmt::format("position {}", position)), HasSubstr("newer Cannula")));
    EXPECT_EQ(everything(), before);
  }
}

TEST_F(VersionTest, no_index_is_built_over_a_record_of_a_later_kind) {
  static_cast<void>(commit(*open(plain()), {accepted("lab")}));
  const Position position = append_frame_of(9, 1);
  {  // begins the next segment behind it, as the one that wrote it would have
    const fs::path path = segments().back();
    const std::string bytes = content(path);
    SegmentHeader next = *SegmentHeader::parse(bytes);
    next.previous_base = next.base;
    next.previous_end = next.base + bytes.size() - kSegmentHeaderSize;
    next.base = next.previous_end;
    put(path.parent_path() / segment_name(next.base), next.bytes());
  }
  fs::remove(index_path(directory()));
  EXPECT_THAT(refusal(plain()),
              AllOf(HasSubstr("J109"), HasSubstr(fmt::format("position {}", position)),
                    HasSubstr("newer Cannula")));
}

}  // namespace
}  // namespace cannula::store
