// Where the public test data is, and its files.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace cannula::conformance {

// The folder of that name in the corpus; empty when there is none.
inline std::filesystem::path corpus_folder(const std::string& name) {
  const char* set = std::getenv("CANNULA_CORPUS");
  const std::filesystem::path corpus = set != nullptr ? set : "../shared/corpus";
  return std::filesystem::is_directory(corpus / name) ? corpus / name : std::filesystem::path();
}

// All files below, in order.
inline std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace cannula::conformance
