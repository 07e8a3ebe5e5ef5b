#include "channels/file/file_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class FileWriter : public testing::Test {
 protected:
  std::shared_ptr<file::FileWriter::Request> add(const std::string& name,
                                                 const std::string& content) {
    auto request = std::make_shared<file::FileWriter::Request>(file::FileWriter::Request{
        .name = name, .key = std::to_string(++last_key_), .content = make_bytes(content)});
    writer.add(request);
    return request;
  }

  Folder folder;
  const fs::path out = [this] {
    fs::create_directory(folder.path / "out");
    return folder.path / "out";
  }();
  file::FileWriter writer{out};

 private:
  int last_key_ = 0;
};

TEST_F(FileWriter, WritesWhateverWaitsWithTheFirst) {
  const auto first = add("1.hl7", "one");
  const auto second = add("day/2.hl7", "two");
  EXPECT_TRUE(writer.write(*first));
  EXPECT_TRUE(second->written);
  EXPECT_TRUE(writer.write(*second));
  EXPECT_THAT(names_in(out), UnorderedElementsAre("1.hl7"));
  EXPECT_THAT(names_in(out / "day"), UnorderedElementsAre("2.hl7")) << "no temporary file is left";
  EXPECT_EQ(content_of(out / "1.hl7"), "one");
  EXPECT_EQ(content_of(out / "day/2.hl7"), "two");
}

TEST_F(FileWriter, TakesNoMoreAtOnceThanMayBeOpen) {
  std::vector<std::shared_ptr<file::FileWriter::Request>> all;
  for (std::size_t n = 0; n < 2 * file::FileWriter::kAtOnce + 1; ++n) {
    all.push_back(add(std::to_string(n) + ".hl7", std::to_string(n)));
  }
  EXPECT_TRUE(writer.write(*all.front()));
  EXPECT_TRUE(all.at(file::FileWriter::kAtOnce - 1)->written);
  EXPECT_FALSE(all.at(file::FileWriter::kAtOnce)->written);
  EXPECT_TRUE(writer.write(*all.back()));
  for (std::size_t n = 0; n < all.size(); ++n) {
    EXPECT_EQ(content_of(out / (std::to_string(n) + ".hl7")), std::to_string(n));
  }
}

TEST_F(FileWriter, LeavesWhatWasAddedLastUnderANameThatComesTwice) {
  const auto first = add("same.hl7", "first");
  const auto between = add("other.hl7", "between");
  const auto second = add("same.hl7", "second");
  EXPECT_TRUE(writer.write(*first));
  EXPECT_EQ(content_of(out / "same.hl7"), "first");
  EXPECT_TRUE(between->written);
  EXPECT_FALSE(second->written);
  EXPECT_TRUE(writer.write(*second));
  EXPECT_EQ(content_of(out / "same.hl7"), "second");
}

// At each step something else is in the way of one of them.
TEST_F(FileWriter, TellsEachWhatBecameOfItsOwn) {
  fs::create_directories(out / "taken.hl7/below");  // no file gets the name of a folder
  folder.write("out/file", "");
  const auto good = add("good.hl7", "good");
  const auto taken = add("taken.hl7", "taken");
  const auto below_a_file = add("file/x.hl7", "x");
  const auto no_folder_name = add(std::string(300, 'n') + "/x.hl7", "x");
  const auto last = add("last.hl7", "last");

  EXPECT_TRUE(writer.write(*last));
  EXPECT_TRUE(good->result);
  EXPECT_THAT(taken->result.error().text(), HasSubstr("cannot be named"));
  EXPECT_THAT(below_a_file->result.error().text(), HasSubstr("out/file is no folder"));
  EXPECT_THAT(no_folder_name->result.error().text(), HasSubstr("cannot be made"));
  EXPECT_EQ(taken->result.error().code, "F202");
  EXPECT_EQ(below_a_file->result.error().code, "F205");
  EXPECT_EQ(no_folder_name->result.error().code, "F202");
  for (const auto& failed : {taken, below_a_file, no_folder_name}) {
    EXPECT_FALSE(writer.write(*failed));
  }
  EXPECT_EQ(content_of(out / "good.hl7"), "good");
  EXPECT_EQ(content_of(out / "last.hl7"), "last");
  EXPECT_THAT(names_in(out), UnorderedElementsAre("file", "good.hl7", "last.hl7"))
      << "no temporary file is left";
}

// Who may write into the folder, such as whoever fetches from it, does not choose where files go.
TEST_F(FileWriter, FollowsNoLinkBelowItsFolder) {
  fs::create_directories(folder.path / "elsewhere");
  fs::create_directory_symlink(folder.path / "elsewhere", out / "day");
  const auto planted = add("day/1.hl7", "one");
  EXPECT_FALSE(writer.write(*planted));
  EXPECT_EQ(planted->result.error().code, "F205");
  EXPECT_TRUE(fs::is_empty(folder.path / "elsewhere"));
  fs::remove(out / "day");
  EXPECT_TRUE(writer.write(*add("day/1.hl7", "one")));
  EXPECT_EQ(content_of(out / "day/1.hl7"), "one");
}

TEST_F(FileWriter, TakesALinkForItsFolderItself) {
  fs::create_directory_symlink(out, folder.path / "link");
  file::FileWriter by_link(folder.path / "link");
  const auto request = std::make_shared<file::FileWriter::Request>(
      file::FileWriter::Request{.name = "1.hl7", .key = "1", .content = make_bytes("one")});
  by_link.add(request);
  EXPECT_TRUE(by_link.write(*request));
  EXPECT_EQ(content_of(out / "1.hl7"), "one");
}

TEST_F(FileWriter, WritesIntoNothingThatStandsUnderItsTemporaryName) {
  folder.write("victim", "as it was");
  ASSERT_EQ(::mkfifo((out / ".1.tmp").c_str(), 0600), 0);
  fs::create_symlink(folder.path / "victim", out / ".2.tmp");
  folder.write("out/.3.tmp", "what an attempt that was cut off has left, longer than the file");
  for (const std::string name : {"1.hl7", "2.hl7", "3.hl7"}) {
    EXPECT_TRUE(writer.write(*add(name, name)));
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(out / name)));
    EXPECT_EQ(content_of(out / name), name);
  }
  EXPECT_EQ(content_of(folder.path / "victim"), "as it was");
  EXPECT_THAT(names_in(out), UnorderedElementsAre("1.hl7", "2.hl7", "3.hl7"));
}

}  // namespace

}  // namespace cannula::test
