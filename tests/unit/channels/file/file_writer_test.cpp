#include "channels/file/file_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    auto request = std::make_shared<file::FileWriter::Request>(
        file::FileWriter::Request{.name = name, .content = make_bytes(content)});
    writer.add(request);
    return request;
  }

  Folder folder;
  const fs::path out = [this] {
    fs::create_directory(folder.path / "out");
    return folder.path / "out";
  }();
  file::FileWriter writer{out};
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
  EXPECT_THAT(below_a_file->result.error().text(), HasSubstr("cannot be created"));
  EXPECT_THAT(no_folder_name->result.error().text(), HasSubstr("cannot be made"));
  for (const auto& failed : {taken, below_a_file, no_folder_name}) {
    EXPECT_EQ(failed->result.error().code, "F202");
    EXPECT_FALSE(writer.write(*failed));
  }
  EXPECT_EQ(content_of(out / "good.hl7"), "good");
  EXPECT_EQ(content_of(out / "last.hl7"), "last");
  EXPECT_FALSE(fs::exists(out / ".taken.hl7.tmp"));
}

}  // namespace

}  // namespace cannula::test
