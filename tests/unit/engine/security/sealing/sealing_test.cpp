#include <gtest/gtest.h>

#include "engine/security/sealing/cipher.h"
#include "engine/security/sealing/compression.h"
#include "engine/security/sealing/dictionary.h"
#include "engine/security/sealing/keyed_hash.h"

namespace cannula::security {
namespace {

const std::string kAcknowledgement =
    "MSH|^~\\&|LAB|NORTH|EHR|GENERAL|20260102030405+0000||ACK^R01^ACK|7|P|2.5.1\rMSA|AA|7\r";

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text.push_back(static_cast<char>(value));
  return text;
}

// Test case 14 of the GCM specification (McGrew and Viega): zero key, zero nonce, one zero block.
TEST(CipherTest, seals_as_the_standard_says) {
  const Cipher cipher{KeyBytes()};
  std::string text(16, '\0');
  const std::string nonce(kNonceSize, '\0');
  std::string tag(kTagSize, '\0');
  cipher.seal(nonce.data(), "", text.data(), text.size(), tag.data());
  EXPECT_EQ(text, bytes({0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3,
                         0xba, 0xf3, 0x9d, 0x18}));
  EXPECT_EQ(tag, bytes({0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5,
                        0xd4, 0x8a, 0xb9, 0x19}));
}

TEST(CipherTest, opens_only_what_was_sealed_with_the_same_key_nonce_and_place) {
  const Cipher cipher(KeyBytes::random());
  const std::string text = "PID|1||4711^^^MUSTER";
  const std::string nonce(kNonceSize, 'n');
  std::string sealed = text;
  std::string tag(kTagSize, '\0');
  cipher.seal(nonce.data(), "place 1", sealed.data(), sealed.size(), tag.data());
  EXPECT_EQ(sealed.find("MUSTER"), std::string::npos);

  const auto opens = [&](const Cipher& with, const std::string& the_nonce, std::string_view place,
                         const std::string& what, const std::string& the_tag) {
    std::string into(what.size(), '\0');
    return with.open(the_nonce.data(), place, what, the_tag.data(), into.data()) && into == text;
  };
  EXPECT_TRUE(opens(cipher, nonce, "place 1", sealed, tag));
  EXPECT_TRUE(opens(cipher, nonce, "place 1", sealed, tag)) << "a context that was used before";
  EXPECT_FALSE(opens(Cipher(KeyBytes::random()), nonce, "place 1", sealed, tag));
  EXPECT_FALSE(opens(cipher, std::string(kNonceSize, 'm'), "place 1", sealed, tag));
  EXPECT_FALSE(opens(cipher, nonce, "place 2", sealed, tag));
  EXPECT_FALSE(opens(cipher, nonce, "place 1", sealed, std::string(kTagSize, 't')));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 1;
    EXPECT_FALSE(opens(cipher, nonce, "place 1", changed, tag)) << i;
  }
}

// The first vectors of the reference implementation: key 00 01 … 0f, no text.
TEST(KeyedHashTest, is_siphash) {
  std::string key(kKeySize, '\0');
  for (std::size_t i = 0; i < 16; ++i) key[i] = static_cast<char>(i);
  const KeyedHash hash{KeyBytes(key)};
  EXPECT_EQ(hash.of(""), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(hash.of(std::string(1, '\0')), 0x74f839c593dc67fdu);
  EXPECT_NE(hash.of("4711"), KeyedHash(KeyBytes::random()).of("4711"));
  EXPECT_NE(hash.wide("4711"), hash.wide("4712"));
}

TEST(KeyBytesTest, derived_keys_differ_by_purpose_and_come_again) {
  const KeyBytes key = KeyBytes::random();
  EXPECT_TRUE(key.derived("a") == key.derived("a"));
  EXPECT_FALSE(key.derived("a") == key.derived("b"));
  EXPECT_FALSE(key.derived("a") == key);
  EXPECT_FALSE(KeyBytes::random() == KeyBytes::random());
}

TEST(CompressionTest, gives_back_what_it_took_and_leaves_short_texts_alone) {
  std::string small;
  EXPECT_FALSE(compress("too short", small));
  EXPECT_EQ(small, "");
  const std::string text(10'000, 'x');
  ASSERT_TRUE(compress(text, small));
  EXPECT_LT(small.size(), 100u);
  std::string back = "before ";
  ASSERT_TRUE(decompress(small, Dictionary::second, 10'000, back));
  EXPECT_EQ(back, "before " + text);
}

TEST(CompressionTest, refuses_what_is_too_large_cut_or_no_such_thing) {
  std::string small, back;
  ASSERT_TRUE(compress(std::string(10'000, 'x'), small));
  EXPECT_FALSE(decompress(small, Dictionary::second, 9'999, back));
  const std::string_view cut = std::string_view(small).substr(0, small.size() - 1);
  EXPECT_FALSE(decompress(cut, Dictionary::second, 10'000, back));
  EXPECT_FALSE(decompress("no such thing at all", Dictionary::second, 10'000, back));
  EXPECT_FALSE(decompress("", Dictionary::second, 10'000, back));
  EXPECT_EQ(back, "");
}

TEST(CompressionTest, a_short_message_gets_much_smaller_by_the_dictionary) {
  std::string small, back;
  ASSERT_TRUE(compress(kAcknowledgement, small));
  EXPECT_LT(small.size(), kAcknowledgement.size() * 3 / 4);
  ASSERT_TRUE(decompress(small, Dictionary::second, 1000, back));
  EXPECT_EQ(back, kAcknowledgement);
  EXPECT_FALSE(decompress(small, Dictionary::none, 1000, back));
}

// Written before there was a dictionary.
TEST(CompressionTest, opens_what_was_made_without_a_dictionary) {
  const std::string frame = bytes({0x28, 0xb5, 0x2f, 0xfd, 0x60, 0xe8, 0x00, 0x4d, 0x00, 0x00, 0x10,
                                   0x78, 0x78, 0x01, 0x00, 0xe3, 0x2a, 0xc0, 0x02});
  std::string back;
  ASSERT_TRUE(decompress(frame, Dictionary::none, 1000, back));
  EXPECT_EQ(back, std::string(488, 'x'));
}

TEST(CompressionTest, the_dictionaries_are_as_they_always_were) {
  EXPECT_EQ(KeyedHash(KeyBytes()).of(first_dictionary()), 11412797433340193219u);
  EXPECT_EQ(KeyedHash(KeyBytes()).of(second_dictionary()), 6177439320401272564u)
      << "records on disk need these bytes: add a third dictionary";
}

// Written when there was one dictionary only.
TEST(CompressionTest, opens_what_was_made_with_the_first_dictionary) {
  const std::string frame =
      bytes({0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x53, 0x05, 0x01, 0x00, 0x50, 0x32, 0x30, 0x33, 0x30,
             0x34, 0x30, 0x35, 0x37, 0x37, 0x0d, 0x07, 0x00, 0x5b, 0x20, 0x01, 0x83, 0x00, 0xbc,
             0x19, 0x33, 0xd9, 0x0c, 0x04, 0x96, 0x03, 0xdb, 0x36, 0xe0, 0x0b, 0x03, 0x04});
  std::string back;
  ASSERT_TRUE(decompress(frame, Dictionary::first, 1000, back));
  EXPECT_EQ(back, kAcknowledgement);
}

TEST(CompressionTest, says_no_when_nothing_is_saved) {
  std::string noise(1000, '\0');
  fill_random(noise.data(), noise.size());
  std::string into = "before";
  EXPECT_FALSE(compress(noise, into));
  EXPECT_EQ(into, "before");
}

}  // namespace
}  // namespace cannula::security
