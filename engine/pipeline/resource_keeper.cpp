#include "engine/pipeline/resource_keeper.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include "engine/config/resource_files.h"
#include "engine/pipeline/clock.h"

namespace cannula::pipeline {

namespace {
constexpr std::chrono::seconds kLookEvery{1};
}

ResourceKeeper::ResourceKeeper(std::filesystem::path site,
                               std::shared_ptr<const rules::Resources> first,
                               std::function<bool(const rules::Resources&)> settle,
                               std::function<void()> taken_in)
    : site_(std::move(site)),
      settle_(std::move(settle)),
      taken_in_(std::move(taken_in)),
      current_(std::move(first)),
      stamp_(config::resources_stamp(site_)) {}

void ResourceKeeper::start() {
  thread_ = std::thread([this] { run(); });
}

void ResourceKeeper::stop() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const rules::Resources> ResourceKeeper::current() const {
  std::scoped_lock lock(mutex_);
  return current_;
}

void ResourceKeeper::replace(std::shared_ptr<const rules::Resources> resources) {
  std::scoped_lock lock(mutex_);
  current_ = std::move(resources);
  refused_.reset();  // all files were good
  due_ = true;
}

std::optional<RefusedFiles> ResourceKeeper::refused() const {
  std::scoped_lock lock(mutex_);
  return refused_;
}

void ResourceKeeper::look_again() {
  std::scoped_lock lock(mutex_);
  due_ = true;
}

void ResourceKeeper::run() {
  ::pthread_setname_np(::pthread_self(), "resources");
  std::unique_lock lock(mutex_);
  std::chrono::sys_days day{};
  while (!stopping_) {
    lock.unlock();
    read_files();
    lock.lock();
    // Rows become active and end with the day.
    const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    if (std::exchange(day, today) != today) due_ = true;
    if (std::exchange(due_, false)) {
      const auto resources = current_;
      lock.unlock();
      const bool settled = settle_(*resources);
      lock.lock();
      due_ = due_ || !settled;
    }
    wake_.wait_for(lock, kLookEvery, [this] { return stopping_; });
  }
}

// A file that is being written is read again when it has changed once more.
void ResourceKeeper::read_files() {
  std::string stamp = config::resources_stamp(site_);
  if (stamp == stamp_) return;
  const auto before = current();
  config::LoadedResources loaded = config::load_resources(site_, before.get());
  for (const Diagnostic& finding : loaded.findings) {
    if (finding.severity == Severity::error) {
      spdlog::error("{}", render(finding));
    } else {
      spdlog::warn("{}", render(finding));
    }
  }
  const auto resources = loaded.resources;
  const bool is_whole = !has_errors(loaded.findings);
  std::erase_if(loaded.findings,
                [](const Diagnostic& finding) { return finding.severity != Severity::error; });
  {
    std::scoped_lock lock(mutex_);
    stamp_ = std::move(stamp);
    current_ = std::move(loaded.resources);
    refused_.reset();
    if (!is_whole) refused_ = {now_microseconds(), std::move(loaded.findings)};
    due_ = true;
  }
  // Said when it is so.
  spdlog::info("tables and rules: {} tables, {} rule sets, {} profiles are in use now{}",
               resources->tables.size(), resources->rule_sets.size(), resources->profiles.size(),
               is_whole ? "" : "; a file with errors is left out, or in use as it was before");
  taken_in_();
}

}  // namespace cannula::pipeline
