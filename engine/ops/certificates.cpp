#include "engine/ops/certificates.h"

#include <nlohmann/json.hpp>

#include "channels/transport/certificate_file.h"
#include "engine/ops/text.h"

namespace cannula::ops {
namespace {

constexpr std::int64_t kDay = 86'400;

// The tables of a source or destination that can name a certificate (channels/transport/tls.h).
constexpr std::string_view kTables[] = {"tls", "connect_tls", "listen_tls"};

}  // namespace

std::vector<CertificateInUse> certificates_in_use(const config::Site& site) {
  std::vector<CertificateInUse> found;
  const auto look_at = [&](const std::string& channel, const std::string& destination,
                           const Values& values) {
    for (const std::string_view name : kTables) {
      const Values* const tls = values.table(name);
      if (tls == nullptr || !tls->has("certificate")) continue;
      const std::string& file = tls->text("certificate");
      found.push_back({channel, destination, file, end_of_certificates(site.root / file)});
    }
  };
  for (const auto& [name, channel] : site.channels) {
    if (!channel.enabled) continue;
    look_at(name, "", channel.source);
    for (const config::DestinationConfig& destination : channel.destinations)
      look_at(name, destination.name, destination.values);
  }
  return found;
}

nlohmann::json certificates_json(const config::Site& site, std::int64_t now) {
  nlohmann::json all = nlohmann::json::array();
  for (const CertificateInUse& one : certificates_in_use(site)) {
    nlohmann::json value{{"channel", one.channel}, {"file", one.file}};
    if (!one.destination.empty()) value["destination"] = one.destination;
    if (one.end) {
      const std::int64_t left = *one.end - now / 1'000'000;
      value["expires_at"] = time_text(*one.end * 1'000'000);
      value["days_left"] = left >= 0 ? left / kDay : -((-left + kDay - 1) / kDay);
    } else {
      value["trouble"] = one.end.error().text();
    }
    all.push_back(std::move(value));
  }
  return all;
}

}  // namespace cannula::ops
