// Tables of a configuration file, read by the Options that describe them: every key checked,
// defaults filled in.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "channels/transport/options.h"
#include "engine/config/document.h"
#include "parsers/text/diagnostic.h"

namespace cannula::config {

// One file under reading: its text and the list that its findings go to.
class File {
 public:
  File(std::shared_ptr<const Source> source, std::vector<Diagnostic>& findings)
      : source_(std::move(source)), findings_(&findings) {}

  void error(std::string code, Span at, std::string message, std::string hint = {}) const {
    add(Severity::error, std::move(code), at, std::move(message), std::move(hint));
  }
  void warning(std::string code, Span at, std::string message, std::string hint = {}) const {
    add(Severity::warning, std::move(code), at, std::move(message), std::move(hint));
  }
  void add(Severity severity, std::string code, std::optional<Span> at, std::string message,
           std::string hint) const;

  const std::shared_ptr<const Source>& source() const { return source_; }
  std::vector<Diagnostic>& findings() const { return *findings_; }

 private:
  std::shared_ptr<const Source> source_;
  std::vector<Diagnostic>* findings_;
};

// The options of one table: what is common to all of its kind and what the transport adds.
using Schema = std::vector<Option>;
Schema schema(std::initializer_list<std::span<const Option>> parts);

// Reads `table` by `options`. A finding is made for every key that is unknown, missing, of the
// wrong type or badly written; such a key is then absent from the result, or has its default. A
// table option without members is checked to be a table (or, where it is `repeated`, a list of
// them) and left to the caller. `place` names the table in messages:
// "[source]". Relative secret files start from `site`.
Values read_table(const File& file, const Node& table, std::span<const Option> options,
                  std::string_view place, const std::filesystem::path& site);

// What a value of this type looks like: `a duration such as "30s"`.
std::string_view description_of(OptionType type);

// "env:NAME" or "file:PATH"; nothing for anything else.
std::optional<SecretReference> parse_secret_reference(std::string_view text,
                                                      const std::filesystem::path& site);

// A value of the type as Option::default_value writes it.
std::optional<Values::Value> parse_default(const Option& option);

// `text` in backquotes, cut when it is long, control characters shown as spaces: for messages.
std::string in_quotes(std::string_view text);

// "did you mean `x`?", or the names that there are, or nothing when there are none.
std::string suggestion(std::string_view name, std::span<const std::string_view> candidates);

// Letters, digits, "_" and "-", at most 64: what channels, partners, destinations and secrets may
// be called, because their names stand in metrics, keys, paths and on the command line.
bool is_name(std::string_view text);

// A table with its keys in alphabetical order and without comments: equal when the meaning is.
std::string canonical_text(const Node& node);

}  // namespace cannula::config
