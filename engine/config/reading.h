// A site under reading: what its files have said so far, and the checks that need more than one of
// them. Inside engine/config only.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/schema.h"
#include "engine/config/site.h"

namespace cannula::config {

class Reading {
 public:
  Reading(const std::filesystem::path& root, std::span<const Transport> transports,
          std::chrono::sys_days today);

  LoadedSite load(const LoadOptions& options) &&;

 private:
  // Something that will be listened on, and where that is written.
  struct Listener {
    std::string owner;  // "channel `lab`"
    Endpoint endpoint;
    File file;
    Span span;
    std::string http_path{};  // of an http source, which may share its port
  };

  // site_file.cpp
  void read_site_file();
  void read_store(const Node& root, const File& file);
  void read_keys(const Node& root, const File& file);
  std::optional<MasterKeyPlace> read_master_key(const Node& written, const File& file) const;
  void read_admin(const Node& root, const File& file);
  void read_audit(const Node& root, const File& file);
  void read_engine(const Node& root, const File& file);
  void read_secrets(const Node& root, const File& file);
  void read_modules();
  void check_listeners();
  void hide_all_secrets();  // in every finding so far

  // partner_file.cpp
  void read_partners();
  PartnerConfig read_partner(const std::string& name, const Node& root, const File& file);
  void check_addresses(const Member& from, const File& file);
  void check_events(const Member& may, const File& file);
  Agreement read_agreement(const Node& table, const File& file);

  // channel_file.cpp
  void read_channels();
  ChannelConfig read_channel(const std::string& name, const Node& root, const File& file);
  void read_source_table(ChannelConfig& channel, const Node& table, const File& file);
  void check_together(const Result<void>& checked, const Node& table, const File& file);
  void check_exposure(const ChannelConfig& channel, const Node& source, const File& file);
  void check_certificate(const ChannelConfig& channel, const Node& source, const File& file);
  void read_ack(ChannelConfig& channel, const Node& table, const Values& values, const File& file);
  void check_application_ack(const ChannelConfig& channel, const Node& table, const File& file);
  void read_respond(ChannelConfig& channel, const Node& table, const File& file);
  void read_timezone(ChannelConfig& channel, const Node& table, const File& file);
  void read_charset(ChannelConfig& channel, const Node& table, const File& file);
  // validation_policy.cpp
  void read_validation(ChannelConfig& channel, const Node& root, const File& file);
  void read_policies(ValidationConfig& validation, const Node& on, const File& file) const;
  // retention_periods.cpp
  void read_site_retention(const Node& root, const File& file);
  void read_retention(ChannelConfig& channel, const Node& root, const File& file);
  void read_periods(RetentionConfig& retention, const Member& table, const File& file) const;
  void check_periods(const RetentionConfig& retention, const Member& table, const File& file) const;
  void read_order(ChannelConfig& channel, const Node& root, const File& file);
  static void check_segment(const hl7v2::Path& path, const Node& written, const File& file);
  void read_destinations(ChannelConfig& channel, const Node& root, const File& file);
  DestinationConfig read_destination(const Node& table, const File& file);
  RetryConfig read_retry(const Node& destination, const File& file);
  void read_failures(RetryConfig& retry, const Node& on, const File& file) const;
  // delivery_times.cpp
  void read_rate_limit(DestinationConfig& destination, const Node& table, const File& file) const;
  void read_windows(ChannelConfig& channel, const Node& root, const File& file) const;
  void check_former_names();
  void read_script(ChannelConfig& channel, const Node& root, const File& file);
  const Transport* find_transport(const Member* type, bool as_source, const File& file) const;

  // secret_check.cpp: warns where a secret, file or folder is not there, or a secret is readable by
  // everyone or written out (C124, C129, C136, C148).
  void check_secret(const SecretReference& reference, const File& file, Span at) const;
  void check_file(const std::string& named, const File& file, Span at) const;  // C136
  void check_written_out(const Node& value, const File& file) const;           // C148
  void check_secrets_in(const Values& values, const Node& table, std::span<const Option> options,
                        const File& file) const;

  // The tables' own values; `table` may be absent.
  Values read_optional(const Member* table, std::span<const Option> options, std::string_view place,
                       const File& file) const;

  std::filesystem::path root_;  // as given: names files in findings
  std::span<const Transport> transports_;
  std::chrono::sys_days today_;
  std::vector<Diagnostic> findings_;
  Site site_;
  std::vector<std::string> partner_names_;  // of every file in partners/, readable or not
  std::vector<Listener> listeners_;
  bool store_known_ = false;  // nothing is wrong with what says where the store is
};

}  // namespace cannula::config
