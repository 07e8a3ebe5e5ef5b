#include "parsers/hl7v2/dictionary/dictionary.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "parsers/hl7v2/dictionary/dictionary_text.h"

namespace cannula::hl7v2 {
namespace {

constexpr std::array<std::string_view, kVersions> kNames = {
    "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8"};

std::uint32_t number_in(std::string_view text, int base = 10) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

// Takes the text up to the mark off the front of `rest`.
std::string_view next_part(std::string_view& rest, char mark) {
  const std::size_t end = rest.find(mark);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

template <class Definition>
const Definition* find_by_name(const std::vector<const Definition*>& all, std::string_view name) {
  const auto at =
      std::lower_bound(all.begin(), all.end(), name,
                       [](const Definition* each, std::string_view n) { return each->name < n; });
  return at == all.end() || (*at)->name != name ? nullptr : *at;
}

}  // namespace

// Reads the generated text, which is right, into rows that all versions share. The formats of its
// lines stand at the head of generator/generate.mjs.
class DictionaryReader {
 public:
  explicit DictionaryReader(std::string_view text) {
    reserve(text);
    while (!text.empty()) read_line(next_part(text, '\n'));
    hand_out(segments_, &Dictionary::segments_);
    hand_out(types_, &Dictionary::types_);
    hand_out(structures_, &Dictionary::structures_);
  }

  const Dictionary& version(std::size_t at) const { return versions_[at]; }
  std::span<const TableDefinition> tables() const { return tables_; }

 private:
  template <class Definition>
  struct Masked {
    Definition definition;
    std::uint32_t mask;
  };

  // Rows are pointed to, so they must not move once read.
  void reserve(std::string_view text) {
    std::size_t parts = 0;
    std::size_t rows = 0;
    std::size_t codes = 0;
    std::size_t tables = 0;
    while (!text.empty()) {
      const std::string_view line = next_part(text, '\n');
      rows += line[0] == 'R';
      codes += line[0] == 'c';
      tables += line[0] == 'C';
      if (line[0] == 'S' || line[0] == 'T') {
        parts += static_cast<std::size_t>(std::count(line.begin(), line.end(), ' ')) + 1;
      }
    }
    rows_.reserve(rows);
    parts_.reserve(parts);
    codes_.reserve(codes);
    tables_.reserve(tables);
  }

  void read_line(std::string_view line) {
    const char kind = next_part(line, '\t')[0];
    if (kind == 'R') {
      PartDefinition& row = rows_.emplace_back();
      row.name = next_part(line, '\t');
      row.type = next_part(line, '\t');
      row.length = number_in(next_part(line, '\t'));
      row.repetitions = number_in(next_part(line, '\t'));
      row.usage = static_cast<Usage>(next_part(line, '\t')[0]);
      row.table = line;
    } else if (kind == 'c') {
      const std::string_view code = next_part(line, '\t');
      codes_.push_back({code, line});
      TableDefinition& table = tables_.back();
      table.codes = {codes_.data() + codes_.size() - table.codes.size() - 1,
                     table.codes.size() + 1};
    } else if (kind == 'C') {
      const std::string_view number = next_part(line, '\t');
      tables_.push_back({number, line, {}});
    } else if (kind != 'V') {
      read_masked(kind, line);
    }
  }

  void read_masked(char kind, std::string_view line) {
    const std::uint32_t mask = number_in(next_part(line, '\t'), 16);
    const std::string_view name = next_part(line, '\t');
    if (kind == 'E') {
      for (std::size_t at = 0; at < kVersions; ++at) {
        if (mask >> at & 1) versions_[at].events_.push_back({name, line});
      }
      return;
    }
    const std::string_view text = next_part(line, '\t');
    if (kind == 'S') segments_.push_back({{name, text, parts_in(line)}, mask});
    if (kind == 'T') types_.push_back({{name, text, parts_in(line)}, mask});
    if (kind == 'M') structures_.push_back({{name, text, line}, mask});
  }

  std::span<const PartDefinition* const> parts_in(std::string_view numbers) {
    const std::size_t first = parts_.size();
    while (!numbers.empty()) parts_.push_back(&rows_[number_in(next_part(numbers, ' '))]);
    return {parts_.data() + first, parts_.size() - first};
  }

  // The lines come in the order of names, and so does what is handed out.
  template <class Definition>
  void hand_out(const std::vector<Masked<Definition>>& all,
                std::vector<const Definition*> Dictionary::*list) {
    for (const Masked<Definition>& each : all) {
      for (std::size_t at = 0; at < kVersions; ++at) {
        if (each.mask >> at & 1) (versions_[at].*list).push_back(&each.definition);
      }
    }
    for (Dictionary& version : versions_) {
      std::sort((version.*list).begin(), (version.*list).end(),
                [](const Definition* a, const Definition* b) { return a->name < b->name; });
    }
  }

  std::vector<PartDefinition> rows_;
  std::vector<const PartDefinition*> parts_;
  std::vector<Masked<SegmentDefinition>> segments_;
  std::vector<Masked<TypeDefinition>> types_;
  std::vector<Masked<StructureDefinition>> structures_;
  std::vector<Code> codes_;
  std::vector<TableDefinition> tables_;
  std::array<Dictionary, kVersions> versions_;
};

namespace {

const DictionaryReader& all() {
  static const DictionaryReader reader(dictionary_text());
  return reader;
}

}  // namespace

std::string_view name_of(Version version) {
  return kNames[static_cast<std::size_t>(version)];
}

std::optional<Version> version_of(std::string_view text) {
  // "2", a point, and then the rest: compared as numbers, part by part.
  const auto key_of = [](std::string_view version) {
    std::array<std::uint32_t, 3> key{};
    for (std::uint32_t& part : key) part = number_in(next_part(version, '.'));
    return key;
  };
  if (!text.starts_with("2.") || text.size() < 3 || text[2] < '0' || text[2] > '9') return {};
  const auto wanted = key_of(text);
  std::optional<Version> found;
  for (std::size_t at = 0; at < kVersions; ++at) {
    if (key_of(kNames[at]) <= wanted) found = static_cast<Version>(at);
  }
  return found;
}

std::optional<std::string_view> TableDefinition::meaning(std::string_view code) const {
  const auto at =
      std::find_if(codes.begin(), codes.end(), [&](const Code& each) { return each.code == code; });
  return at == codes.end() ? std::nullopt : std::optional(at->text);
}

const SegmentDefinition* Dictionary::segment(std::string_view name) const {
  return find_by_name(segments_, name);
}

const TypeDefinition* Dictionary::data_type(std::string_view name) const {
  return find_by_name(types_, name);
}

const StructureDefinition* Dictionary::structure(std::string_view name) const {
  return find_by_name(structures_, name);
}

const StructureDefinition* Dictionary::structure(std::string_view type,
                                                 std::string_view event) const {
  std::string name = std::string(type) + '^' + std::string(event);
  const auto at = std::find_if(events_.begin(), events_.end(),
                               [&](const Event& each) { return each.event == name; });
  if (at != events_.end()) return structure(at->structure);
  name[type.size()] = '_';
  if (event.empty()) name.pop_back();
  return structure(name);
}

const Dictionary& dictionary(Version version) {
  return all().version(static_cast<std::size_t>(version));
}

std::span<const TableDefinition> tables() {
  return all().tables();
}

const TableDefinition* table(std::string_view number) {
  const auto significant = [](std::string_view text) {
    return text.substr(std::min(text.find_first_not_of('0'), text.size()));
  };
  const std::string_view wanted = significant(number);
  const auto at = std::find_if(tables().begin(), tables().end(), [&](const TableDefinition& each) {
    return significant(each.number) == wanted;
  });
  return at == tables().end() ? nullptr : &*at;
}

}  // namespace cannula::hl7v2
