// As much of SQLite as the index needs, with Result for errors. A connection and its statements
// belong to one thread at a time. Errors carry J301, or J302 when the file is not (or no longer) a
// sound database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "parsers/text/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cannula::store {

// A prepared statement. Bound texts must stay alive until the next step() that ends, or reset().
// Columns count from 0, parameters from 1; column texts are valid until the next step().
class Statement {
 public:
  // `unsound` outlives it, and is set when the file turns out to be damaged.
  Statement(sqlite3* database, sqlite3_stmt* statement, bool& unsound)
      : database_(database), statement_(statement), unsound_(unsound) {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind_unsigned(int parameter, std::uint64_t value);  // the same bits
  Statement& bind_unless_0(int parameter, std::uint64_t value);  // 0 becomes NULL
  Statement& bind(int parameter,
                  std::string_view text);  // empty becomes NULL: it takes no byte of the row
  Statement& bind_text(int parameter, std::string_view text);  // empty stays empty
  Statement& bind_blob(int parameter, std::string_view bytes);

  // True: there is a row. After the last one, and after an error, the statement is ready to be
  // bound again.
  Result<bool> step();
  // For statements that give no rows.
  Result<void> run();
  void reset();

  std::int64_t integer(int column) const;
  std::uint64_t unsigned_integer(int column) const;
  std::string_view text(int column) const;  // of NULL: empty

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_;
  bool& unsound_;
};

class Connection {
 public:
  enum class Mode { create, read };

  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path, Mode mode);
  ~Connection();

  Result<void> execute(const std::string& sql);
  // Compiled at the first call and kept.
  Result<Statement*> prepared(std::string_view sql);
  Result<std::unique_ptr<Statement>> prepare(std::string_view sql);
  // Rows that the last INSERT, UPDATE or DELETE changed.
  std::int64_t changed_rows() const;
  // The first column of the first row; 0 when there is none.
  Result<std::int64_t> number(std::string_view sql);
  // Whether it has met a file that is damaged or no database (J302).
  bool is_unsound() const { return unsound_; }

 private:
  explicit Connection(sqlite3* database) : database_(database) {}

  sqlite3* database_;
  bool unsound_ = false;
  std::map<std::string, std::unique_ptr<Statement>, std::less<>> statements_;
};

}  // namespace cannula::store
