#include "engine/security/audit/entry.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace cannula::audit {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLongestText = 2000;
constexpr std::size_t kMacDigits = 64;
constexpr std::string_view kMacMark = ",\"mac\":\"";

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(size * 2);
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string short_text(const std::string& text) {
  return text.size() <= kLongestText ? text : text.substr(0, kLongestText) + "…";
}

void put(ordered_json& into, const char* name, const std::string& text) {
  if (!text.empty()) into[name] = short_text(text);
}

ordered_json actor_json(const Actor& actor) {
  ordered_json value{{"kind", name_of(actor.kind)}};
  put(value, "name", actor.name);
  if (actor.uid) value["uid"] = *actor.uid;
  put(value, "says", actor.says);
  put(value, "address", actor.address);
  return value;
}

ordered_json object_json(const Object& object) {
  ordered_json value = ordered_json::object();
  put(value, "message", object.message);
  if (object.delivery != 0) value["delivery"] = object.delivery;
  put(value, "channel", object.channel);
  put(value, "destination", object.destination);
  put(value, "file", object.file);
  put(value, "key", object.key);
  return value;
}

bool is_mac(std::string_view text) {
  return text.size() == kMacDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::string_view name_of(Actor::Kind kind) {
  switch (kind) {
    case Actor::Kind::engine:
      return "engine";
    case Actor::Kind::person:
      return "person";
    case Actor::Kind::partner:
      return "partner";
  }
  return "engine";
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::begun:
      return "begun";
    case Outcome::done:
      return "done";
    case Outcome::refused:
      return "refused";
    case Outcome::failed:
      return "failed";
  }
  return "failed";
}

std::string anchor_text(const Head& head) {
  return fmt::format("{}:{}", head.sequence, head.mac);
}

std::optional<Head> anchor_of(std::string_view text) {
  Head head;
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto [end, failed] = std::from_chars(text.data(), text.data() + colon, head.sequence);
  if (failed != std::errc() || end != text.data() + colon || text.size() != colon + 1 + kMacDigits)
    return std::nullopt;
  head.mac = text.substr(colon + 1);
  return head;
}

Sealer::Sealer(std::string key) : key_(std::move(key)) {
  if (!key_.empty()) key_id_ = mac("the name of this key").substr(0, 8);
}

std::string Sealer::mac(std::string_view bytes) const {
  if (key_.empty()) return sha256(bytes);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest, &size);
  return hexadecimal(digest, size);
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return hexadecimal(digest, size);
}

std::string line_of(const Entry& entry, std::int64_t at, const Head& before, const Sealer& sealer) {
  ordered_json line{{"seq", before.sequence + 1},
                    {"at", time_text(at)},
                    {"actor", actor_json(entry.actor)},
                    {"act", entry.act}};
  if (ordered_json object = object_json(entry.object); !object.empty()) line["object"] = object;
  line["outcome"] = name_of(entry.outcome);
  put(line, "code", entry.code);
  put(line, "reason", entry.reason);
  for (const auto& [name, value] : entry.detail) line["detail"][name] = short_text(value);
  put(line, "key", sealer.key_id());
  line["before"] = before.mac;
  std::string text = line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  text.pop_back();  // the brace: the mac comes last, so that what it is of is a plain prefix
  const std::string mac = sealer.mac(text);
  return fmt::format("{}{}{}\"}}", text, kMacMark, mac);
}

std::optional<ChainLink> link_of(std::string_view line) {
  constexpr std::size_t kTail = kMacMark.size() + kMacDigits + 2;
  if (line.size() <= kTail || !line.ends_with("\"}")) return std::nullopt;
  ChainLink link;
  link.sealed = line.substr(0, line.size() - kTail);
  if (line.substr(link.sealed.size(), kMacMark.size()) != kMacMark) return std::nullopt;
  link.mac = line.substr(link.sealed.size() + kMacMark.size(), kMacDigits);
  const auto value = nlohmann::json::parse(line, nullptr, false);
  if (!value.is_object() || !is_mac(link.mac)) return std::nullopt;
  const auto sequence = value.find("seq"), before = value.find("before"), key = value.find("key");
  if (sequence == value.end() || !sequence->is_number_unsigned()) return std::nullopt;
  if (before == value.end() || !before->is_string()) return std::nullopt;
  link.sequence = sequence->get<std::uint64_t>();
  link.before = before->get<std::string>();
  if (key != value.end() && key->is_string()) link.key_id = key->get<std::string>();
  return link;
}

std::string time_text(std::int64_t at) {
  const std::time_t seconds = static_cast<std::time_t>(at / 1'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     at % 1'000'000);
}

}  // namespace cannula::audit
