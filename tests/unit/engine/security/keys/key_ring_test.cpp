#include "engine/security/keys/key_ring.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::security {
namespace {

using testing::HasSubstr;
using testing::Not;

class KeyRingTest : public testing::Test {
 protected:
  KeyRingTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cannula-keys-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~KeyRingTest() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path master_path() const { return directory_ / "master.key"; }
  KeyRing::Place place() const { return {directory_, master_key_file(master_path(), true)}; }
  std::unique_ptr<KeyRing> open() const {
    auto ring = KeyRing::open(place());
    if (!ring) throw std::runtime_error(ring.error().text());
    if ((*ring)->is_new()) {
      if (auto saved = (*ring)->save_new(); !saved) throw std::runtime_error(saved.error().text());
    }
    return std::move(*ring);
  }
  static std::uint32_t number(KeyRing& ring, const std::string& channel) {
    return (*ring.of_channel(channel))->number();
  }
  static std::string content(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void put(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  std::string open_error() const {
    const auto ring = KeyRing::open(place());
    return ring ? "" : ring.error().code + " " + ring.error().message;
  }

  std::filesystem::path directory_;
};

// Seals with one ring and opens with the other.
bool same_key(KeyRing& a, KeyRing& b, const std::string& channel) {
  std::string text = "a text", tag(kTagSize, '\0');
  const std::string nonce(kNonceSize, 'n');
  const DataKey& first = **a.of_channel(channel);
  first.records().seal(nonce.data(), "", text.data(), text.size(), tag.data());
  const auto second = b.of_number(first.number());
  return second && (*second)->records().open(nonce.data(), "", text, tag.data(), text.data());
}

TEST_F(KeyRingTest, keys_come_back_and_nobody_else_can_read_their_files) {
  const auto ring = open();
  const auto lab = number(*ring, "lab");
  EXPECT_NE(lab, number(*ring, "adt"));
  const auto again = open();
  EXPECT_EQ(number(*again, "lab"), lab);
  EXPECT_TRUE(same_key(*ring, *again, "lab"));
  EXPECT_EQ(ring->search_hash().of("4711"), again->search_hash().of("4711"));
  EXPECT_NE(ring->search_hash().of("4711"), ring->order_hash().of("4711"));
  for (const char* name : {"keys", "keys.copy", "master.key"}) {
    struct stat status {};
    ASSERT_EQ(::stat((directory_ / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(KeyRingTest, a_lost_master_key_is_not_made_anew_and_says_where_it_was_looked_for) {
  number(*open(), "lab");
  std::filesystem::remove(master_path());
  EXPECT_THAT(open_error(), HasSubstr("K101"));
  EXPECT_THAT(open_error(), HasSubstr(master_path().string()));
  EXPECT_FALSE(std::filesystem::exists(master_path()));
}

TEST_F(KeyRingTest, a_wrong_master_key_is_named_beside_the_right_one) {
  number(*open(), "lab");
  const std::string right = read_written_keys(place().master)->front()->id();
  const WrittenMasterKey other(KeyBytes::random());
  put(master_path(), other.text() + "\n");
  EXPECT_THAT(open_error(), HasSubstr("K102"));
  EXPECT_THAT(open_error(), HasSubstr("wrapped by master key " + right));
  EXPECT_THAT(open_error(), HasSubstr("which has " + other.id()));
  EXPECT_THAT(open_error(), Not(HasSubstr(other.text())));
}

TEST_F(KeyRingTest, what_is_no_key_is_refused_without_being_repeated) {
  number(*open(), "lab");
  for (const char* text : {"", "\n", "hunter2", "00", "zz"}) {
    put(master_path(), text);
    EXPECT_THAT(open_error(), HasSubstr("K103")) << text;
    EXPECT_THAT(open_error(), Not(HasSubstr("hunter2")));
  }
}

TEST_F(KeyRingTest, one_damaged_file_of_keys_is_made_up_for_by_its_twin) {
  const auto ring = open();
  number(*ring, "lab");
  put(directory_ / "keys", "not keys");
  EXPECT_TRUE(same_key(*ring, *open(), "lab"));
  put(directory_ / "keys.copy", "");
  EXPECT_TRUE(same_key(*ring, *open(), "lab")) << "the first was written anew from its twin";
  put(directory_ / "keys", "not keys");
  put(directory_ / "keys.copy", "");
  EXPECT_THAT(open_error(), HasSubstr("K105"));
}

TEST_F(KeyRingTest, a_key_that_was_destroyed_does_not_stay_in_the_copy_after_a_crash) {
  number(*open(), "lab");
  number(*open(), "adt");
  const std::string before = content(directory_ / "keys.copy");
  ASSERT_EQ(KeyRing::shred(place(), "lab", "anna", "asked for").value(), 1u);
  put(directory_ / "keys.copy", before);  // as a crash between the two leaves it
  open();
  EXPECT_EQ(content(directory_ / "keys.copy"), content(directory_ / "keys"));
  EXPECT_THAT(content(directory_ / "keys"), HasSubstr("\"adt\""));
}

TEST_F(KeyRingTest, a_key_does_not_open_on_the_line_of_another_channel) {
  number(*open(), "lab");
  for (const char* name : {"keys", "keys.copy"}) {
    std::string text = content(directory_ / name);
    text.replace(text.find("\"lab\""), 5, "\"adt\"");
    put(directory_ / name, text);
  }
  EXPECT_THAT(open_error(), HasSubstr("K105"));
}

TEST_F(KeyRingTest, rotation_changes_the_master_key_while_the_store_is_open) {
  const auto running = open();
  const auto lab = number(*running, "lab");
  const std::string old = content(master_path());
  const auto rotated = KeyRing::rotate(place(), true);
  ASSERT_TRUE(rotated) << rotated.error().text();
  EXPECT_NE(rotated->from, rotated->to);
  EXPECT_EQ(rotated->keys, 2u) << "the channel's, and the store's secret";
  const auto adt = number(*running, "adt");  // made by whoever has the store open

  const auto dropped = KeyRing::drop_old(place());
  ASSERT_TRUE(dropped) << dropped.error().text();
  EXPECT_THAT(*dropped, testing::ElementsAre(rotated->from));
  EXPECT_THAT(content(master_path()), Not(HasSubstr(old)));
  const auto after = open();
  EXPECT_EQ(number(*after, "lab"), lab);
  EXPECT_EQ(number(*after, "adt"), adt);
  EXPECT_TRUE(same_key(*running, *after, "adt"));
}

// Otherwise one message of a new channel would lock all of the store at the next start.
TEST_F(KeyRingTest, a_foreign_master_key_that_came_into_the_place_wraps_nothing) {
  const auto ring = open();
  number(*ring, "lab");
  const std::string right = content(master_path());
  put(master_path(), std::string(64, 'b') + "\n");
  const auto added = ring->of_channel("adt");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, "K102");
  EXPECT_THAT(added.error().hint, HasSubstr("start the engine anew"));
  EXPECT_EQ(KeyRing::can_open(place()).error().code, "K102");
  EXPECT_TRUE(ring->of_channel("lab")) << "those that are there go on";
  put(master_path(), std::string(64, 'b') + "\n" + right);
  EXPECT_TRUE(ring->of_channel("adt"));
  EXPECT_TRUE(KeyRing::can_open(place()));
  put(master_path(), right);
  EXPECT_TRUE(same_key(*ring, *open(), "adt")) << "it was wrapped as the others are";
}

// As after `keys rotate` with a variable or a token that the running process does not know of.
TEST_F(KeyRingTest, who_was_not_told_of_a_new_master_key_adds_no_channel_with_the_old_one) {
  const auto ring = open();
  number(*ring, "lab");
  const std::string old = content(master_path());
  ASSERT_TRUE(KeyRing::rotate(place(), true));
  const std::string both = content(master_path());
  put(master_path(), old);
  EXPECT_EQ(ring->of_channel("adt").error().code, "K102");
  put(master_path(), both);
  ASSERT_TRUE(ring->of_channel("adt"));
  EXPECT_TRUE(same_key(*ring, *open(), "adt"));
}

TEST_F(KeyRingTest, a_rotation_that_stopped_half_way_goes_on_at_the_next_opening) {
  const auto before = open();
  number(*before, "lab");
  // It stopped behind its first step: both keys are in the file, nothing is wrapped anew.
  const WrittenMasterKey fresh(KeyBytes::random());
  const std::string old = content(master_path());
  put(master_path(), fresh.text() + "\n" + old);
  const auto after = open();
  EXPECT_TRUE(same_key(*before, *after, "lab"));
  EXPECT_EQ(KeyRing::file(directory_)->secret.master, fresh.id());
  put(master_path(), fresh.text());  // the old one is no longer needed
  EXPECT_TRUE(same_key(*before, *open(), "lab"));
}

TEST_F(KeyRingTest, a_rotation_that_wrapped_only_some_keys_goes_on_too) {
  const auto before = open();
  number(*before, "lab");
  number(*before, "adt");
  const auto masters = *read_master_keys(place().master, {});
  const std::string old = content(master_path());
  const WrittenMasterKey fresh(KeyBytes::random());
  put(master_path(), fresh.text() + " " + old);
  RingFile half = *KeyRing::file(directory_);
  WrappedKey& one = half.keys.front();
  one =
      *wrap(*unwrap(one, half.id, masters, ""), half.id, one.number, one.channel, one.made, fresh);
  ASSERT_TRUE(write_ring(directory_, half));
  const auto after = open();
  EXPECT_TRUE(same_key(*before, *after, "lab"));
  EXPECT_TRUE(same_key(*before, *after, "adt"));
  const RingFile whole = *KeyRing::file(directory_);
  for (const WrappedKey& key : whole.keys) EXPECT_EQ(key.master, fresh.id());
}

TEST_F(KeyRingTest, a_shredded_channel_is_told_by_whom_and_why_and_gets_another_key) {
  const auto before = open();
  const auto lab = number(*before, "lab");
  const auto adt = number(*before, "adt");
  ASSERT_TRUE(KeyRing::shred(place(), "lab", "a.analyst", "the contract ended"));
  EXPECT_EQ(KeyRing::shred(place(), "lab", "a.analyst", "again").error().code, "K109");
  const auto after = open();
  const auto gone = after->of_number(lab);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, "K106");
  EXPECT_THAT(gone.error().message, HasSubstr("by a.analyst: the contract ended"));
  EXPECT_TRUE(after->of_number(adt));
  EXPECT_NE(number(*after, "lab"), lab);
  EXPECT_EQ(after->of_number(lab + 1).error().code, "K107");
}

TEST_F(KeyRingTest, a_key_that_cannot_be_written_is_not_used) {
  const auto ring = open();
  std::filesystem::remove(directory_ / "keys");
  std::filesystem::remove(directory_ / "keys.copy");
  EXPECT_FALSE(ring->of_channel("lab"));
}

}  // namespace
}  // namespace cannula::security
