#include "engine/security/secrets.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace cannula::security {
namespace {

using testing::HasSubstr;
using testing::Not;

class ASecretFile : public testing::Test {
 protected:
  ASecretFile() {
    char name[] = "/tmp/cannula-secret-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ASecretFile() override { std::filesystem::remove_all(folder_); }

  SecretReference file(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(folder_ / "secret", std::ios::binary) << text;
    ::chmod((folder_ / "secret").c_str(), mode);
    return {SecretReference::Kind::file, (folder_ / "secret").string()};
  }

  std::filesystem::path folder_;
};

TEST_F(ASecretFile, IsReadWithoutItsLastNewline) {
  EXPECT_EQ(read_secret(file("hunter2\n"))->text, "hunter2");
  EXPECT_EQ(read_secret(file("hunter2\r\n"))->text, "hunter2");
  EXPECT_EQ(read_secret(file(" two words "))->text, " two words ");
}

TEST_F(ASecretFile, IsReadAnewEachTime) {
  EXPECT_EQ(read_secret(file("old"))->text, "old");
  EXPECT_EQ(read_secret(file("new"))->text, "new");
}

TEST_F(ASecretFile, WarnsWhenEveryoneMayReadIt) {
  EXPECT_EQ(read_secret(file("x", 0600))->warning, "");
  EXPECT_EQ(read_secret(file("x", 0640))->warning, "");
  EXPECT_THAT(read_secret(file("hunter2", 0644))->warning, HasSubstr("chmod 600"));
  EXPECT_THAT(read_secret(file("hunter2", 0644))->warning, Not(HasSubstr("hunter2")));
}

TEST_F(ASecretFile, ThatIsMissingEmptyHugeOrAFolderIsAnErrorThatNamesIt) {
  const SecretReference missing{SecretReference::Kind::file, (folder_ / "gone").string()};
  EXPECT_EQ(read_secret(missing).error().code, "P122");
  EXPECT_THAT(read_secret(missing).error().message, HasSubstr("/gone"));
  EXPECT_EQ(read_secret({SecretReference::Kind::file, folder_.string()}).error().code, "P122");
  EXPECT_EQ(read_secret(file("\n")).error().code, "P123");
  const Error huge = read_secret(file(std::string(100'000, 'x'))).error();
  EXPECT_EQ(huge.code, "P122");
  EXPECT_THAT(huge.text(), Not(HasSubstr("xxx")));
}

TEST(ASecretVariable, IsReadFromTheEnvironment) {
  ::setenv("CANNULA_TEST_SECRET", "hunter2", 1);
  EXPECT_EQ(read_secret({SecretReference::Kind::environment, "CANNULA_TEST_SECRET"})->text,
            "hunter2");
  ::unsetenv("CANNULA_TEST_SECRET");
  const Error error =
      read_secret({SecretReference::Kind::environment, "CANNULA_TEST_SECRET"}).error();
  EXPECT_EQ(error.code, "P121");
  EXPECT_THAT(error.message, HasSubstr("CANNULA_TEST_SECRET"));
}

}  // namespace
}  // namespace cannula::security
