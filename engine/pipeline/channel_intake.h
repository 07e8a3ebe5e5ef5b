// The door of a channel: who may come in with what, and the wait for the disk.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "channels/transport/complaints.h"
#include "channels/transport/intake.h"
#include "engine/pipeline/channel.h"
#include "engine/pipeline/duplicates.h"
#include "engine/pipeline/sequences.h"
#include "engine/security/audit/log.h"
#include "engine/security/partners.h"
#include "engine/store/store.h"
#include "rules/language/resources.h"

namespace cannula::pipeline {

struct Offer;

// Belongs to one channel's receiver, from the opening of the source on; used on that receiver's
// executor. An offer that is under way keeps it alive.
class ChannelIntake : public Intake, public std::enable_shared_from_this<ChannelIntake> {
 public:
  using Resources = std::function<std::shared_ptr<const rules::Resources>()>;
  // `access` is null for a channel without partner. `resources` gives those in use, for [validate].
  ChannelIntake(std::shared_ptr<Channel> channel,
                std::shared_ptr<const security::AccessList> access, store::Store& store,
                audit::Log* audit = nullptr, Resources resources = {});

  Result<void> admit(const Peer& peer) override;
  std::function<bool(const std::string&)> address_filter() const override;
  std::optional<Error> closed() const override;
  // Its source is closed: of what is under way, only what is with the journal already is taken.
  // Whatever opens the channel's source next may rely on that.
  void close() { source_closed_ = true; }
  boost::asio::awaitable<std::vector<Receipt>> offer(const Peer& peer,
                                                     std::vector<Arrival> arrivals) override;

 private:
  store::Accepted record_of(const Arrival& arrival) const;
  std::optional<Error> refusal_of(const Arrival& arrival) const;
  void validate(Offer& offer) const;
  boost::asio::awaitable<Result<void>> index_reaches(store::Position position) const;
  boost::asio::awaitable<Result<void>> judge(Offer& offer);
  bool look_once(Offer& offer, Duplicates::Fingerprint& under_way);
  void begin(const Offer& offer);
  std::vector<Receipt> not_now(std::size_t count, const Error& why) const;
  // Without the intake, which may be gone when an offer ends.
  static void remember(Duplicates& duplicates, const Offer& offer,
                       const std::vector<Receipt>& receipts);
  static Receipt receipt_of(ChannelMetrics& metrics, Offer& offer, std::size_t i);
  static void say_not_on_record(const Channel& channel, Complaints& complaints, const Offer& offer);
  boost::asio::awaitable<Result<void>> take_links(const Offer& offer);
  void judge_numbers(Offer& offer);
  void report_reuse(const Arrival& arrival);
  boost::asio::awaitable<void> wait_for_room();
  boost::asio::awaitable<void> commit(std::shared_ptr<Offer> offer);
  static void hand_over(Channel& channel, const std::shared_ptr<Offer>& offer);

  void complain(const std::string& address, std::string text) const;
  void enter_refusal(const char* act, const std::string& address, const Error& why,
                     const std::string& event) const;

  const std::shared_ptr<Channel> channel_;
  const std::shared_ptr<const security::AccessList> access_;
  store::Store& store_;
  const std::shared_ptr<Duplicates> duplicates_;
  const std::shared_ptr<Sequences> sequences_;
  bool source_closed_ = false;
  std::chrono::steady_clock::time_point reuse_logged_{};
  const std::shared_ptr<Complaints> complaints_ = std::make_shared<Complaints>();
  audit::Log* const audit_;  // null: refusals are only logged
  const Resources resources_;
};

}  // namespace cannula::pipeline
