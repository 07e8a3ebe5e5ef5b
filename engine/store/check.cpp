#include "engine/store/check.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "engine/store/file_system.h"
#include "engine/store/index.h"
#include "engine/store/journal.h"
#include "engine/store/journal_shape.h"
#include "engine/store/replay.h"
#include "engine/store/restore.h"
#include "engine/store/search_runs.h"
#include "engine/store/segment_reader.h"
#include "engine/store/sqlite.h"
#include "engine/store/store.h"
#include "engine/store/store_files.h"

namespace cannula::store {
namespace {

// What each table says, with names in place of their numbers: those depend on the order of
// transactions.
struct Comparison {
  std::string_view table;
  std::string_view rows;  // {0} is the schema
};

constexpr Comparison kComparisons[] = {
    {"messages",
     "SELECT m.id, c.text, m.state, m.outcome, m.received_at, m.changed_at, m.accepted_position, "
     "m.queued_position, m.last_ordinal, m.size, m.order_keys, p.text, m.code, "
     "m.texts, m.trail, m.place, m.edited_from, m.bodies_removed FROM {0}.messages m JOIN "
     "{0}.names c ON c.id = "
     "m.channel "
     "LEFT JOIN {0}.names p ON p.id = m.partner"},
    {"deliveries",
     "SELECT d.message, d.ordinal, c.text, t.text, d.state, d.attempts, d.priority, "
     "d.handler_pending, d.changed_at, d.next_at, d.outcome_position, d.queued_position, "
     "d.attempt_position, d.order_keys, d.code, d.reason, d.place FROM {0}.deliveries d "
     "JOIN {0}.names c ON c.id = d.channel JOIN {0}.names t ON t.id = d.destination"},
    {"counts",
     "SELECT c.text, t.text, k.state, k.count FROM {0}.counts k JOIN {0}.names c ON c.id = "
     "k.channel "
     "LEFT JOIN {0}.names t ON t.id = k.destination WHERE k.count <> 0"},
    {"script_state",
     "SELECT c.text, s.key, s.value FROM {0}.script_state s JOIN {0}.names c ON c.id = s.channel"},
    {"wire_state",
     "SELECT c.text, s.key, s.value FROM {0}.wire_state s JOIN {0}.names c ON c.id = s.channel"},
    {"misses",
     "SELECT t.text, k.key, c.text, k.key_text, k.text, k.count, k.first_at, k.last_at, k.sample "
     "FROM "
     "{0}.misses k JOIN {0}.names t ON t.id = k.in_table JOIN {0}.names c ON c.id = k.channel"},
    {"awaited",
     "SELECT a.message, t.text, a.key, a.key_text FROM {0}.awaited a JOIN {0}.names t ON t.id = "
     "a.in_table"},
};

// Columns of texts that are sealed (row_seal.h).
constexpr std::pair<std::string_view, std::string_view> kSealedTexts[] = {
    {"messages", "texts"},   {"deliveries", "reason"}, {"script_state", "value"},
    {"wire_state", "value"}, {"misses", "key_text"},   {"misses", "text"},
    {"awaited", "key_text"}};

// An index file that goes when this does.
class TemporaryIndex {
 public:
  TemporaryIndex()
      : path_(std::filesystem::temp_directory_path() / fmt::format("cannula-check-{:08x}{:08x}.db",
                                                                   std::random_device()(),
                                                                   std::random_device()())) {}
  ~TemporaryIndex() { static_cast<void>(Index::remove(path_).has_value()); }
  TemporaryIndex(const TemporaryIndex&) = delete;
  TemporaryIndex& operator=(const TemporaryIndex&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string difference(std::string_view table, std::int64_t missing, std::int64_t surplus) {
  return fmt::format(
      "index table {}: {} rows that follow from the journal are missing or different, {} do not "
      "follow from it",
      table, missing, surplus);
}

// Pairs of messages that the index no longer has say nothing.
Result<std::int64_t> without_gone(Connection& index, const std::string& schema,
                                  const std::vector<SearchPair>& pairs) {
  Statement& select =
      *TRY(index.prepared(fmt::format("SELECT 1 FROM {}.messages WHERE id = ?", schema)));
  std::int64_t count = 0;
  for (const SearchPair& pair : pairs) {
    if (TRY(select.bind_unsigned(1, pair.message).step())) ++count;
    select.reset();
  }
  return count;
}

Result<void> compare_search(Connection& index, std::vector<std::string>& differences) {
  MergedPairs have = TRY(MergedPairs::of_all(index, "main"));
  MergedPairs should = TRY(MergedPairs::of_all(index, "expected"));
  std::vector<SearchPair> missing, surplus;
  auto has = TRY(have.next());
  auto wanted = TRY(should.next());
  while (has || wanted) {
    if (has && wanted && *has == *wanted) {
      has = TRY(have.next());
      wanted = TRY(should.next());
    } else if (has && (!wanted || *has < *wanted)) {
      surplus.push_back(*has);
      has = TRY(have.next());
    } else {
      missing.push_back(*wanted);
      wanted = TRY(should.next());
    }
  }
  const std::int64_t lost = TRY(without_gone(index, "expected", missing));
  const std::int64_t added = TRY(without_gone(index, "main", surplus));
  if (lost > 0 || added > 0) differences.push_back(difference("search", lost, added));
  return {};
}

Diagnostic index_finding(std::string message) {
  Diagnostic finding;
  finding.code = "J204";
  finding.message = std::move(message);
  finding.hint =
      "the index may be the only trace of what the journal said before: keep a copy of the store's "
      "folder, compare with the last backup and `cannula audit verify`; then, with the store "
      "closed, remove index.db: it is built anew at the next start";
  return finding;
}

// A journal to look at. `end_of_open` as check() has it.
Result<std::unique_ptr<Journal>> journal_to_read(const std::filesystem::path& directory,
                                                 FileSystem& files, security::KeyRing* keys,
                                                 const EndOfOpenStore& end_of_open,
                                                 Recovery& found) {
  return Journal::open({.directory = journal_directory(directory),
                        .file_system = &files,
                        .segment_size = 0,
                        .zero_ahead = 0,
                        .read_only = true,
                        .keys = keys,
                        .up_to = end_of_open ? TRY(end_of_open()) : Position{0}},
                       found);
}

// Texts with the number of no key: the store writes none.
Result<void> find_plain_texts(Connection& index, Recovery& found) {
  for (const auto& [table, column] : kSealedTexts) {
    const auto count =
        TRY(index.number(fmt::format("SELECT count(*) FROM main.{} WHERE substr(CAST({} AS BLOB), "
                                     "1, 4) = x'00000000'",
                                     table, column)));
    if (count == 0) continue;
    found.damage.push_back(index_finding(fmt::format(
        "{}: {} of its texts {} plain, and this store seals them: somebody wrote into the index",
        table, count, count == 1 ? "is" : "are")));
  }
  return {};
}

Result<void> compare_index(const Journal& journal, Connection& index, Position indexed,
                           const RowSeal& seal, Recovery& found) {
  if (indexed > journal.end()) {
    found.damage.push_back(index_finding(
        fmt::format("the index is ahead of the journal (position {}, the journal ends at {})",
                    indexed, journal.end())));
    return {};
  }
  const TemporaryIndex expected;
  {
    const auto built = TRY(Index::open(expected.path(), seal));
    TRY(start_index(journal, *built, &found.damage));
    TRY(replay_journal(journal, indexed, *built, nullptr, nullptr));
  }
  if (seal.has_keys()) TRY(find_plain_texts(index, found));
  for (std::string& difference : TRY(index_differences(index, expected.path()))) {
    found.damage.push_back(index_finding(std::move(difference)));
  }
  found.index_compared = true;
  return {};
}

// Reads every record; true when one is sealed and there are no keys to open it with.
Result<bool> read_records(const Journal& journal, const security::KeyRing* keys, Recovery& found) {
  bool sealed = false;
  const auto visit = [&](const Frame& frame) -> Result<bool> {
    const auto type = static_cast<RecordType>(frame.header.type);
    if (type == RecordType::closed) return true;
    ++found.records_replayed;
    if (frame.header.format == kSealedFormat && !keys) {
      sealed = true;
      return true;
    }
    const auto record = journal.record_of(frame);
    if (!record && record.error().code != "K106") {
      Diagnostic finding;
      finding.code = record.error().code;
      finding.message =
          fmt::format("{}: {}", journal.place_of(frame.position), record.error().message);
      finding.hint = record.error().hint;
      found.damage.push_back(std::move(finding));
    }
    return true;
  };
  TRY(journal.scan(journal.begin(), journal.end(), visit, &found.damage));
  return sealed;
}

// One transaction sees the index as it was at one position, whatever is written meanwhile. It is
// begun before the journal is asked for its end, which is then not before that position.
Result<void> check_index(const std::filesystem::path& directory, FileSystem& files,
                         security::KeyRing* keys, const EndOfOpenStore& end_of_open,
                         Recovery& found) {
  const auto index = TRY(Connection::open(index_path(directory), Connection::Mode::read));
  TRY(index->execute("BEGIN"));
  const auto indexed =
      static_cast<Position>(TRY(index->number("SELECT indexed_up_to FROM progress")));
  Recovery known;  // was found by the first reading
  const auto journal = TRY(journal_to_read(directory, files, keys, end_of_open, known));
  return compare_index(*journal, *index, indexed, RowSeal(keys), found);
}

}  // namespace

Result<std::vector<std::string>> index_differences(Connection& index,
                                                   const std::filesystem::path& expected) {
  TRY(index.execute(fmt::format("ATTACH '{}' AS expected", expected.string())));
  std::vector<std::string> differences;
  for (const Comparison& one : kComparisons) {
    const std::string has = fmt::format(fmt::runtime(one.rows), "main");
    const std::string should = fmt::format(fmt::runtime(one.rows), "expected");
    const auto missing =
        TRY(index.number(fmt::format("SELECT count(*) FROM ({} EXCEPT {})", should, has)));
    const auto surplus =
        TRY(index.number(fmt::format("SELECT count(*) FROM ({} EXCEPT {})", has, should)));
    if (missing == 0 && surplus == 0) continue;
    differences.push_back(difference(one.table, missing, surplus));
  }
  TRY(compare_search(index, differences));
  return differences;
}

// Without keys that are new: they open nothing, and say nothing of what is sealed.
static Result<std::shared_ptr<security::KeyRing>> without_new_keys(
    std::shared_ptr<security::KeyRing> keys, const std::filesystem::path& directory,
    FileSystem& files, Recovery& found) {
  if (!keys || !keys->is_new()) return keys;
  const auto allowed = Journal::may_get_new_keys(files, journal_directory(directory), false);
  if (!allowed && !allowed.error().code.starts_with('K')) return allowed.error();
  if (!allowed) found.damage.push_back(finding_of(allowed.error()));
  return std::shared_ptr<security::KeyRing>();
}

static Result<Recovery> check_once(const std::filesystem::path& directory, FileSystem& files,
                                   const std::shared_ptr<security::KeyRing>& given,
                                   const EndOfOpenStore& end_of_open) {
  Recovery found;
  const auto keys = TRY(without_new_keys(given, directory, files, found));
  bool sealed = false;
  {
    const auto journal = TRY(journal_to_read(directory, files, keys.get(), end_of_open, found));
    found.store = identity_text(journal->identity());
    found.segments = journal->segments().size();
    found.begin = journal->begin();
    found.end = journal->end();
    sealed = TRY(read_records(*journal, keys.get(), found));
  }
  std::error_code ignored;  // without an index: it is built at the next start
  if (sealed || !std::filesystem::exists(index_path(directory), ignored)) return found;
  if (auto compared = check_index(directory, files, keys.get(), end_of_open, found); !compared) {
    found.damage.push_back(index_finding(compared.error().message));
  }
  return found;
}

Result<Recovery> check(const std::filesystem::path& directory, FileSystem* file_system,
                       std::shared_ptr<security::KeyRing> keys, const EndOfOpenStore& end_of_open) {
  FileSystem& files = file_system ? *file_system : FileSystem::real();
  TRY(no_restore_is_unfinished(files, directory));
  if (!end_of_open) {
    const auto lock = TRY(files.lock(lock_path(directory)));
    return check_once(directory, files, keys, end_of_open);
  }
  constexpr int kMostTimes = 5;
  for (int time = 0; time < kMostTimes; ++time) {
    const std::string before = TRY(shape_of_journal(journal_directory(directory), files));
    auto found = check_once(directory, files, keys, end_of_open);
    if (TRY(shape_of_journal(journal_directory(directory), files)) == before) return found;
  }
  return Error{"J207", "retention was at work each time that the store was read",
               "run `cannula store check` again when it has ended"};
}

}  // namespace cannula::store
