// Writes a small store of invented patients into a folder, as the Cannula that it is built with
// does it. README.md beside this says how the stores here came to be.
//
// It compiles with every version of engine/store since the first: what a version does not know yet
// is left out of its store.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/store.h"
#if __has_include("engine/security/keys/key_ring.h")
#include "engine/security/keys/key_ring.h"
#endif
#if __has_include("engine/store/retention.h")
#include "engine/store/retention.h"
#endif

namespace cannula::store {
namespace {

constexpr Timestamp kThen = 1'760'000'000'000'000;
constexpr Timestamp kHour = 3'600'000'000;

template <class T>
T value(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s: %s\n", result.error().code.c_str(), result.error().message.c_str());
  std::exit(1);
}

std::string body(const std::string& control_id, const std::string& number,
                 const std::string& name) {
  return "MSH|^~\\&|LAB|REF|HIS|WARD|20251009083000||ORU^R01|" + control_id + "|P|2.5.1\rPID|1||" +
         number + "^^^HIS^MR||" + name +
         "\rOBR|1|||K^Kalium\rOBX|1|NM|K^Kalium||4.1|mmol/L|3.5-5.1|N|||F\r";
}

Accepted accepted(const std::string& channel, const std::string& control_id,
                  const std::string& number, const std::string& name) {
  Accepted record;
  record.channel = channel;
  record.at = kThen;
  record.peer = "10.1.0.7:40112";
  record.partner = "reference-lab";
  record.event = "ORU^R01";
  record.control_id = control_id;
  record.body = make_bytes(body(control_id, number, name));
  return record;
}

Outcome outcome(MessageId id, const std::string& channel, MessageState state) {
  Outcome record;
  record.id = id;
  record.channel = channel;
  record.at = kThen + 1;
  record.state = state;
  return record;
}

DeliveryRequest delivery(std::uint32_t ordinal, const std::string& destination,
                         const std::string& payload) {
  DeliveryRequest request;
  request.ordinal = ordinal;
  request.destination = destination;
  request.order_keys = {11};
  request.payload = make_bytes(std::string(payload));
  return request;
}

Attempt attempt(MessageId id, const std::string& channel, std::uint32_t ordinal,
                const std::string& destination, DeliveryState state, std::uint32_t number) {
  Attempt record;
  record.id = id;
  record.channel = channel;
  record.ordinal = ordinal;
  record.destination = destination;
  record.at = kThen + 2 + number;
  record.number = number;
  record.state = state;
  record.response = make_bytes("MSA|AA|" + std::to_string(number));
  return record;
}

MessageId take_in(Store& store, const std::string& channel, const std::string& control_id,
                  const std::string& number, const std::string& name) {
  return value(store.commit({accepted(channel, control_id, number, name)})).front().id;
}

template <class Act>
Act act(MessageId id, const std::string& channel) {
  Act record;
  record.id = id;
  record.channel = channel;
  record.at = kThen + 10;
  record.actor = "a.analyst";
  record.reason = "asked for by the ward";
  return record;
}

// What only some versions know is said to templates: in those a branch that does not compile for a
// version is passed over.
template <class S, class O>
void give_search_keys(S& store, O& outcome, const std::string& number) {
  if constexpr (requires { store.search_key(std::string_view(), std::string_view()); }) {
    outcome.search_keys = {store.search_key("mrn", number)};
  }
}

template <class O>
void give_misses(O& outcome) {
  if constexpr (requires { outcome.misses; }) {
    outcome.misses = {{"lab-to-loinc", "K7", "Kalium"}};
    outcome.until_mapped = true;
  }
}

template <class O>
void give_attributes(O& request) {
  if constexpr (requires { request.attributes; }) request.attributes = R"({"path":"/lab"})";
}

template <class A>
void edit(Store& store, A record, MessageId from) {
  if constexpr (requires { record.edited_from; }) {
    record.edited_from = from;
    record.editor = "a.analyst";
    record.edit_reason = "the number was mistyped";
    value(store.commit({record}));
  }
}

template <class A>
void link(Store& store, A record) {
  if constexpr (requires { record.wire_state; }) {
    record.wire_state = {{"from HIS", R"({"number":7})"}};
    value(store.commit({record}));
  }
}

template <class S>
void prune(S& store) {
#if __has_include("engine/store/retention.h")
  PruneOrder order;
  order.now = kThen + 100 * kHour;
  order.keep = [](const std::string& channel, MessageState) {
    Keep keep;
    if (channel == "old-results") keep.bodies = kHour;
    if (channel == "older-results") keep.message = kHour;
    return keep;
  };
  value(store.prune(order));
#else
  static_cast<void>(store);
#endif
}

template <class O>
void give_keys(O& options) {
#if __has_include("engine/security/keys/key_ring.h")
  security::MasterKeySource master;
  master.place = "the test";
  master.read = []() -> Result<std::string> { return std::string(64, '7'); };
  options.keys = value(security::KeyRing::open({options.directory, master}));
#else
  static_cast<void>(options);
#endif
}

void delivered(Store& store, const std::string& channel, const std::string& control_id,
               const std::string& number, const std::string& name) {
  const MessageId id = take_in(store, channel, control_id, number, name);
  Outcome worked = outcome(id, channel, MessageState::queued);
  worked.order_keys = {11};
  worked.deliveries = {delivery(1, "ehr", body(control_id, number, name))};
  give_attributes(worked.deliveries.front());
  worked.state_writes = {{"last", "\"" + control_id + "\""}};
  worked.trace = R"({"log":"routed"})";
  give_search_keys(store, worked, number);
  value(store.commit({worked}));
  Attempt failed = attempt(id, channel, 1, "ehr", DeliveryState::retrying, 1);
  failed.code = "D201";
  failed.reason = "no answer within 30 s";
  failed.next_at = kThen + 100;
  value(store.commit({failed}));
  value(store.commit({attempt(id, channel, 1, "ehr", DeliveryState::delivered, 2)}));
}

void write(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  Options options;
  options.directory = directory;
  options.segment_size = 3000;
  options.zero_ahead = 0;
  give_keys(options);
  const auto store = value(Store::open(options));

  for (int i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i);
    delivered(*store, "old-results", "OLD-" + number, "90" + number, "MUSTER^OTTO");
    delivered(*store, "older-results", "OLDER-" + number, "80" + number, "MUSTER^OLGA");
  }
  delivered(*store, "lab-results", "LAB-1", "4711", "MUSTER^ANNA");

  const std::string lab = "lab-results";
  MessageId id = take_in(*store, lab, "LAB-2", "4712", "MUSTER^BERTA");
  Outcome queued = outcome(id, lab, MessageState::queued);
  queued.order_keys = {11, 12};
  queued.deliveries = {delivery(1, "ehr", "to the ehr"), delivery(2, "archive", "to the archive")};
  give_search_keys(*store, queued, "4712");
  Attempt retrying = attempt(id, lab, 1, "ehr", DeliveryState::retrying, 1);
  retrying.code = "D201";
  retrying.reason = "no answer within 30 s";
  retrying.next_at = kThen + 100;
  value(store->commit({queued, retrying}));
  value(store->commit({attempt(id, lab, 2, "archive", DeliveryState::delivered, 1)}));

  take_in(*store, lab, "LAB-3", "4713", "MUSTER^CARL");  // waits for its script

  id = take_in(*store, lab, "LAB-4", "4714", "MUSTER^DORA");
  Outcome dead = outcome(id, lab, MessageState::dead);
  dead.code = "L201";
  dead.reason = "main.lua:7: nil where a text is needed";
  value(store->commit({dead}));
  value(store->commit({act<Resent>(id, lab)}));  // waits again

  id = take_in(*store, lab, "LAB-5", "4715", "MUSTER^EMIL");
  Outcome parked = outcome(id, lab, MessageState::parked);
  parked.reason = "K7 has no row";
  give_misses(parked);
  give_search_keys(*store, parked, "4715");
  value(store->commit({parked}));

  Accepted refused = accepted(lab, "LAB-6", "4716", "MUSTER^FRIDA");
  refused.refusal_code = "P104";
  refused.refusal = "may not send ORU^R01";
  value(store->commit({refused}));

  id = take_in(*store, lab, "LAB-7", "4717", "MUSTER^GUSTAV");
  Outcome stopped = outcome(id, lab, MessageState::parked);
  stopped.reason = "whose is it?";
  value(store->commit({stopped}));
  value(store->commit({act<Discarded>(id, lab)}));
  edit(*store, accepted(lab, "LAB-9", "4719", "MUSTER^GUSTAV"), id);

  id = take_in(*store, lab, "LAB-8", "4718", "MUSTER^HANNA");
  Outcome filtered = outcome(id, lab, MessageState::filtered);
  filtered.reason = "not a result";
  value(store->commit({filtered}));

  id = take_in(*store, lab, "LAB-10", "4720", "MUSTER^IDA");
  Outcome lost = outcome(id, lab, MessageState::dead);
  lost.code = "L201";
  lost.reason = "main.lua:7: nil where a text is needed";
  value(store->commit({lost}));

  link(*store, accepted("adt-link", "ADT-7", "4721", "MUSTER^JAKOB"));
  store->catch_up();
  prune(*store);
}

}  // namespace
}  // namespace cannula::store

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: write_store FOLDER\n");
    return 2;
  }
  cannula::store::write(arguments[1]);
  return 0;
}
