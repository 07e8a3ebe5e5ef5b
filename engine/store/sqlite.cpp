#include "engine/store/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::store {
namespace {

constexpr int kBusyMilliseconds = 10'000;

Error failure(sqlite3* database, std::string_view what, bool& met_unsound) {
  const int code = sqlite3_errcode(database);  // of none: SQLITE_NOMEM
  const bool unsound = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  met_unsound = met_unsound || unsound;
  if (!database) return Error{"J301", fmt::format("index: {}: out of memory", what)};
  const char* file = sqlite3_db_filename(database, "main");  // none: it could not be opened
  return Error{unsound ? "J302" : "J301",
               fmt::format("index: {}: {}", what, sqlite3_errmsg(database)),
               unsound ? "it is rebuilt from the journal"
                       : fmt::format("see whether the disk of {} has room and works; the journal "
                                     "has all that the index has",
                                     file ? file : "index.db"),
               {}};
}

}  // namespace

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  sqlite3_bind_int64(statement_, parameter, value);
  return *this;
}

Statement& Statement::bind_unsigned(int parameter, std::uint64_t value) {
  return bind(parameter, static_cast<std::int64_t>(value));
}

Statement& Statement::bind_unless_0(int parameter, std::uint64_t value) {
  if (value != 0) return bind_unsigned(parameter, value);
  sqlite3_bind_null(statement_, parameter);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  if (text.empty()) {
    sqlite3_bind_null(statement_, parameter);
    return *this;
  }
  return bind_text(parameter, text);
}

Statement& Statement::bind_text(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_, parameter, text.data() ? text.data() : "", text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  if (bytes.empty()) {
    sqlite3_bind_null(statement_, parameter);
  } else {
    sqlite3_bind_blob64(statement_, parameter, bytes.data(), bytes.size(), SQLITE_STATIC);
  }
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = failure(database_, "a statement failed", unsound_);
  sqlite3_reset(statement_);
  return error;
}

Result<void> Statement::run() {
  while (TRY(step())) {
  }
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::uint64_t Statement::unsigned_integer(int column) const {
  return static_cast<std::uint64_t>(integer(column));
}

std::string_view Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (!bytes || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

namespace {

// Mode 0600 for the database and what stands beside it, to which SQLite gives the same. An existing
// file is not opened for it: closing it again would let go of the locks that another connection of
// this process has on it.
void keep_from_others(const std::filesystem::path& path) {
  const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made >= 0) ::close(made);
  for (const char* end : {"", "-wal", "-shm"}) {
    static_cast<void>(::chmod((path.string() + end).c_str(), 0600));
  }
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path, Mode mode) {
  if (mode == Mode::create) keep_from_others(path);
  sqlite3* database = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX |
      (mode == Mode::create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const int code = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(database));
  if (code != SQLITE_OK) {
    return failure(database, fmt::format("cannot open {}", path.string()), connection->unsound_);
  }
  sqlite3_extended_result_codes(database, 0);
  sqlite3_busy_timeout(database, kBusyMilliseconds);
  return connection;
}

Connection::~Connection() {
  statements_.clear();
  sqlite3_close_v2(database_);
}

Result<void> Connection::execute(const std::string& sql) {
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure(database_, sql.substr(0, sql.find_first_of(";\n")), unsound_);
  }
  return {};
}

Result<std::unique_ptr<Statement>> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return failure(database_, sql, unsound_);
  }
  return std::make_unique<Statement>(database_, statement, unsound_);
}

Result<Statement*> Connection::prepared(std::string_view sql) {
  auto entry = statements_.find(sql);
  if (entry == statements_.end()) {
    entry = statements_.emplace(std::string(sql), TRY(prepare(sql))).first;
  }
  entry->second->reset();
  return entry->second.get();
}

std::int64_t Connection::changed_rows() const {
  return sqlite3_changes64(database_);
}

Result<std::int64_t> Connection::number(std::string_view sql) {
  const auto statement = TRY(prepare(sql));
  if (!TRY(statement->step())) return std::int64_t{0};
  return statement->integer(0);
}

}  // namespace cannula::store
