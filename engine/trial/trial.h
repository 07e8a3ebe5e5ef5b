// One channel's script, run on messages of one's own choice: with the site's real tables, rules and
// modules, but without a store, sockets, secrets or a clock. What `cannula test` and `cannula try`
// stand on.
//
//   auto trial = Trial::load(site, "lab-results");            // or what is wrong with the script
//   Ran ran = trial->work({.body = bytes, .now = moment});    // main(msg)
//   Ran answered = trial->answer(message, answer);            // on_response(msg, …)
//
// Messages of one Trial share its state, as the messages of a channel do. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/config/site.h"
#include "engine/script/runtime.h"

namespace cannula::trial {

struct GivenMessage {
  Bytes body;
  std::string partner;
  std::string attributes;  // as Arrival::attributes: of HTTP a JSON object, or empty
  std::int64_t now = 0;    // of time.now(), and when it was received; microseconds since 1970
};

struct GivenAnswer {
  std::uint32_t ordinal = 0;  // of the send it answers, counted from 0 over all destinations
  std::string destination;
  Bytes body;              // may be null: nothing came back
  std::string attributes;  // as Answer::attributes
};

// What a run did. Payloads that the script passed on unchanged are the message's body here.
struct Ran {
  script::Conclusion conclusion;
  std::vector<std::string> trace;  // the lines of Conclusion::trace, JSON objects
};

class Trial {
 public:
  using State = std::map<std::string, std::string>;  // JSON text by key

  // `site` has the channel, and outlives the Trial.
  static std::variant<std::unique_ptr<Trial>, std::vector<Diagnostic>> load(
      const config::Site& site, const std::string& channel);
  ~Trial();

  Ran work(const GivenMessage& message);
  Ran answer(const GivenMessage& message, const GivenAnswer& answer);
  bool takes_answers() const;  // the script defines on_response

  // What the script keeps; set before the first message, read at any time.
  State& state();

 private:
  class Stage;
  explicit Trial(std::unique_ptr<Stage> stage);
  Ran run(script::Input input);

  std::unique_ptr<Stage> stage_;
  std::uint32_t messages_ = 0;
};

}  // namespace cannula::trial
