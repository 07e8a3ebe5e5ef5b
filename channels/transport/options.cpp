#include "channels/transport/options.h"

#include <charconv>
#include <stdexcept>
#include <utility>

namespace cannula {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// From large to small, as duration_text wants them.
constexpr Unit kDurations[] = {{"y", 365 * std::int64_t{86'400'000}},
                               {"d", 86'400'000},
                               {"h", 3'600'000},
                               {"m", 60'000},
                               {"s", 1'000},
                               {"ms", 1}};
constexpr Unit kSizes[] = {
    {"GB", std::int64_t{1} << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}};

// A whole number and one of the units; nothing when the product does not fit.
std::optional<std::int64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                           bool unit_required) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || number < 0) return std::nullopt;
  std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  while (name.starts_with(' ')) name.remove_prefix(1);
  if (name.empty() && !unit_required) return number;
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    std::int64_t product = 0;
    if (__builtin_mul_overflow(number, unit.factor, &product)) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(OptionType type) {
  switch (type) {
    case OptionType::text:
      return "text";
    case OptionType::integer:
      return "integer";
    case OptionType::boolean:
      return "boolean";
    case OptionType::duration:
      return "duration";
    case OptionType::size:
      return "size";
    case OptionType::endpoint:
      return "endpoint";
    case OptionType::file:
      return "file";
    case OptionType::texts:
      return "list of texts";
    case OptionType::secret:
      return "secret";
    case OptionType::table:
      return "table";
  }
  return "unknown";
}

std::string Endpoint::text() const {
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (host.find_first_of(":[] \t/") != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address without brackets, or not a host at all
  }
  if (host.empty()) return std::nullopt;

  Endpoint endpoint{std::string(host), 0};
  const char* const last = digits.data() + digits.size();
  const auto [end, failure] = std::from_chars(digits.data(), last, endpoint.port);
  if (failure != std::errc() || end != last) return std::nullopt;
  return endpoint;
}

template <class T>
const T& Values::get(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) {
    throw std::logic_error("option '" + std::string(name) +
                           "' has no value: it is not in the schema, or neither required nor "
                           "given a default");
  }
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) {
    throw std::logic_error("option '" + std::string(name) +
                           "' is read as another type than its schema says");
  }
  return *value;
}

const std::string& Values::text(std::string_view name) const {
  return get<std::string>(name);
}

std::string Values::text_or(std::string_view name, std::string_view fallback) const {
  return has(name) ? text(name) : std::string(fallback);
}

std::int64_t Values::integer(std::string_view name) const {
  return get<std::int64_t>(name);
}

bool Values::boolean(std::string_view name) const {
  return get<bool>(name);
}

std::chrono::milliseconds Values::duration(std::string_view name) const {
  return get<std::chrono::milliseconds>(name);
}

const Endpoint& Values::endpoint(std::string_view name) const {
  return get<Endpoint>(name);
}

const std::vector<std::string>& Values::texts(std::string_view name) const {
  return get<std::vector<std::string>>(name);
}

const SecretReference& Values::secret(std::string_view name) const {
  return get<SecretReference>(name);
}

const Values* Values::table(std::string_view name) const {
  return has(name) ? get<std::shared_ptr<const Values>>(name).get() : nullptr;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto milliseconds = parse_quantity(text, kDurations, true);
  if (!milliseconds) return std::nullopt;
  // Beyond 100 years it would overflow the nanoseconds of a clock's time_point.
  constexpr std::int64_t kLongest = std::int64_t{36'500} * 86'400'000;
  if (*milliseconds > kLongest) return std::nullopt;
  return std::chrono::milliseconds(*milliseconds);
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  return parse_quantity(text, kSizes, false);
}

std::string duration_text(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  for (const Unit& unit : kDurations) {
    if (duration.count() % unit.factor == 0) {
      return std::to_string(duration.count() / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(duration.count()) + "ms";
}

}  // namespace cannula
