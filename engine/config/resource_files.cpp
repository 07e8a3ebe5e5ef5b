#include "engine/config/resource_files.h"

#include <fmt/format.h>

#include "engine/config/document.h"
#include "engine/config/folder.h"
#include "engine/config/keys.h"
#include "engine/config/schema.h"
#include "parsers/hl7v2/validation/profile.h"
#include "parsers/hl7v2/validation/site_segments.h"

namespace cannula::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSettingsSuffix = ".table.toml";
constexpr std::string_view kProfileSuffix = ".profile";
constexpr std::string_view kSegmentsSuffix = ".segments";

class ResourceReader {
 public:
  ResourceReader(const fs::path& root, const rules::Resources* last_good, bool test_rules)
      : root_(root), last_good_(last_good), test_rules_(test_rules) {}

  LoadedResources read() && {
    read_tables();
    read_rule_sets();
    read_hl7();
    return {std::make_shared<const rules::Resources>(std::move(resources_)), std::move(findings_)};
  }

 private:
  void read_tables() {
    std::vector<std::string> names, settings;
    for (const std::string& file : list_folder(root_, "tables", findings_)) {
      if (file.ends_with(".csv")) {
        names.push_back(file.substr(0, file.size() - 4));
      } else if (file.ends_with(kSettingsSuffix)) {
        settings.push_back(file.substr(0, file.size() - kSettingsSuffix.size()));
      }
    }
    for (const std::string& name : settings) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      const std::vector<std::string_view> known(names.begin(), names.end());
      findings_.push_back(about_file(
          Severity::error, "C132", root_ / "tables" / (name + std::string(kSettingsSuffix)),
          fmt::format("there is no table {} that these settings could be of", name + ".csv"),
          suggestion(name, known)));
    }
    for (const std::string& name : names) {
      const bool has_settings = std::find(settings.begin(), settings.end(), name) != settings.end();
      if (is_usable("table", "tables/" + name + ".csv", name)) read_table_file(name, has_settings);
    }
  }

  void read_table_file(const std::string& name, bool has_settings) {
    const std::size_t before = findings_.size();
    tables::TableSettings settings;
    if (has_settings) settings = read_settings(name);
    std::shared_ptr<const tables::Table> table;
    auto source = read_source(root_, fs::path("tables") / (name + ".csv"), findings_);
    if (source) {
      tables::Table::Read read = tables::Table::read(name, std::move(source), std::move(settings));
      table = std::move(read.table);
      add(std::move(read.findings));
    }
    if (table && !has_errors(std::span(findings_).subspan(before))) {
      resources_.tables[name] = std::move(table);
    } else if (last_good_ && last_good_->tables.contains(name)) {
      resources_.tables[name] = last_good_->tables.at(name);
    }
  }

  tables::TableSettings read_settings(const std::string& name) {
    tables::TableSettings settings;
    const auto source =
        read_source(root_, fs::path("tables") / (name + std::string(kSettingsSuffix)), findings_);
    if (!source) return settings;
    const Document document = parse_document(source, findings_);
    const Values values = config::read_table(File(source, findings_), document.root,
                                             table_options(), "a table's settings", root_);
    settings.description = values.text_or("description", "");
    if (values.has("keys")) settings.keys = values.texts("keys");
    if (values.has("required")) settings.required = values.texts("required");
    if (values.has("loinc")) settings.loinc = values.texts("loinc");
    settings.ignore_case = values.boolean("ignore_case");
    return settings;
  }

  void read_rule_sets() {
    for (const std::string& file : list_folder(root_, "rules", findings_)) {
      if (!file.ends_with(".rules")) continue;
      const std::string name = file.substr(0, file.size() - 6);
      if (is_usable("rule set", "rules/" + file, name)) read_rule_file(name, file);
    }
  }

  void read_rule_file(const std::string& name, const std::string& file) {
    const auto before = set_in_use(name);
    std::shared_ptr<const rules::RuleSet> set;
    if (auto source = read_source(root_, fs::path("rules") / file, findings_)) {
      if (before && before->source().text() == source->text()) {
        resources_.rule_sets[name] = before;
        return;
      }
      rules::RuleSet::Compiled compiled = rules::RuleSet::compile(name, std::move(source));
      set = std::move(compiled.set);
      add(std::move(compiled.findings));
    }
    if (set && before) add(set->changed_under_their_version(*before));
    if (set && test_rules_ && !passes_its_tests(*set)) set = nullptr;
    if (!set) set = before;
    if (set) resources_.rule_sets[name] = std::move(set);
  }

  std::shared_ptr<const rules::RuleSet> set_in_use(const std::string& name) const {
    if (!last_good_) return nullptr;
    const auto found = last_good_->rule_sets.find(name);
    return found == last_good_->rule_sets.end() ? nullptr : found->second;
  }

  // A file is in use a second after it was saved: a rule that does not do what stands beside it is
  // no better than one that cannot be read.
  bool passes_its_tests(const rules::RuleSet& set) {
    constexpr std::size_t kMostShown = 20;
    std::size_t failed = 0;
    std::optional<Diagnostic> next;
    for (rules::TestResult& result : set.run_tests()) {
      if (result.passed) continue;
      ++failed;
      if (failed <= kMostShown) {
        findings_.push_back(*std::move(result.finding));
      } else if (!next) {
        next = std::move(result.finding);
      }
    }
    if (next && failed > kMostShown + 1) {
      next->message =
          fmt::format("this test and {} more of the file fail", failed - kMostShown - 1);
      next->hint = fmt::format("`cannula rules test {}` shows them", set.source().name());
    }
    if (next) findings_.push_back(*std::move(next));
    return failed == 0;
  }

  void read_hl7() {
    std::vector<std::string> segments;
    for (const std::string& file : list_folder(root_, "hl7", findings_)) {
      if (file.ends_with(kProfileSuffix)) {
        const std::string name = file.substr(0, file.size() - kProfileSuffix.size());
        if (is_usable("profile", "hl7/" + file, name)) read_profile(name, file);
      } else if (file.ends_with(kSegmentsSuffix)) {
        segments.push_back(file);
      }
    }
    if (!segments.empty()) read_segments(segments);
  }

  void read_profile(const std::string& name, const std::string& file) {
    std::vector<Diagnostic> found;
    std::shared_ptr<const hl7v2::Profile> profile;
    if (const auto source = read_source(root_, fs::path("hl7") / file, findings_)) {
      profile = std::make_shared<const hl7v2::Profile>(hl7v2::Profile::read(source, found));
    }
    if (profile && !has_errors(found)) {
      resources_.profiles[name] = std::move(profile);
    } else if (last_good_ && last_good_->profiles.contains(name)) {
      resources_.profiles[name] = last_good_->profiles.at(name);
    }
    add(std::move(found));
  }

  void read_segments(const std::vector<std::string>& files) {
    std::vector<Diagnostic> found;
    auto segments = std::make_shared<hl7v2::SiteSegments>();
    for (const std::string& file : files) {
      if (const auto source = read_source(root_, fs::path("hl7") / file, found)) {
        segments->read(source, found);
      }
    }
    if (!has_errors(found)) {
      resources_.segments = std::move(segments);
    } else if (last_good_) {
      resources_.segments = last_good_->segments;
    }
    add(std::move(found));
  }

  bool is_usable(std::string_view what, const std::string& file, const std::string& name) {
    if (is_name(name)) return true;
    findings_.push_back(
        about_file(Severity::error, "C110", root_ / file,
                   fmt::format("{} cannot be the name of a {}", in_quotes(name), what),
                   "letters, digits, `-` and `_`, at most 64"));
    return false;
  }

  void add(std::vector<Diagnostic> findings) {
    findings_.insert(findings_.end(), std::make_move_iterator(findings.begin()),
                     std::make_move_iterator(findings.end()));
  }

  const fs::path& root_;
  const rules::Resources* last_good_;
  const bool test_rules_;
  rules::Resources resources_;
  std::vector<Diagnostic> findings_;
};

void append_stamps(std::string& stamp, const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> lines;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const auto size = at->file_size(gone);
    const auto time = at->last_write_time(gone).time_since_epoch().count();
    if (!gone) lines.push_back(fmt::format("{} {} {}\n", at->path().string(), size, time));
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) stamp += line;
}

}  // namespace

LoadedResources load_resources(const fs::path& root, const rules::Resources* last_good,
                               bool test_rules) {
  return ResourceReader(root, last_good, test_rules).read();
}

std::string resources_stamp(const fs::path& root) {
  std::string stamp;
  append_stamps(stamp, root / "tables");
  append_stamps(stamp, root / "rules");
  append_stamps(stamp, root / "hl7");
  return stamp;
}

}  // namespace cannula::config
