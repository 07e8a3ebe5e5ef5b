#include "engine/pipeline/channel_intake.h"

#include <algorithm>
#include <iterator>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/pipeline/clock.h"
#include "engine/pipeline/suspended.h"
#include "engine/pipeline/validation.h"
#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/header.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using Commits = Result<std::vector<store::Committed>>;

// One offer on its way: what the journal's thread and the workers fill in before the source goes
// on.
struct Offer {
  std::vector<store::Record> records;
  std::vector<Arrival> arrivals;
  std::vector<std::optional<Error>> refusals;  // one an arrival
  // Where the channel watches for duplicates, one an arrival: what is known of it, and what it was
  // found by. `twin` is the arrival of this same offer that it repeats, or its own number.
  std::vector<Duplicates::Verdict> verdicts;
  std::vector<Duplicates::Fingerprint> fingerprints;
  std::vector<std::size_t> twins;
  // Where the channel follows sequence numbers, one an arrival.
  std::vector<Sequences::Verdict> numbers;
  // Where [validate] of the channel refuses messages, one an arrival; null for what is refused
  // anyway.
  std::vector<std::shared_ptr<const Judgement>> judgements;
  std::vector<Fate> fates;           // the same, when the sender waits for more than the disk
  std::atomic<std::size_t> open{0};  // fates still to come, and one for the commit itself
  Commits committed{std::vector<store::Committed>{}};
  std::function<void()> resume;

  bool may_be_duplicate(std::size_t i) const {
    return !refusals[i] && twins[i] == i && Duplicates::may_be(arrivals[i]);
  }
  void one_more_known() {
    if (open.fetch_sub(1) == 1) resume();
  }
};

namespace {

constexpr std::chrono::milliseconds kIndexLag{10};

// A sender writes what it likes into MSH-9, also line ends and names: only a short plain word
// reaches the log.
std::string word_for_log(const std::string& event) {
  const bool plain =
      !event.empty() && event.size() <= 16 && std::all_of(event.begin(), event.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '^' || c == '_';
      });
  return plain ? event : event.empty() ? "a message without event" : "a message with an odd event";
}

// A message that holds another is one event to us, and may be two to whoever gets it: then it would
// bring in what its sender may not send. Sources take batches apart before they offer them.
std::optional<Error> more_than_one_in(const std::string& body) {
  const auto header = hl7v2::Header::peek(body);
  if (!header) return std::nullopt;
  std::string plain;
  if (header->converted) {  // UTF-16, of which these names are every second byte
    std::remove_copy(body.begin(), body.end(), std::back_inserter(plain), '\0');
  }
  const auto second = hl7v2::second_header(header->converted ? plain : body);
  if (!second) return std::nullopt;
  return Error{
      "P336",
      fmt::format("line {} begins another message or envelope within this one", second->line),
      "the sender must send each message on its own, or a batch where the source takes "
      "batches apart",
      second->name};
}

bool follows_sequence(const config::ChannelConfig& config) {
  return config.source.has("sequence") && config.source.boolean("sequence");
}

std::chrono::milliseconds window_of(const config::ChannelConfig& config) {
  if (const Values* dedupe = config.source.table("dedupe")) return dedupe->duration("window");
  return config.source.has("duplicates") ? config.source.duration("duplicates")
                                         : std::chrono::milliseconds(0);
}

Error index_is_behind() {
  return {"J303", "whether the message came before cannot be told yet",
          "send it again later, when the index has followed the journal", std::nullopt};
}

// What is wrong with a sequence number is an error of this message, and no reject (2.8.3).
AckReply about_number(const Error& refusal) {
  const bool no_number = refusal.code == "P327";
  const std::string text = refusal.message + " (" + refusal.hint + ")";
  return {hl7v2::AckOutcome::error,
          text,
          {{no_number ? "102" : "207", "MSH^1^13", "", text, refusal.code}}};
}

// Puts the number that its sender is told (MSA-4) into what it is answered.
void say_number(Receipt& receipt, std::int64_t number) {
  if (receipt.reply && receipt.reply->body) return;  // the script's own words
  if (!receipt.reply) receipt.reply.emplace();
  if (!receipt.reply->ack) {
    AckReply& ack = receipt.reply->ack.emplace();
    if (receipt.disposition != Disposition::accepted) {
      ack.outcome = receipt.disposition == Disposition::refused ? hl7v2::AckOutcome::rejected
                                                                : hl7v2::AckOutcome::error;
      ack.text = receipt.reason.message;
      ack.errors.push_back({"207", "", "", receipt.reason.message, receipt.reason.code});
    }
  }
  if (!receipt.reply->ack->expected_sequence) receipt.reply->ack->expected_sequence = number;
}

}  // namespace

ChannelIntake::ChannelIntake(std::shared_ptr<Channel> channel,
                             std::shared_ptr<const security::AccessList> access,
                             store::Store& store, audit::Log* audit, Resources resources)
    : channel_(std::move(channel)),
      access_(std::move(access)),
      store_(store),
      duplicates_(
          std::make_shared<Duplicates>(channel_->names(), window_of(channel_->config()), store)),
      sequences_(std::make_shared<Sequences>(channel_->names(),
                                             follows_sequence(channel_->config()), store)),
      audit_(audit),
      resources_(std::move(resources)) {}

void ChannelIntake::enter_refusal(const char* act, const std::string& address, const Error& why,
                                  const std::string& event) const {
  if (!audit_) return;
  audit::Entry entry{.actor = {.kind = audit::Actor::Kind::partner,
                               .name = channel_->config().partner,
                               .address = address},
                     .act = act,
                     .object = {.channel = channel_->name()},
                     .code = why.code};
  // The error's text may quote what the sender wrote.
  if (!event.empty()) entry.detail["event"] = event;
  audit_->note_refusal(std::move(entry));
}

// Who floods us with what is refused does not fill the log.
void ChannelIntake::complain(const std::string& address, std::string text) const {
  if (const auto line = complaints_->about(address, std::move(text))) {
    spdlog::warn("channel {}: {}", channel_->name(), *line);
  }
}

Result<void> ChannelIntake::admit(const Peer& peer) {
  if (!access_) return {};
  auto admitted = access_->admits(peer);
  if (!admitted) {
    channel_->metrics().transport.add("connections_refused_total", 1);
    complain(peer.address, fmt::format("a connection from {} was refused: {}", peer.address,
                                       admitted.error().text()));
    enter_refusal("connection.refused", peer.address, admitted.error(), {});
  }
  return admitted;
}

std::function<bool(const std::string&)> ChannelIntake::address_filter() const {
  if (!access_) return {};
  return [access = access_](const std::string& address) { return access->admits_address(address); };
}

std::optional<Error> ChannelIntake::closed() const {
  if (!source_closed_) return channel_->not_taking();
  return Error{"P339", "the channel's source was closed before the message was on record",
               "send it again", std::nullopt};
}

store::Accepted ChannelIntake::record_of(const Arrival& arrival) const {
  store::Accepted record;
  record.channel = channel_->name();
  record.at = now_microseconds();
  record.peer = arrival.peer_address;
  record.partner = channel_->config().partner;
  record.event = arrival.event;
  record.control_id = arrival.control_id;
  record.attributes = arrival.attributes;
  record.body = arrival.body;
  return record;
}

asio::awaitable<void> ChannelIntake::wait_for_room() {
  while (!store_.has_room()) {
    auto ask = [this](auto resume) { store_.when_room(std::move(resume)); };
    co_await suspended_until(std::move(ask));
  }
}

std::optional<Error> ChannelIntake::refusal_of(const Arrival& arrival) const {
  std::optional<Error> defect = arrival.defect ? arrival.defect : more_than_one_in(*arrival.body);
  if (defect) {
    complain(
        arrival.peer_address,
        fmt::format("what came from {} was refused [{}]; see `cannula msg list --state rejected`",
                    arrival.peer_address, defect->code));
    return defect;
  }
  if (!access_) return std::nullopt;
  auto allowed = access_->may_send(arrival.event);
  if (allowed) return std::nullopt;
  complain(arrival.peer_address,
           fmt::format("{} from {} was refused: {}", word_for_log(arrival.event),
                       arrival.peer_address, allowed.error().text()));
  enter_refusal("message.refused", arrival.peer_address, allowed.error(),
                word_for_log(arrival.event));
  return std::move(allowed).error();
}

// What its policy refuses is refused here, so that the sender is told at once; the rest of the
// policy is for the worker, who need not look again.
void ChannelIntake::validate(Offer& offer) const {
  using Policy = config::ValidationConfig::Policy;
  if (!resources_ || !channel_->config().validation.may(Policy::reject)) return;
  const auto resources = resources_();
  offer.judgements.resize(offer.arrivals.size());
  for (std::size_t i = 0; i < offer.arrivals.size(); ++i) {
    if (offer.refusals[i]) continue;
    auto judgement = std::make_shared<const Judgement>(
        pipeline::judge(offer.arrivals[i].body, channel_->config(), *resources));
    if (judgement->policy == Policy::reject) {
      offer.refusals[i] = judgement->reason;
      count(channel_->metrics(), *judgement);
      complain(offer.arrivals[i].peer_address,
               fmt::format("a message from {} was refused for what is wrong with it [P322]; see "
                           "`cannula msg list --state rejected`",
                           offer.arrivals[i].peer_address));
    }
    offer.judgements[i] = std::move(judgement);
  }
}

// While the index is built anew it does not know what came before.
asio::awaitable<Result<void>> ChannelIntake::index_reaches(store::Position position) const {
  const auto until = std::chrono::steady_clock::now() + store::kPatience;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (store_.indexed_up_to() < position) {
    if (std::chrono::steady_clock::now() >= until) {
      co_return index_is_behind();
    }
    timer.expires_after(kIndexLag);
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return Result<void>();
}

// Fills in what is known of each arrival. False when one of them is just being taken in by another
// connection, and has to be waited for.
bool ChannelIntake::look_once(Offer& offer, Duplicates::Fingerprint& under_way) {
  using Kind = Duplicates::Verdict::Kind;
  for (std::size_t i = 0; i < offer.arrivals.size(); ++i) {
    offer.verdicts[i] = {};
    if (!offer.may_be_duplicate(i)) continue;
    offer.verdicts[i] = duplicates_->look(offer.arrivals[i], offer.fingerprints[i]);
    if (offer.verdicts[i].kind != Kind::under_way) continue;
    under_way = offer.fingerprints[i];
    return false;
  }
  return true;
}

void ChannelIntake::begin(const Offer& offer) {
  for (std::size_t i = 0; i < offer.arrivals.size(); ++i) {
    const bool fresh = offer.verdicts[i].kind == Duplicates::Verdict::Kind::fresh;
    if (!offer.may_be_duplicate(i) || !fresh) continue;
    if (offer.verdicts[i].id_reused) report_reuse(offer.arrivals[i]);
    duplicates_->began(offer.arrivals[i], offer.fingerprints[i]);
  }
}

// After an error nothing has been begun.
asio::awaitable<Result<void>> ChannelIntake::judge(Offer& offer) {
  const std::size_t count = offer.arrivals.size();
  offer.verdicts.resize(count);
  for (const Arrival& arrival : offer.arrivals) {
    offer.fingerprints.push_back(Duplicates::of(arrival));
  }
  offer.twins = Duplicates::twins(offer.fingerprints, [&offer](std::size_t i) {
    return offer.refusals[i] || !Duplicates::may_be(offer.arrivals[i]);
  });
  while (true) {
    if (auto known = co_await index_reaches(duplicates_->index_needed_at()); !known) {
      co_return known.error();
    }
    const auto before = store_.index_moment();
    Duplicates::Fingerprint under_way;
    if (!look_once(offer, under_way)) {
      auto ask = [this, under_way](auto resume) {
        duplicates_->when_ended(under_way, std::move(resume));
      };
      co_await suspended_until(std::move(ask));
      continue;
    }
    // Unless it was built anew while it was asked.
    if (store_.seen_up_to(before) >= duplicates_->index_needed_at()) break;
  }
  begin(offer);
  const bool waits = channel_->config().ack.when != config::AckConfig::When::stored;
  for (std::size_t i = 0; i < count; ++i) {
    const Duplicates::Verdict& verdict = offer.verdicts[i];
    if (offer.twins[i] != i) {
      offer.refusals[i] =
          Error{std::string(store::kDuplicate),
                "the same message stood twice in what the sender sent at once", "", std::nullopt};
    } else if (verdict.kind == Duplicates::Verdict::Kind::duplicate) {
      const bool open = waits && (verdict.state == store::MessageState::accepted ||
                                  verdict.state == store::MessageState::queued);
      offer.refusals[i] =
          open ? Error{"P313", "the same message came before and is still being worked",
                       "send it again later", std::nullopt}
               : Error{std::string(store::kDuplicate),
                       "the same message came before, as " + verdict.original.text(), "",
                       std::nullopt};
    }
  }
  co_return Result<void>();
}

// Takes the links of this offer for it alone, until Sequences::end().
asio::awaitable<Result<void>> ChannelIntake::take_links(const Offer& offer) {
  while (true) {
    if (auto known = co_await index_reaches(sequences_->index_needed_at()); !known) {
      co_return known.error();
    }
    const Result<bool> begun = sequences_->begin(offer.arrivals);
    if (!begun) co_return begun.error();
    if (*begun) co_return Result<void>();
    auto ask = [this](auto resume) { sequences_->when_free(std::move(resume)); };
    co_await suspended_until(std::move(ask));
  }
}

void ChannelIntake::judge_numbers(Offer& offer) {
  ChannelMetrics& metrics = channel_->metrics();
  for (std::size_t i = 0; i < offer.arrivals.size(); ++i) {
    const Arrival& arrival = offer.arrivals[i];
    std::optional<Error>& refusal = offer.refusals[i];
    const bool of_the_link = Sequences::is_link_message(arrival);
    Sequences::Verdict verdict = sequences_->judge(arrival, refusal && !of_the_link);
    if (verdict.refusal) {
      refusal = verdict.refusal;
      const bool refused = !store::needs_no_work(refusal->code);
      if (refused) metrics.transport.add("sequence_refused_total", 1);
      if (refusal->code == store::kLinkMessage) metrics.transport.add("sequence_starts_total", 1);
      if (refusal->code == store::kNumberRepeated) {
        metrics.transport.add("sequence_repeats_total", 1);
      }
      const std::string line = fmt::format("from {}: {}", arrival.peer_address, refusal->text());
      if (refused) {
        complain(arrival.peer_address, line);
      } else {
        spdlog::info("channel {}: {}", channel_->name(), line);
      }
    }
    offer.numbers.push_back(std::move(verdict));
  }
}

void ChannelIntake::report_reuse(const Arrival& arrival) {
  channel_->metrics().transport.add("control_ids_reused_total", 1);
  const auto now = std::chrono::steady_clock::now();
  if (now - reuse_logged_ < std::chrono::minutes(1)) return;
  reuse_logged_ = now;
  spdlog::warn(
      "channel {}: the sender at {} used the control id of an earlier message for another one; "
      "both "
      "are worked (said once a minute; see control_ids_reused_total)",
      channel_->name(), arrival.peer_address);
}

std::vector<Receipt> ChannelIntake::not_now(std::size_t count, const Error& why) const {
  channel_->metrics().not_taken += count;
  Receipt receipt;
  receipt.reason = why;
  return std::vector<Receipt>(count, receipt);
}

asio::awaitable<std::vector<Receipt>> ChannelIntake::offer(const Peer&,
                                                           std::vector<Arrival> arrivals) {
  const auto begun = std::chrono::steady_clock::now();
  const auto self = shared_from_this();  // its source may be closed meanwhile
  const std::shared_ptr<Channel> channel = channel_;
  if (auto why = closed()) co_return not_now(arrivals.size(), *why);
  co_await wait_for_room();

  auto offer = std::make_shared<Offer>();
  offer->arrivals = std::move(arrivals);
  const std::shared_ptr<Sequences> sequences = sequences_;
  if (sequences->follows()) {
    if (auto taken = co_await take_links(*offer); !taken) {
      co_return not_now(offer->arrivals.size(), taken.error());
    }
  }
  for (const Arrival& arrival : offer->arrivals) {
    const bool of_the_link = sequences->follows() && Sequences::is_link_message(arrival);
    offer->refusals.push_back(of_the_link ? Error(std::string(store::kLinkMessage), "")
                                          : refusal_of(arrival));
  }
  validate(*offer);
  if (sequences->follows()) judge_numbers(*offer);
  const std::shared_ptr<Duplicates> duplicates = duplicates_;
  const std::shared_ptr<Complaints> complaints = complaints_;
  const store::Store& store = store_;
  if (duplicates->watches()) {
    if (auto judged = co_await judge(*offer); !judged) {
      if (sequences->follows()) sequences->end(offer->arrivals, false);
      co_return not_now(offer->arrivals.size(), judged.error());
    }
  }
  offer->records.reserve(offer->arrivals.size());
  for (std::size_t i = 0; i < offer->arrivals.size(); ++i) {
    store::Accepted record = record_of(offer->arrivals[i]);
    if (const std::optional<Error>& refusal = offer->refusals[i]) {
      record.refusal_code = refusal->code;
      record.refusal = refusal->text();
      if (refusal->code == store::kDuplicate) record.body = nullptr;
    }
    if (!offer->numbers.empty()) record.wire_state = offer->numbers[i].wire_state;
    offer->records.emplace_back(std::move(record));
  }
  offer->fates.resize(offer->arrivals.size());
  if (auto why = closed()) {  // while it waited for room, or for another offer
    offer->committed = *std::move(why);
  } else {  // nothing comes between: Engine::take_nothing() relies on it
    co_await commit(offer);
    // Trouble of the journal concerns all channels, and is said by the engine.
    if (!offer->committed && !store.trouble()) say_not_on_record(*channel, *complaints, *offer);
  }

  std::vector<Receipt> receipts;
  for (std::size_t i = 0; i < offer->arrivals.size(); ++i) {
    receipts.push_back(receipt_of(channel->metrics(), *offer, i));
    // Its twin stands before it.
    const bool repeated = !offer->twins.empty() && offer->twins[i] != i;
    if (repeated && offer->committed) receipts[i] = receipts[offer->twins[i]];
    const bool told = !offer->numbers.empty() && offer->numbers[i].answer && offer->committed;
    if (told) say_number(receipts[i], *offer->numbers[i].answer);
  }
  if (duplicates->watches()) remember(*duplicates, *offer, receipts);
  if (sequences->follows()) sequences->end(offer->arrivals, offer->committed.has_value());
  channel->metrics().acknowledge.record(std::chrono::steady_clock::now() - begun);
  co_return receipts;
}

void ChannelIntake::say_not_on_record(const Channel& channel, Complaints& complaints,
                                      const Offer& offer) {
  const std::string& address = offer.arrivals.front().peer_address;
  const auto line =
      complaints.about(address, fmt::format("what came from {} could not be put on record: {}",
                                            address, offer.committed.error().text()));
  if (line) spdlog::error("channel {}: {}", channel.name(), *line);
}

Receipt ChannelIntake::receipt_of(ChannelMetrics& metrics, Offer& offer, std::size_t i) {
  Receipt receipt;
  if (!offer.committed) {
    ++metrics.not_taken;
    receipt.disposition = Disposition::failed;
    receipt.reason = offer.committed.error();
    if (receipt.reason.code.starts_with('K')) {  // where keys are kept is not for senders
      receipt.reason = {receipt.reason.code, "the message could not be put on record",
                        "send it again later", std::nullopt};
    }
    return receipt;
  }
  receipt.id = (*offer.committed)[i].id;
  if (const std::optional<Error>& refusal = offer.refusals[i]) {
    if (refusal->code == store::kDuplicate) {
      metrics.transport.add("duplicates_total", 1);
      receipt.disposition = Disposition::accepted;
      receipt.id = offer.verdicts[i].original;
      receipt.reply = offer.verdicts[i].reply;
      return receipt;
    }
    if (store::needs_no_work(refusal->code)) {  // of the sequence number protocol
      receipt.disposition = Disposition::accepted;
      return receipt;
    }
    ++metrics.refused;
    receipt.disposition = refusal->code == "P313" ? Disposition::failed : Disposition::refused;
    receipt.reason = *refusal;
    if (refusal->code == "P322") receipt.reply = Reply{.ack = offer.judgements[i]->ack};
    if (refusal->code == "P326" || refusal->code == "P327") {
      receipt.reply = Reply{.ack = about_number(*refusal)};
    }
    return receipt;
  }
  ++metrics.received;
  metrics.received_bytes += offer.arrivals[i].body->size();
  Fate& fate = offer.fates[i];
  receipt.disposition = fate.kind == Fate::Kind::well      ? Disposition::accepted
                        : fate.kind == Fate::Kind::refused ? Disposition::refused
                                                           : Disposition::failed;
  receipt.reason = fate.reason;
  receipt.reply = std::move(fate.reply);
  return receipt;
}

// What came of those that were begun. What a restart, a reload or a hold keeps from being known is
// on record and goes on: a repeat is no new message.
void ChannelIntake::remember(Duplicates& duplicates, const Offer& offer,
                             const std::vector<Receipt>& receipts) {
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    if (offer.refusals[i] || !Duplicates::may_be(offer.arrivals[i])) continue;
    using Came = Duplicates::Came;
    const bool known = offer.fates[i].kind != Fate::Kind::lost_sight;
    const bool well = receipts[i].disposition == Disposition::accepted;
    duplicates.ended(offer.fingerprints[i], receipts[i].id, receipts[i].reply,
                     !known ? Came::out_of_sight
                     : well ? Came::well
                            : Came::to_nothing);
  }
}

// Submits the offer and waits: for the disk, and with ack = "processed" or "delivered:…" for what
// becomes of each.
asio::awaitable<void> ChannelIntake::commit(std::shared_ptr<Offer> offer) {
  auto submit = [this, offer](auto resume) {
    offer->resume = std::move(resume);
    offer->open = 1;
    store_.submit(std::move(offer->records), [channel = channel_, offer](Commits committed) {
      offer->committed = std::move(committed);
      if (offer->committed) hand_over(*channel, offer);
      offer->one_more_known();
    });
  };
  return suspended_until(std::move(submit));
}

// On the journal's thread, in its order.
void ChannelIntake::hand_over(Channel& channel, const std::shared_ptr<Offer>& offer) {
  const bool waits = channel.config().ack.when != config::AckConfig::When::stored;
  const auto now = now_microseconds();
  for (std::size_t i = 0; i < offer->arrivals.size(); ++i) {
    if (offer->refusals[i]) continue;
    WorkItem item;
    item.id = (*offer->committed)[i].id;
    item.accepted = item.queued = (*offer->committed)[i].position;
    item.received_at = now;
    item.body = offer->arrivals[i].body;
    item.attributes = offer->arrivals[i].attributes;
    if (!offer->judgements.empty()) item.judgement = offer->judgements[i];
    Waiter waiter;
    if (waits) {
      offer->open.fetch_add(1);
      waiter = [offer, i](Fate fate) {
        offer->fates[i] = std::move(fate);
        offer->one_more_known();
      };
    }
    channel.arrived(std::move(item), std::move(waiter));
  }
}

}  // namespace cannula::pipeline
