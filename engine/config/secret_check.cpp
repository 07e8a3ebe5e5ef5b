#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/stat.h>

#include "channels/transport/secret_name.h"
#include "engine/config/reading.h"

namespace cannula::config {

// Warnings, not errors: `check` runs on other machines than the one that has the secrets.
void Reading::check_secret(const SecretReference& reference, const File& file, Span at) const {
  if (reference.kind == SecretReference::Kind::environment) {
    if (std::getenv(reference.name.c_str()) != nullptr) return;
    file.warning("C124", at,
                 fmt::format("the environment variable {} is not set here", reference.name),
                 "set it where cannula runs, or name a file: \"file:PATH\"");
    return;
  }
  struct stat status {};
  if (::stat(reference.name.c_str(), &status) != 0) {
    file.warning("C124", at,
                 fmt::format("the secret file {} cannot be read here: {}", reference.name,
                             std::strerror(errno)),
                 "put it where cannula runs; a relative path starts from the site folder");
    return;
  }
  if (S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0) {
    file.warning(
        "C129", at,
        fmt::format("every user of this machine can read the secret file {}", reference.name),
        fmt::format("chmod 600 {}", reference.name));
  }
}

// A warning for the same reason.
void Reading::check_file(const std::string& named, const File& file, Span at) const {
  struct stat status {};
  const std::filesystem::path path = site_.root / named;
  if (::stat(path.c_str(), &status) == 0) return;
  file.warning("C136", at,
               fmt::format("{} cannot be read here: {}", path.string(), std::strerror(errno)),
               "make it where cannula runs; a relative path starts from the site folder");
}

namespace {

// Of "Name: value", the name of a header that is to log in with; else empty.
std::string_view secret_header_of(std::string_view header) {
  const std::size_t colon = header.find(':');
  const std::string_view name = header.substr(0, colon);
  return colon != std::string_view::npos && is_secret_name(name) ? name : std::string_view();
}

}  // namespace

// No error: what is not sent as `bearer` has no other place than this file.
void Reading::check_written_out(const Node& value, const File& file) const {
  const auto warn = [&file](const Node& at, std::string_view name) {
    if (name.empty()) return;
    file.warning("C148", at.span, fmt::format("the value of `{}` is a secret written out", name),
                 "where the server takes a bearer token, name its place in `bearer`; else let "
                 "nobody but the engine read this file");
  };
  if (value.is(Node::Kind::text)) warn(value, secret_parameter_of(value.text));
  for (const Node& item : value.items) {
    if (item.is(Node::Kind::text)) warn(item, secret_header_of(item.text));
  }
}

void Reading::check_secrets_in(const Values& values, const Node& table,
                               std::span<const Option> options, const File& file) const {
  for (const Option& option : options) {
    const Member* member = table.find(option.name);
    if (!member || !values.has(option.name)) continue;
    if (option.type == OptionType::secret) {
      check_secret(values.secret(option.name), file, member->value.span);
    } else if (option.type == OptionType::file) {
      check_file(values.text(option.name), file, member->value.span);
    } else if (option.type == OptionType::text || option.type == OptionType::texts) {
      check_written_out(member->value, file);
    } else if (option.type == OptionType::table && !option.members.empty()) {
      check_secrets_in(*values.table(option.name), member->value, option.members, file);
    }
  }
}

}  // namespace cannula::config
