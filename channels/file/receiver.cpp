#include "channels/file/receiver.h"

#include <map>
#include <set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "channels/file/background.h"
#include "channels/file/inbox.h"
#include "channels/file/own_folder.h"
#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/header.h"
#include "parsers/text/terminal_text.h"

namespace cannula::file {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Level = Report::Level;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// Messages of one file that are offered together.
constexpr std::size_t kSlice = 256;
constexpr std::size_t kSliceBytes = 4 << 20;
// Of what a sender or partner wrote, in a reason file.
constexpr std::size_t kLongestControlId = 80;
constexpr std::size_t kLongestReason = 500;

struct Settings {
  InboxSettings inbox;
  milliseconds poll{};
  bool split = true;
};

// A file whose messages are being offered, or were offered and are waiting for the file to go.
struct Progress {
  std::size_t offered = 0;  // messages that have their receipts
  std::string refusals;     // a line for each
  bool complete = false;
  bool reported = false;  // that it cannot be taken away
};

// Lives until the last coroutine that works for the source has ended.
class Work : public std::enable_shared_from_this<Work> {
 public:
  Work(Settings settings, Ports ports, Intake& intake)
      : settings_(std::move(settings)),
        ports_(std::move(ports)),
        intake_(intake),
        inbox_(settings_.inbox),
        background_(ports_.executor),
        wake_(ports_.executor),
        ended_(ports_.executor, steady_clock::time_point::max()) {}

  Result<void> start() {
    if (auto prepared = inbox_.prepare(); !prepared) {
      // What somebody put into the drop must not keep the other channels from starting. Nothing is
      // taken until it is gone, which every poll looks for.
      if (prepared.error().code != "F107") return prepared;
      log_once(prepared.error());
    } else {
      warn_of_claims();
    }
    running_ = true;
    asio::co_spawn(
        ports_.executor, poll(shared_from_this()),
        [self = shared_from_this()](const std::exception_ptr& failure) { self->end(failure); });
    return {};
  }

  asio::awaitable<void> stop(milliseconds grace) {
    stopping_ = true;
    wake_.cancel();
    if (running_) {
      ended_.expires_after(grace);
      co_await ended_.async_wait(kTuple);
    }
    gone_ = true;
  }

  void abandon() {
    stopping_ = gone_ = true;
    wake_.cancel();
    background_.join();
  }

 private:
  // What blocks, on the thread for it.
  asio::awaitable<Result<std::vector<WaitingFile>>> look() {
    return background_.run(
        [self = shared_from_this()] { return self->inbox_.look(Inbox::Clock::now()); });
  }
  asio::awaitable<Result<bool>> claim(std::shared_ptr<WaitingFile> file) {
    return background_.run(
        [self = shared_from_this(), file = std::move(file)] { return self->inbox_.claim(*file); });
  }
  asio::awaitable<Result<Inbox::Content>> read(const WaitingFile& file) {
    return background_.run([self = shared_from_this(), file] { return self->inbox_.read(file); });
  }
  asio::awaitable<Result<void>> take_out(const WaitingFile& file, const std::string& refusals) {
    return background_.run([self = shared_from_this(), file, refusals] {
      return refusals.empty() ? self->inbox_.finish(file) : self->inbox_.set_aside(file, refusals);
    });
  }

  asio::awaitable<bool> rest() {
    return background_.run([self = shared_from_this()] {
      self->inbox_.rest();
      return true;
    });
  }

  static asio::awaitable<void> poll(std::shared_ptr<Work> self);
  asio::awaitable<void> look_once();
  bool may_take();
  void end(const std::exception_ptr& failure);
  asio::awaitable<void> take(WaitingFile file);
  asio::awaitable<void> take_away(const WaitingFile& file, Progress& progress);
  asio::awaitable<bool> offer_slice(const WaitingFile& file, std::string_view bytes,
                                    std::span<const Span> spans, Progress& progress);
  std::vector<Span> divide(std::string_view bytes) const;
  void warn_of_claims();
  void log_once(const Error& error);

  Settings settings_;
  Ports ports_;
  Intake& intake_;
  Inbox inbox_;
  std::map<FileIdentity, Progress> progress_;
  std::string last_failure_;
  bool failed_ = false;  // in this round of polling
  bool running_ = false;
  bool stopping_ = false;
  bool gone_ = false;  // stop() has returned: the ports may be gone
  Background background_;
  asio::steady_timer wake_;
  asio::steady_timer ended_;
};

// While nothing is taken no file is claimed or read: it would only be read again.
bool Work::may_take() {
  if (stopping_) return false;
  const auto closed = intake_.closed();
  if (closed) log_once(*closed);
  return !closed;
}

asio::awaitable<void> Work::look_once() {
  const auto files = co_await look();
  if (stopping_) co_return;
  if (!files) {
    ports_.report.not_reached(files.error());
    log_once(files.error());
    co_return;
  }
  ports_.report.reached();
  // What is no longer there needs no memory.
  std::set<FileIdentity> present;
  for (const WaitingFile& file : *files) present.insert(file.identity);
  std::erase_if(progress_, [&](const auto& entry) { return !present.contains(entry.first); });
  for (const WaitingFile& file : *files) {
    if (!may_take()) break;
    co_await take(file);
  }
}

asio::awaitable<void> Work::poll(std::shared_ptr<Work> self) {
  while (!self->stopping_) {
    if (self->may_take()) co_await self->look_once();
    if (self->stopping_) break;
    co_await self->rest();
    if (self->stopping_) break;
    if (!std::exchange(self->failed_, false)) self->last_failure_.clear();
    self->wake_.expires_after(self->settings_.poll);
    co_await self->wake_.async_wait(kTuple);
  }
}

void Work::end(const std::exception_ptr& failure) {
  running_ = false;
  ended_.cancel();
  if (!failure || gone_) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& exception) {
    ports_.report.log(Level::error,
                      std::string("polling failed and begins anew: ") + exception.what());
  }
  if (!stopping_) {
    // A failure such as no memory passes; a channel that silently takes nothing more would not.
    static_cast<void>(start());
  }
}

asio::awaitable<void> Work::take(WaitingFile file) {
  if (!file.claimed) {
    const auto sought = std::make_shared<WaitingFile>(std::move(file));
    const auto claimed = co_await claim(sought);
    if (stopping_) co_return;
    if (!claimed) log_once(claimed.error());
    if (!claimed || !*claimed) co_return;
    file = std::move(*sought);
  }
  Progress& progress = progress_[file.identity];
  if (!file.regular) {
    progress.complete = true;
    progress.refusals = "it is a link, a folder or a device, and no file: nothing of it was read\n";
  }
  if (!progress.complete) {
    auto content = co_await read(file);
    if (stopping_) co_return;
    if (!content) {
      log_once(content.error());
      co_return;
    }
    if (!content->unchanged) co_return;
    const std::vector<Span> spans = content->size > content->bytes.size()
                                        ? std::vector<Span>{{0, content->bytes.size()}}
                                        : divide(content->bytes);
    while (progress.offered < spans.size()) {
      if (!co_await offer_slice(file, content->bytes, spans, progress)) co_return;
    }
    progress.complete = true;
    ports_.report.count("files_received_total");
    ports_.report.count("bytes_received_total", static_cast<std::int64_t>(content->size));
  }
  co_await take_away(file, progress);
}

// Offers the next messages of the file. False: try again at the next poll, or never when stopping.
asio::awaitable<bool> Work::offer_slice(const WaitingFile& file, std::string_view bytes,
                                        std::span<const Span> spans, Progress& progress) {
  std::vector<Arrival> arrivals;
  std::vector<std::string> control_ids;
  std::size_t total = 0;
  for (std::size_t i = progress.offered;
       i < spans.size() && arrivals.size() < kSlice && total < kSliceBytes; ++i) {
    Arrival arrival;
    arrival.body = make_bytes(std::string(bytes.substr(spans[i].begin, spans[i].size())));
    total += spans[i].size();
    if (const auto header = hl7v2::Header::peek(*arrival.body)) {
      arrival.event = header->event();
      arrival.control_id = header->control_id;
    }
    nlohmann::json attributes{{"file", file.name}};
    if (spans.size() > 1) attributes["message"] = i + 1;
    arrival.attributes = attributes.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (file.identity.size > settings_.inbox.max_size) {
      arrival.defect =
          Error{"F105",
                "the file has " + std::to_string(file.identity.size) + " bytes, and at most " +
                    std::to_string(settings_.inbox.max_size) + " are taken",
                "have max_size of the channel raised", std::nullopt};
    }
    control_ids.push_back(arrival.control_id);
    arrivals.push_back(std::move(arrival));
  }
  const Peer here;
  const std::vector<Receipt> receipts = co_await intake_.offer(here, std::move(arrivals));
  if (gone_) co_return false;
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    if (receipts[i].disposition == Disposition::failed) {
      log_once(receipts[i].reason);
      co_return false;
    }
    ++progress.offered;
    if (receipts[i].disposition == Disposition::refused) {
      progress.refusals += "message " + std::to_string(progress.offered) + " (control id '" +
                           visible(control_ids[i], kLongestControlId) + "', " +
                           receipts[i].id.text() +
                           "): " + visible(receipts[i].reason.text(), kLongestReason) + "\n";
    }
  }
  co_return !receipts.empty();
}

// Only after all receipts are in: what is still there after a crash is offered again.
asio::awaitable<void> Work::take_away(const WaitingFile& file, Progress& progress) {
  auto moved = co_await take_out(file, progress.refusals);
  if (gone_) co_return;
  if (!moved) {
    if (!std::exchange(progress.reported, true)) {
      ports_.report.log(Level::error, moved.error().text());
    }
    co_return;
  }
  if (!progress.refusals.empty()) {
    ports_.report.count("files_with_refusals_total");
    ports_.report.log(Level::warning,
                      "the file " + visible(file.name) +
                          (file.regular ? " holds messages that were refused" : " is none") +
                          "; it was moved to " + visible(settings_.inbox.errors.string()) +
                          ", with the reasons beside it [F106]");
  }
  progress_.erase(file.identity);
}

std::vector<Span> Work::divide(std::string_view bytes) const {
  std::vector<Span> spans;
  if (settings_.split) {
    const std::size_t start = bytes.find_first_not_of("\xEF\xBB\xBF \t\r\n\x0B");
    const std::string_view head = bytes.substr(std::min(start, bytes.size()), 3);
    if (head == "MSH" || head == "FHS" || head == "BHS") spans = hl7v2::split_messages(bytes);
  }
  if (spans.empty() && !bytes.empty()) spans.push_back({0, bytes.size()});
  return spans;
}

// A source with another pattern may be at work in the same folder; or the pattern was changed while
// files were claimed, and then nobody takes them.
void Work::warn_of_claims() {
  constexpr std::size_t kNamed = 5;
  const std::vector<std::string> names = inbox_.claimed_by_others();
  if (names.empty()) return;
  std::string some;
  for (const std::string& name : std::span(names).first(std::min(names.size(), kNamed))) {
    some += (some.empty() ? "" : ", ") + visible(name);
  }
  if (names.size() > kNamed) some += ", …";
  const std::string drop = visible(settings_.inbox.directory.string());
  ports_.report.log(Level::warning,
                    std::to_string(names.size()) + " files in " + drop + "/" + Inbox::kClaimed +
                        " do not match the pattern: " + some +
                        " (unless another source of the folder is taking them just now, move them "
                        "back to " +
                        drop + ") [F109]");
}

// The same trouble at every poll is said once, until it is over.
void Work::log_once(const Error& error) {
  failed_ = true;
  std::string text = error.text();
  if (text == last_failure_) return;
  ports_.report.log(Level::error, text);
  last_failure_ = std::move(text);
}

class FileReceiver final : public Receiver {
 public:
  explicit FileReceiver(std::shared_ptr<Work> work) : work_(std::move(work)) {}
  ~FileReceiver() override { work_->abandon(); }

  Result<void> start() override { return work_->start(); }
  asio::awaitable<void> stop(milliseconds grace) override { return work_->stop(grace); }
  std::string address() const override { return {}; }

 private:
  std::shared_ptr<Work> work_;
};

}  // namespace

std::span<const Option> receiver_options() {
  static const Option kOptions[] = {
      {.name = "directory",
       .type = OptionType::file,
       .description = "The folder that files are taken from; folders within it are left alone. "
                      "Files that are being worked stand in its folder .claimed.",
       .required = true},
      {.name = "pattern",
       .type = OptionType::text,
       .description = "Which files are taken, such as \"*.hl7\"; names that begin with a dot never "
                      "match a star.",
       .default_value = "*"},
      {.name = "poll",
       .type = OptionType::duration,
       .description = "How often the folder is looked at.",
       .default_value = "5s"},
      {.name = "stable_for",
       .type = OptionType::duration,
       .description = "A file is taken when it has not changed for so long, or at once when it was "
                      "renamed to a name that matches; 0s for senders that always rename.",
       .default_value = "5s"},
      {.name = "after",
       .type = OptionType::text,
       .description = "What becomes of a file when all its messages are stored.",
       .default_value = "move",
       .choices = {"move", "delete"}},
      {.name = "move_to",
       .type = OptionType::text,
       .description =
           "The folder that files are moved to afterwards, relative to the directory and on "
           "the same file system.",
       .default_value = ".done"},
      {.name = "errors_to",
       .type = OptionType::text,
       .description =
           "The folder for files with messages that were refused, each with a reason file "
           "beside it.",
       .default_value = ".errors"},
      {.name = "max_size",
       .type = OptionType::size,
       .description = "The largest file that is taken.",
       .default_value = "64MB"},
      {.name = "split",
       .type = OptionType::text,
       .description = "Whether a file that begins with MSH, FHS or BHS is divided into its HL7 v2 "
                      "messages; other files are one message in any case.",
       .default_value = "hl7",
       .choices = {"hl7", "none"}},
  };
  return kOptions;
}

namespace {

InboxSettings inbox_settings(const Values& values, const std::filesystem::path& site) {
  InboxSettings inbox;
  inbox.directory = site / values.text("directory");
  inbox.pattern = values.text("pattern");
  inbox.stable_for = values.duration("stable_for");
  if (values.text("after") == "move") inbox.done = inbox.directory / values.text("move_to");
  inbox.errors = inbox.directory / values.text("errors_to");
  inbox.max_size = static_cast<std::size_t>(values.integer("max_size"));
  return inbox;
}

}  // namespace

Result<void> look_at_source(const Values& values, const std::filesystem::path& site) {
  const InboxSettings inbox = inbox_settings(values, site);
  TRY(look_for_planted(inbox.directory, inbox.directory / Inbox::kClaimed));
  if (!inbox.done.empty()) TRY(look_for_planted(inbox.directory, inbox.done));
  return look_for_planted(inbox.directory, inbox.errors);
}

Result<std::unique_ptr<Receiver>> make_receiver(const Values& values, Ports ports, Intake& intake) {
  Settings settings;
  settings.inbox = inbox_settings(values, ports.site);
  settings.poll = std::max(values.duration("poll"), milliseconds(10));
  settings.split = values.text("split") == "hl7";
  return std::make_unique<FileReceiver>(
      std::make_shared<Work>(std::move(settings), std::move(ports), intake));
}

}  // namespace cannula::file
