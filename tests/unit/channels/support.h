// What the tests of transports share: ports that record, an intake that a test directs, values by a
// schema, and an executor to run coroutines on.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "channels/transport/transport.h"

namespace cannula::test {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// Nothing on loopback needs this long; a test that waits for it has failed.
constexpr auto kNever = 60s;

class RecordingReport final : public Report {
 public:
  void log(Level level, std::string_view text) override { lines.emplace_back(level, text); }
  void count(std::string_view counter, std::int64_t by) override {
    counters[std::string(counter)] += by;
  }
  void reached() override { not_reached_because.reset(); }
  void not_reached(const Error& why) override { not_reached_because = why; }

  std::int64_t counted(const std::string& counter) const {
    const auto found = counters.find(counter);
    return found == counters.end() ? 0 : found->second;
  }
  std::size_t lines_with(std::string_view part) const {
    std::size_t count = 0;
    for (const auto& [level, text] : lines) count += text.find(part) != std::string::npos ? 1 : 0;
    return count;
  }

  std::vector<std::pair<Level, std::string>> lines;
  std::map<std::string, std::int64_t> counters;
  std::optional<Error> not_reached_because;
};

// Accepts everything unless the test says otherwise.
class FakeIntake final : public Intake {
 public:
  Result<void> admit(const Peer& peer) override {
    peers.push_back(peer);
    if (refuse_peers) return Error{"P101", "this address may not connect", "", std::nullopt};
    return {};
  }

  std::function<bool(const std::string&)> address_filter() const override {
    if (!filters_addresses) return {};
    return [](const std::string&) { return false; };
  }

  std::optional<Error> closed() const override { return why_closed; }

  asio::awaitable<std::vector<Receipt>> offer(const Peer&, std::vector<Arrival> offered) override {
    batches.push_back(offered.size());
    std::vector<Receipt> receipts;
    for (Arrival& arrival : offered) {
      receipts.push_back(decide(arrival));
      arrivals.push_back(std::move(arrival));
    }
    if (held) {
      asio::steady_timer& gate = *held;
      boost::system::error_code ignored;
      co_await gate.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_return receipts;
  }

  std::vector<std::string> bodies() const {
    std::vector<std::string> all;
    for (const Arrival& arrival : arrivals) all.push_back(*arrival.body);
    return all;
  }

  std::optional<Error> why_closed{};
  bool refuse_peers = false;
  bool filters_addresses = false;  // as a receiver finds it when it starts: refuses them all
  std::optional<asio::steady_timer> held;  // offers wait until it is cancelled
  std::function<Receipt(const Arrival&)> decide = [this](const Arrival& arrival) {
    Receipt receipt;
    receipt.id = MessageId{++last_id};
    receipt.disposition = arrival.defect ? Disposition::refused : Disposition::accepted;
    if (arrival.defect) receipt.reason = *arrival.defect;
    return receipt;
  };
  std::uint64_t last_id = 0;
  std::vector<Peer> peers;
  std::vector<Arrival> arrivals;
  std::vector<std::size_t> batches;
};

inline Values::Value parse_value(const Option& option, std::string_view text) {
  switch (option.type) {
    case OptionType::text:
    case OptionType::file:
      return std::string(text);
    case OptionType::integer:
      return std::int64_t{std::stoll(std::string(text))};
    case OptionType::boolean:
      return text == "true";
    case OptionType::duration:
      return parse_duration(text).value();
    case OptionType::size:
      return parse_size(text).value();
    case OptionType::endpoint:
      return Endpoint::parse(text).value();
    case OptionType::texts:
      return std::vector<std::string>{std::string(text)};
    case OptionType::secret:
      return SecretReference{SecretReference::Kind::environment, std::string(text)};
    case OptionType::table:
      break;
  }
  throw std::logic_error("a table has no written form");
}

// The values of a table as the configuration would give them: what is written here, else the
// default.
inline Values values_of(std::span<const Option> options,
                        const std::map<std::string, std::string>& written) {
  Values values;
  std::size_t used = 0;
  for (const Option& option : options) {
    const auto found = written.find(std::string(option.name));
    if (found != written.end()) {
      values.set(std::string(option.name), parse_value(option, found->second));
      ++used;
    } else if (!option.default_value.empty()) {
      values.set(std::string(option.name), parse_value(option, option.default_value));
    } else if (option.required) {
      throw std::logic_error("the test leaves out " + std::string(option.name));
    }
  }
  if (used != written.size()) throw std::logic_error("the test writes an option that is not there");
  return values;
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cannula-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path write(const std::string& name, std::string_view content) const {
    std::ofstream(path / name, std::ios::binary) << content;
    return path / name;
  }

  std::filesystem::path path;
};

// Names of the regular files in a folder.
inline std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  if (!std::filesystem::exists(folder)) return names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) names.insert(entry.path().filename().string());
  }
  return names;
}

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A test with an executor of its own, served by the thread of the test.
class ExecutorTest : public testing::Test {
 protected:
  // Runs until the coroutine has ended, and passes on what it threw.
  void run(asio::awaitable<void> body) {
    std::optional<std::exception_ptr> ended;
    asio::co_spawn(io, std::move(body), [&ended](std::exception_ptr failure) { ended = failure; });
    const auto deadline = std::chrono::steady_clock::now() + kNever;
    while (!ended && std::chrono::steady_clock::now() < deadline) {
      io.restart();
      io.run_one_for(1s);
    }
    ASSERT_TRUE(ended) << "the test did not end";
    if (*ended) std::rethrow_exception(*ended);
  }

  asio::awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(io, time);
    co_await timer.async_wait(asio::use_awaitable);
  }

  // Until the condition holds; the caller asserts that it does.
  asio::awaitable<void> until(std::function<bool()> condition) {
    const auto deadline = std::chrono::steady_clock::now() + kNever / 2;
    while (!condition() && std::chrono::steady_clock::now() < deadline) co_await pause(2ms);
  }

  Ports ports() {
    return {io.get_executor(), report,
            [](const SecretReference& reference) -> Result<std::string> {
              return {boost::system::in_place_value, "secret of " + reference.name};
            },
            folder.path};
  }

  asio::io_context io{1};
  RecordingReport report;
  Folder folder;
};

}  // namespace cannula::test
