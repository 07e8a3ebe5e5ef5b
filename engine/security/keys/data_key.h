// A channel's key, open, with what is made of it. Lives as long as its ring. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "engine/security/sealing/cipher.h"
#include "engine/security/sealing/keyed_hash.h"

namespace cannula::security {

class DataKey {
 public:
  DataKey(std::uint32_t number, std::string channel, const KeyBytes& key)
      : number_(number),
        channel_(std::move(channel)),
        records_(key.derived("cannula records")),
        rows_(key.derived("cannula rows")),
        row_nonces_(key.derived("cannula row nonces")) {}

  std::uint32_t number() const { return number_; }  // random, never 0; in each record it seals
  const std::string& channel() const { return channel_; }
  const Cipher& records() const { return records_; }  // frames of the journal
  const Cipher& rows() const { return rows_; }        // texts in the index
  // Nonces for rows are made of what is sealed: the same text in the same row gives the same bytes,
  // so that an index can be compared with one built anew.
  const KeyedHash& row_nonces() const { return row_nonces_; }

 private:
  std::uint32_t number_;
  std::string channel_;
  Cipher records_;
  Cipher rows_;
  KeyedHash row_nonces_;
};

}  // namespace cannula::security
