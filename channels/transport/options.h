// The keys that a transport reads from a channel's configuration: each is described once, beside
// the code that reads it. `cannula check`, its suggestions for misspelt keys and
// docs/reference/config.md are made from these tables.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cannula {

enum class OptionType {
  text,     // any string
  integer,  // 64-bit, within [minimum, maximum]
  boolean,
  duration,  // "250ms" "30s" "5m" "2h" "3d"
  size,      // "64MB" "512KB" or a number of bytes; 1 KB = 1024 bytes
  endpoint,  // "host:port", "[::1]:port"; port 0 asks the system for one
  file,      // a path, relative to the site folder
  texts,     // a string or a list of strings
  secret,    // "env:NAME" or "file:PATH", never a literal
  table,     // a nested table with its own options
};

std::string_view name_of(OptionType type);

struct Option {
  std::string_view name;
  OptionType type = OptionType::text;
  std::string_view description;      // a sentence for docs/reference/config.md
  std::string_view default_value{};  // as it would be written in the file; empty when there is none
  bool required = false;
  std::vector<std::string_view> choices{};  // for text: the only values allowed
  std::int64_t minimum = 0;                 // for integer
  std::int64_t maximum = INT64_MAX;
  std::span<const Option> members{};  // for table
};

// host and port as written; resolved when it is used, so that a changed DNS entry is seen.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string text() const;
  static std::optional<Endpoint> parse(std::string_view text);
};

// Where a secret is to be read from. Reading it is the engine's work; what it says is never kept
// here.
struct SecretReference {
  enum class Kind { environment, file } kind = Kind::environment;
  std::string name;  // of the variable, or the absolute path
};

// The checked values of one table. Defaults are filled in, so a getter for an option with a default
// or marked required always finds a value; asking for an option that the schema does not have is a
// bug and throws std::logic_error.
class Values {
 public:
  using Value =
      std::variant<std::string, std::int64_t, bool, std::chrono::milliseconds, Endpoint,
                   std::vector<std::string>, SecretReference, std::shared_ptr<const Values>>;

  void set(std::string name, Value value) { values_[std::move(name)] = std::move(value); }

  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  const std::string& text(std::string_view name) const;  // text, file
  std::string text_or(std::string_view name, std::string_view fallback) const;
  std::int64_t integer(std::string_view name) const;  // integer, size (bytes)
  bool boolean(std::string_view name) const;
  std::chrono::milliseconds duration(std::string_view name) const;
  const Endpoint& endpoint(std::string_view name) const;
  const std::vector<std::string>& texts(std::string_view name) const;
  const SecretReference& secret(std::string_view name) const;
  const Values* table(std::string_view name) const;  // null when absent

 private:
  template <class T>
  const T& get(std::string_view name) const;
  std::map<std::string, Value, std::less<>> values_;
};

// The written forms, shared by configuration, command line and documentation.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::optional<std::int64_t> parse_size(std::string_view text);
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace cannula
