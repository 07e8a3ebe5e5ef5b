#include "engine/store/journal_shape.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/store/packed_segment.h"
#include "engine/store/segment.h"

namespace cannula::store {

Result<std::string> shape_of_journal(const std::filesystem::path& directory, FileSystem& files) {
  std::vector<std::string> names = TRY(files.list(directory));
  std::erase_if(names, [](const std::string& name) {
    return name.ends_with(".new") || (base_of_segment_name(name) && !base_of_packed_name(name));
  });
  std::sort(names.begin(), names.end());
  std::string shape = fmt::format("{}", fmt::join(names, " "));
  for (const std::string& name : names) {  // each ends with checksums of what it says
    const auto file = files.open(directory / name, FileSystem::Access::read);
    if (!file) continue;  // gone meanwhile: the next look will be another
    constexpr std::uint64_t kEnd = 40;
    const std::uint64_t size = TRY((*file)->size());
    std::string end(kEnd, '\0');
    end.resize(TRY((*file)->read(size - std::min(size, kEnd), end.data(), end.size())));
    shape += end;
  }
  return shape;
}

}  // namespace cannula::store
