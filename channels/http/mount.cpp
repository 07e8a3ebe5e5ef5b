#include "channels/http/mount.h"

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace cannula::http {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

// Of limits where zero is none.
template <class Limit>
Limit wider(Limit a, Limit b) {
  return a == Limit{} || b == Limit{} ? Limit{} : std::max(a, b);
}

Error left_error() {
  return {"T310", "the channel is being stopped or reloaded", "send it again in a moment"};
}

Receipt failed(Error reason) {
  Receipt receipt;
  receipt.disposition = Disposition::failed;
  receipt.reason = std::move(reason);
  return receipt;
}

}  // namespace

ListenerLimits ListenerLimits::widened_by(const ListenerLimits& other) const {
  ListenerLimits wide;
  wide.places.all = std::max(places.all, other.places.all);
  wide.places.of_one_address = wider(places.of_one_address, other.places.of_one_address);
  wide.max_header = std::max(max_header, other.max_header);
  wide.max_memory = std::max(max_memory, other.max_memory);
  wide.header_timeout = std::max(header_timeout, other.header_timeout);
  wide.idle_timeout = wider(idle_timeout, other.idle_timeout);
  wide.write_timeout = std::max(write_timeout, other.write_timeout);
  wide.handshake_timeout = std::max(handshake_timeout, other.handshake_timeout);
  return wide;
}

void DetachableReport::log(Level level, std::string_view text) {
  std::scoped_lock lock(mutex_);
  if (target_ != nullptr) target_->log(level, text);
}

void DetachableReport::count(std::string_view counter, std::int64_t by) {
  std::scoped_lock lock(mutex_);
  if (target_ != nullptr) target_->count(counter, by);
}

void DetachableReport::turned_away(std::string_view counter, const std::string& address,
                                   const Error& why) {
  std::scoped_lock lock(mutex_);
  if (target_ != nullptr) target_->turned_away(counter, address, why);
}

void DetachableReport::detach() {
  std::scoped_lock lock(mutex_);
  target_ = nullptr;
}

Mount::Mount(MountSettings settings, Ports ports, Intake& intake)
    : settings_(std::move(settings)),
      executor_(std::move(ports.executor)),
      report_(ports.report),
      address_filter_(intake.address_filter()),
      intake_(&intake) {}

Mount::Exchange::Exchange(std::shared_ptr<Mount> mount) : mount_(std::move(mount)) {
  std::scoped_lock lock(mount_->mutex_);
  ++mount_->exchanges_;
}

Mount::Exchange::~Exchange() {
  std::function<void()> quiet;
  {
    std::scoped_lock lock(mount_->mutex_);
    if (--mount_->exchanges_ == 0) quiet.swap(mount_->quiet_);
  }
  if (quiet) quiet();
}

void Mount::when_quiet(std::function<void()> quiet) {
  {
    std::scoped_lock lock(mutex_);
    if (exchanges_ > 0) {
      quiet_ = std::move(quiet);
      return;
    }
  }
  quiet();
}

void Mount::abandon() {
  intake_ = nullptr;
  report_.detach();
}

void Mount::note_refused_address(const std::shared_ptr<Mount>& mount, const std::string& address) {
  asio::post(mount->executor_, [mount, address] {
    if (mount->intake_ != nullptr)
      static_cast<void>(mount->intake_->admit(Peer{address, {}, false}));
  });
}

void Mount::ask_admission(const std::shared_ptr<Mount>& mount,
                          const std::shared_ptr<Question>& question, Peer peer) {
  asio::post(mount->executor_, [mount, asker = question->answered.get_executor(),
                                question = std::weak_ptr(question), peer = std::move(peer)] {
    Result<void> admission = left_error();
    if (mount->intake_ != nullptr) admission = mount->intake_->admit(peer);
    asio::post(asker, [question, admission = std::move(admission)]() mutable {
      const auto waiting = question.lock();
      if (!waiting) return;
      waiting->admission = std::move(admission);
      waiting->answered.cancel();
    });
  });
}

void Mount::offer(const std::shared_ptr<Mount>& mount, const std::shared_ptr<Question>& question,
                  Peer peer, Arrival arrival) {
  asio::co_spawn(mount->executor_,
                 answer(mount, question, question->answered.get_executor(), std::move(peer),
                        std::move(arrival)),
                 asio::detached);
}

asio::awaitable<Receipt> Mount::take(Peer peer, Arrival arrival) {
  if (intake_ == nullptr) co_return failed(left_error());
  std::vector<Arrival> arrivals;
  arrivals.push_back(std::move(arrival));
  std::vector<Receipt> receipts = co_await intake_->offer(peer, std::move(arrivals));
  if (receipts.empty()) co_return failed(left_error());
  co_return std::move(receipts.front());
}

// Nothing throws on purpose; what does, as when there is no memory, is answered like a full disk.
asio::awaitable<void> Mount::answer(std::shared_ptr<Mount> mount, std::weak_ptr<Question> question,
                                    asio::any_io_executor asker, Peer peer, Arrival arrival) {
  Receipt receipt;
  try {
    receipt = co_await mount->take(std::move(peer), std::move(arrival));
  } catch (const std::exception& failure) {
    receipt = failed(
        Error("T315", std::string("the request failed within the engine: ") + failure.what()));
  }
  asio::post(asker, [question = std::move(question), receipt = std::move(receipt)]() mutable {
    const auto waiting = question.lock();
    if (!waiting) return;
    waiting->receipt = std::move(receipt);
    waiting->answered.cancel();
  });
}

}  // namespace cannula::http
