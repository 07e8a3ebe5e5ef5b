// A store in a folder of its own that goes with the test, and short ways to write records.
#pragma once

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/security/keys/key_ring.h"
#include "engine/store/store.h"

namespace cannula::store {

// Text that no compression makes smaller.
inline std::string noise(unsigned seed, std::size_t size) {
  std::minstd_rand random(seed + 1);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() >> 8);
  return text;
}

inline Accepted accepted(std::string channel, std::string body = "MSH|^~\\&|LAB|") {
  Accepted record;
  record.channel = std::move(channel);
  record.at = 1'760'000'000'000'000;
  record.event = "ORU^R01";
  record.body = make_bytes(std::move(body));
  return record;
}

inline Outcome outcome(MessageId id, std::string channel, MessageState state,
                       std::vector<std::string> destinations = {},
                       std::uint32_t first_ordinal = 1) {
  Outcome record;
  record.id = id;
  record.channel = std::move(channel);
  record.at = 1'760'000'000'000'001;
  record.state = state;
  for (std::string& destination : destinations) {
    DeliveryRequest request;
    request.ordinal = first_ordinal++;
    request.destination = std::move(destination);
    request.payload = make_bytes("payload");
    record.deliveries.push_back(std::move(request));
  }
  return record;
}

inline Attempt attempt(MessageId id, std::string channel, std::uint32_t ordinal,
                       std::string destination, DeliveryState state, std::uint32_t number = 1) {
  Attempt record;
  record.id = id;
  record.channel = std::move(channel);
  record.ordinal = ordinal;
  record.destination = std::move(destination);
  record.at = 1'760'000'000'000'002;
  record.number = number;
  record.state = state;
  record.response = make_bytes("MSA|AA|1");
  return record;
}

inline Resent resent(MessageId id, std::string channel, std::uint32_t ordinal) {
  Resent record;
  record.id = id;
  record.channel = std::move(channel);
  record.ordinal = ordinal;
  record.at = 1'760'000'000'000'003;
  record.actor = "a.analyst";
  return record;
}

inline Discarded discarded(MessageId id, std::string channel, std::uint32_t ordinal) {
  Discarded record;
  record.id = id;
  record.channel = std::move(channel);
  record.ordinal = ordinal;
  record.at = 1'760'000'000'000'004;
  record.actor = "a.analyst";
  record.reason = "sent twice";
  return record;
}

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    // Hundreds of small stores are made and thrown away; what a disk does is for the benchmarks and
    // the fault tests' own file system. check() puts its files where TMPDIR says.
    if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
    std::string pattern =
        (std::filesystem::temp_directory_path() / "cannula-store-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StoreFixture() override { std::filesystem::remove_all(directory_); }

  const std::filesystem::path& directory() const { return directory_; }

  virtual Options options() const {
    Options options;
    options.directory = directory_;
    options.zero_ahead = 64u << 10;
    options.keys = keys();
    return options;
  }

  // Stores are sealed, as a site's are. The master key is in no file.
  static security::MasterKeySource master() {
    security::MasterKeySource source;
    source.place = "the test";
    source.read = []() -> Result<std::string> { return std::string(64, '7'); };
    return source;
  }
  std::shared_ptr<security::KeyRing> keys() const {
    std::filesystem::create_directories(directory_);
    auto ring = security::KeyRing::open({directory_, master()});
    if (!ring) throw std::runtime_error(ring.error().text());
    return std::move(*ring);
  }

  std::unique_ptr<Store> open() const { return open(options()); }
  static std::unique_ptr<Store> open(Options options) {
    auto store = Store::open(std::move(options));
    if (!store) throw std::runtime_error(store.error().text());
    return std::move(*store);
  }

  template <class T>
  static T value(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text());
    return std::move(*result);
  }

  static std::vector<Committed> commit(Store& store, std::vector<Record> records) {
    return value(store.commit(std::move(records)));
  }

  static MessageRow row(Store& store, MessageId id) {
    const auto row = value(store.message(id));
    if (!row) throw std::runtime_error("no such message in the index");
    return *row;
  }
  static MessageState state(Store& store, MessageId id) { return row(store, id).state; }

 private:
  std::filesystem::path directory_;
};

}  // namespace cannula::store
