#include "engine/cli/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

class VisibleText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& entry, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string text = visible({entry.payload.data(), entry.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<VisibleText>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> log_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<VisibleText>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %*");
  return formatter;
}

void set_up_log(const std::string& level) {
  auto log = std::make_shared<spdlog::logger>("cannula",
                                              std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_formatter(log_formatter());
  log->set_level(spdlog::level::from_str(level));
  log->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(log));
}

void log_error_lines(const std::string& first, const std::string& lines) {
  spdlog::error("{}", first);
  for (std::size_t start = 0; start < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', start), lines.size());
    spdlog::error("{}", lines.substr(start, end - start));
    start = end + 1;
  }
}

}  // namespace cannula::cli
