#include "engine/pipeline/holds.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/security/keys/whole_file.h"

namespace cannula::pipeline {
namespace {

using nlohmann::json;

Error failed(std::string what) {
  return Error{"P331", std::move(what),
               "see to the disk and the file's rights; until it can be read nothing is forgotten"};
}

std::string line_of(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(const Hold& hold) {
  json value{{"hold", hold.name},     {"at", hold.at},           {"actor", hold.actor},
             {"reason", hold.reason}, {"channel", hold.channel}, {"from", hold.received_from},
             {"to", hold.received_to}};
  if (hold.message) value["message"] = hold.message.text();
  if (!hold.kind.empty()) {
    value["kind"] = hold.kind;
    // An earlier version reads one number. Of several it says that this is no hold, and forgets
    // nothing: better than to forget what the others cover.
    if (hold.search.size() == 1) {
      value["search"] = hold.search.front();
    } else {
      value["search"] = hold.search;
    }
  }
  return value;
}

Hold hold_of(const json& value) {
  Hold hold;
  hold.name = value.at("hold").get<std::string>();
  hold.at = value.at("at").get<store::Timestamp>();
  hold.actor = value.value("actor", "");
  hold.reason = value.value("reason", "");
  hold.channel = value.value("channel", "");
  hold.received_from = value.value("from", store::Timestamp{0});
  hold.received_to = value.value("to", store::Timestamp{0});
  hold.kind = value.value("kind", "");
  if (const auto search = value.find("search"); search != value.end()) {
    hold.search = search->is_array() ? search->get<store::SearchKeys>()
                                     : store::SearchKeys{search->get<std::uint64_t>()};
  }
  if (value.contains("message")) {
    hold.message = MessageId::parse(value.at("message").get<std::string>()).value();
  }
  return hold;
}

std::string name_of_number(std::uint64_t number) {
  return fmt::format("H{}", number);
}

}  // namespace

bool Hold::covers(const store::MessageRow& row, const store::FoundBy& found_by) const {
  if (message && row.id != message) return false;
  if (!channel.empty() && row.channel != channel) return false;
  if (row.received_at < received_from) return false;
  if (received_to != 0 && row.received_at >= received_to) return false;
  if (kind.empty() || !found_by.all) return true;
  return std::find_first_of(found_by.keys.begin(), found_by.keys.end(), search.begin(),
                            search.end()) != found_by.keys.end();
}

std::string Hold::what() const {
  std::vector<std::string> parts;
  if (message) parts.push_back("message " + message.text());
  if (!kind.empty()) parts.push_back(kind);
  if (!channel.empty()) parts.push_back("channel " + channel);
  if (received_from != 0 || received_to != 0) parts.emplace_back("a time");
  return fmt::format("{}", fmt::join(parts, ", "));
}

// A line that cannot be read may be a hold: better to stop than to forget what it covers. Only a
// last one without its end was never answered for.
Result<std::unique_ptr<Holds>> Holds::open(const std::filesystem::path& directory) {
  std::unique_ptr<Holds> holds(new Holds(directory / "holds.jsonl"));
  const auto text = security::read_whole(holds->file_);
  if (!text) return failed(text.error().message);
  std::istringstream lines(text->value_or(""));
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || lines.eof()) continue;
    try {
      const json value = json::parse(line);
      if (value.contains("release")) {
        const std::string name = value.at("release").get<std::string>();
        std::erase_if(holds->holds_, [&](const Hold& one) { return one.name == name; });
        continue;
      }
      holds->holds_.push_back(hold_of(value));
      ++holds->last_;
    } catch (const std::exception&) {
      return failed(fmt::format("{}, line {}, is no hold", holds->file_.string(), number));
    }
  }
  return holds;
}

Result<void> Holds::append(const std::string& line) {
  const auto written = security::append_line(file_, line);
  return written ? Result<void>() : failed(written.error().message);
}

Result<void> Holds::while_none_is_added(const std::function<Result<void>()>& work) const {
  const std::scoped_lock lock(adding_);
  return work();
}

Result<Hold> Holds::add(Hold hold) {
  const std::scoped_lock lock(adding_, mutex_);
  hold.name = name_of_number(last_ + 1);
  TRY(append(line_of(to_json(hold))));
  ++last_;
  holds_.push_back(hold);
  return hold;
}

Result<Hold> Holds::release(const std::string& name, store::Timestamp at, const std::string& actor,
                            const std::string& reason) {
  const std::scoped_lock lock(mutex_);
  const auto found =
      std::find_if(holds_.begin(), holds_.end(), [&](const Hold& one) { return one.name == name; });
  if (found == holds_.end()) {
    return Error{"P332", fmt::format("there is no hold {}", name),
                 "list them with `cannula store holds`"};
  }
  TRY(append(line_of(json{{"release", name}, {"at", at}, {"actor", actor}, {"reason", reason}})));
  Hold released = *found;
  holds_.erase(found);
  return released;
}

std::vector<Hold> Holds::all() const {
  const std::scoped_lock lock(mutex_);
  return holds_;
}

std::string Holds::covering(const store::MessageRow& row, const store::FoundBy& found_by) const {
  const std::scoped_lock lock(mutex_);
  const auto found = std::find_if(holds_.begin(), holds_.end(),
                                  [&](const Hold& one) { return one.covers(row, found_by); });
  return found == holds_.end() ? std::string() : found->name;
}

Result<std::string> Holds::covering_in(const store::Store& store,
                                       const std::string& channel) const {
  for (const Hold& hold : all()) {
    if (!hold.channel.empty() && hold.channel != channel) continue;
    store::MessageQuery query;
    query.channel = channel;
    query.received_from = hold.received_from;
    query.received_to = hold.received_to;
    if (!hold.kind.empty()) query.search_keys.push_back(hold.search);
    if (hold.message) {
      query.after.value = hold.message.value - 1;
      query.before.value = hold.message.value + 1;
    }
    query.limit = 1;
    if (!TRY(store.messages(query)).empty()) return hold.name;
  }
  return std::string();
}

}  // namespace cannula::pipeline
