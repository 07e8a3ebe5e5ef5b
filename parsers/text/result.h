// Failure on the data path is a value: nothing below engine/config throws because of what the world
// sent.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <boost/system/result.hpp>

#include "parsers/text/diagnostic.h"

namespace cannula {

// Why something could not be done. `code` is stable and has a page in docs/reference/errors.md;
// `message` says what was found, where and what was expected; `hint` what to do next. Never holds
// secrets or the content of a message.
struct Error {
  // Not an aggregate: else Result<std::string> could not tell a value from an error.
  Error() = default;
  Error(std::string stable_code, std::string what, std::string what_next = {},
        std::optional<Span> where = std::nullopt)
      : code(std::move(stable_code)),
        message(std::move(what)),
        hint(std::move(what_next)),
        span(where) {}

  std::string code;
  std::string message;
  std::string hint;
  std::optional<Span> span;  // where in the input, when there is one

  // "message (hint) [code]", one line, for logs and acknowledgements.
  std::string text() const;
};

// Reached only by a call of value() on a failed Result, which is a bug of ours: throws
// std::logic_error.
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& place);

template <class T>
using Result = boost::system::result<T, Error>;

// The value of a Result, or an early return of its error from the enclosing function. Not for
// coroutines: those test the Result and co_return, because a statement expression must not hold a
// suspension point.
#define TRY(...) CANNULA_TRY_AS(CANNULA_TRY_NAME(__COUNTER__), __VA_ARGS__)
// A name of its own for each use, so that one TRY may stand inside another.
#define CANNULA_TRY_NAME(number) CANNULA_TRY_JOIN(cannula_result_, number)
#define CANNULA_TRY_JOIN(name, number) name##number
#define CANNULA_TRY_AS(result, ...)                \
  __extension__({                                  \
    auto&& result = (__VA_ARGS__);                 \
    if (!result) return std::move(result).error(); \
    ::cannula::detail::take(std::move(result));    \
  })

namespace detail {
template <class T>
T take(Result<T>&& result) {
  return *std::move(result);
}
inline void take(Result<void>&&) {}
}  // namespace detail

}  // namespace cannula
