// The tables of the index, as numbered steps. A step that has shipped is never changed: a new one
// is added behind it. The number of steps an index file has had is its `user_version`.
#pragma once

#include <span>
#include <string_view>

namespace cannula::store {

struct Migration {
  std::string_view what;  // it does, for a person
  std::string_view sql;
  bool anew = false;  // rows that are there cannot be brought along: the index is built anew
};

std::span<const Migration> index_migrations();

}  // namespace cannula::store
