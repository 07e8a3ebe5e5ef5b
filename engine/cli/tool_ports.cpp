#include "engine/cli/tool_ports.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include "engine/security/secrets.h"

namespace cannula::cli {
namespace {

class StandardError final : public Report {
 public:
  void log(Level level, std::string_view text) override {
    if (level >= Level::warning) fmt::print(stderr, "cannula: {}\n", text);
  }
  void count(std::string_view, std::int64_t) override {}
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

Ports tool_ports(boost::asio::io_context& io) {
  static StandardError report;
  return {io.get_executor(), report,
          [](const SecretReference& reference) -> Result<std::string> {
            return std::move(TRY(security::read_secret(reference)).text);
          },
          std::filesystem::current_path()};
}

void print_message(std::FILE* to, std::string_view message) {
  std::string text(message);
  std::replace(text.begin(), text.end(), '\r', '\n');
  fmt::print(to, "{}\n", text);
  std::fflush(to);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace cannula::cli
