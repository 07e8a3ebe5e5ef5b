// A trail in a folder of its own that goes with the test.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <stdlib.h>

#include "engine/security/audit/log.h"
#include "engine/security/audit/verify.h"

namespace cannula::audit {

class TrailFixture : public testing::Test {
 protected:
  TrailFixture() {
    std::string name = (std::filesystem::temp_directory_path() / "cannula-audit-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~TrailFixture() override { std::filesystem::remove_all(root_); }

  std::filesystem::path directory() const { return root_ / "audit"; }
  Options options(std::string key = {}) const {
    Options options;
    options.directory = directory();
    options.key = std::move(key);
    return options;
  }
  static Entry shown(const std::string& message) {
    return {.actor = {.kind = Actor::Kind::person, .name = "anna", .uid = 1000},
            .act = "message.show",
            .object = {.message = message}};
  }
  // Entries 1 to `count`, each of message "M1" …
  void write(int count, const std::string& key = {}, int first = 1) {
    Log log(options(key));
    for (int i = first; i < first + count; ++i)
      ASSERT_TRUE(log.append(shown("M" + std::to_string(i))));
  }

  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> paths;
    for (const std::string& name : trail_files(directory(), store::FileSystem::real()))
      paths.push_back(directory() / name);
    return paths;
  }
  std::vector<std::string> lines(std::size_t file = 0) const {
    std::ifstream in(files().at(file));
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  void put(const std::vector<std::string>& lines, std::size_t file = 0) const {
    std::ofstream out(files().at(file), std::ios::trunc);
    for (const std::string& line : lines) out << line << '\n';
  }
  // What someone does who can compute plain hashes: says something else and seals it anew.
  static std::string sealed_anew(const std::string& line, const std::string& from,
                                 const std::string& to) {
    std::string sealed(link_of(line)->sealed);
    sealed.replace(sealed.find(from), from.size(), to);
    return sealed + ",\"mac\":\"" + sha256(sealed) + "\"}";
  }

  Verdict verdict(const std::string& key = {}, std::vector<Head> anchors = {},
                  std::vector<std::string> old_keys = {}) const {
    auto result = verify({.directory = directory(),
                          .key = key,
                          .old_keys = std::move(old_keys),
                          .anchors = std::move(anchors)});
    EXPECT_TRUE(result) << result.error().text();
    return *std::move(result);
  }
  // "A102@3": code and line of each finding; "A106" without a line.
  static std::vector<std::string> places(const Verdict& verdict) {
    std::vector<std::string> found;
    for (const Diagnostic& one : verdict.findings) {
      found.push_back(one.code);
      if (one.source)
        found.back() += "@" + std::to_string(one.source->position(one.span->begin).line);
    }
    return found;
  }

  std::filesystem::path root_;
};

}  // namespace cannula::audit
