// Master keys in a token, with SoftHSM as the token: one made in a folder of the test's own.
#include "engine/security/keys/token_key.h"

#include <cstdlib>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include "engine/security/keys/key_ring.h"

namespace cannula::security {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";
constexpr const char* kPin = "87654321";

class TokenKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "cannula-token-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    if (!fs::exists(kModule)) GTEST_SKIP() << "SoftHSM is not installed (./dev packages)";
    fs::create_directories(folder_ / "tokens");
    fs::create_directories(folder_ / "store");
    std::ofstream(folder_ / "softhsm2.conf")
        << "directories.tokendir = " << (folder_ / "tokens").string() << "\n";
    ::setenv("SOFTHSM2_CONF", (folder_ / "softhsm2.conf").c_str(), 1);
    make_token("clinic");
    make_key("cannula", "01");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void shell(const std::string& command) {
    ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
  }
  static void make_token(const std::string& label) {
    shell("softhsm2-util --init-token --free --so-pin 12345678 --pin " + std::string(kPin) +
          " --label " + label);
  }
  static void make_key(const std::string& label, const std::string& id,
                       const std::string& more = "--key-type AES:32 --sensitive") {
    shell(
        fmt::format("pkcs11-tool --module {} --token-label clinic --login --pin {} --keygen "
                    "--label {} --id {} {}",
                    kModule, kPin, label, id, more));
  }

  static std::string address(const std::string& object, const std::string& token = "clinic") {
    return fmt::format("pkcs11:token={};object={}?module-path={}", token, object, kModule);
  }
  static PinSource pin(const std::string& text = kPin) {
    return [text]() -> Result<std::string> { return text; };
  }
  static MasterKeySource in_token(const std::string& address, PinSource pin_source = pin()) {
    auto uri = TokenUri::parse(address);
    if (!uri) throw std::runtime_error(uri.error().text());
    return master_key_in_token(std::make_shared<const TokenUri>(*std::move(uri)),
                               std::move(pin_source));
  }
  MasterKeySource in_file() const { return master_key_file(folder_ / "master.key", true); }
  KeyRing::Place place(MasterKeySource source) const {
    return {folder_ / "store", std::move(source)};
  }
  static MasterKeySource with_former(MasterKeySource source, MasterKeySource former) {
    source.former = {std::move(former)};
    return source;
  }

  std::unique_ptr<KeyRing> open(MasterKeySource source) const {
    auto ring = KeyRing::open(place(std::move(source)));
    if (!ring) throw std::runtime_error(ring.error().text());
    if ((*ring)->is_new()) {
      if (auto saved = (*ring)->save_new(); !saved) throw std::runtime_error(saved.error().text());
    }
    return *std::move(ring);
  }
  // Code, message and hint, which nothing secret may be in.
  static std::string text_of(const Error& error) {
    std::string text = error.code + " " + error.message + " " + error.hint;
    EXPECT_THAT(text, Not(HasSubstr(kPin)));
    return text;
  }
  std::string refusal(MasterKeySource source) const {
    const auto ring = KeyRing::open(place(std::move(source)));
    return ring ? "it opened" : text_of(ring.error());
  }
  std::string key_refusal(const std::string& address, PinSource pin_source = pin()) const {
    const auto keys = in_token(address, std::move(pin_source)).keys();
    return keys ? "it was found" : text_of(keys.error());
  }
  static std::uint32_t number(KeyRing& ring, const std::string& channel) {
    return (*ring.of_channel(channel))->number();
  }
  // Whether what `a` seals `b` opens.
  static bool same_key(KeyRing& a, KeyRing& b, const std::string& channel) {
    std::string text = "a text", tag(kTagSize, '\0');
    const std::string nonce(kNonceSize, 'n');
    const DataKey& first = **a.of_channel(channel);
    first.records().seal(nonce.data(), "", text.data(), text.size(), tag.data());
    const auto second = b.of_number(first.number());
    return second && (*second)->records().open(nonce.data(), "", text, tag.data(), text.data());
  }

  fs::path folder_;
};

TEST_F(TokenKeyTest, keys_wrapped_by_the_token_come_back_with_it_only) {
  const auto ring = open(in_token(address("cannula")));
  const auto lab = number(*ring, "lab");
  const auto again = open(in_token(address("cannula")));
  EXPECT_EQ(number(*again, "lab"), lab);
  EXPECT_TRUE(same_key(*ring, *again, "lab"));

  fs::rename(folder_ / "tokens", folder_ / "elsewhere");
  fs::create_directories(folder_ / "tokens");
  EXPECT_THAT(refusal(in_token(address("cannula"))),
              AllOf(HasSubstr("K112"), HasSubstr("pkcs11:token=clinic;object=cannula"),
                    HasSubstr("put it back")));
  make_token("clinic");  // of the same name, with a key of the same name, and another one
  make_key("cannula", "01");
  EXPECT_THAT(refusal(in_token(address("cannula"))), HasSubstr("K102"));
  EXPECT_THAT(refusal(in_file()), HasSubstr("K101"));

  fs::remove_all(folder_ / "tokens");
  fs::rename(folder_ / "elsewhere", folder_ / "tokens");
  EXPECT_TRUE(same_key(*ring, *open(in_token(address("cannula"))), "lab"));
}

TEST_F(TokenKeyTest, a_token_that_goes_away_disturbs_only_who_needs_a_new_key) {
  const auto ring = open(in_token(address("cannula")));
  const auto lab = number(*ring, "lab");
  fs::rename(folder_ / "tokens", folder_ / "elsewhere");
  fs::create_directories(folder_ / "tokens");
  EXPECT_EQ(number(*ring, "lab"), lab);
  const auto refused = ring->of_channel("adt");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "K112");
  fs::remove_all(folder_ / "tokens");
  fs::rename(folder_ / "elsewhere", folder_ / "tokens");
  EXPECT_TRUE(ring->of_channel("adt"));
}

TEST_F(TokenKeyTest, a_key_goes_from_a_file_into_a_token_and_back) {
  std::uint32_t lab = 0;
  const auto first = open(in_file());
  lab = number(*first, "lab");
  {  // named first, with the file as the former place: the start wraps anew
    const auto ring = open(with_former(in_token(address("cannula")), in_file()));
    EXPECT_EQ(number(*ring, "lab"), lab);
  }
  fs::rename(folder_ / "master.key", folder_ / "old.key");
  EXPECT_TRUE(same_key(*first, *open(in_token(address("cannula"))), "lab"));
  // A former place that is not needed any more may be gone.
  EXPECT_TRUE(same_key(*first, *open(with_former(in_token(address("cannula")), in_file())), "lab"));
  EXPECT_THAT(refusal(master_key_file(folder_ / "old.key", false)), HasSubstr("K102"));

  const auto rotated = KeyRing::rotate(
      place(with_former(master_key_file(folder_ / "old.key", false), in_token(address("cannula")))),
      false);
  ASSERT_TRUE(rotated) << rotated.error().text();
  EXPECT_EQ(rotated->keys, 2u);
  EXPECT_TRUE(same_key(*first, *open(master_key_file(folder_ / "old.key", false)), "lab"));
  EXPECT_THAT(refusal(in_token(address("cannula"))), HasSubstr("K102"));
}

TEST_F(TokenKeyTest, a_new_key_in_the_token_follows_an_old_one) {
  const auto first = open(in_token(address("cannula")));
  number(*first, "lab");
  const auto refused = KeyRing::rotate(place(in_token(address("cannula"))), true);
  ASSERT_FALSE(refused);
  EXPECT_THAT(text_of(refused.error()), AllOf(HasSubstr("K108"), HasSubstr("[keys] former")));
  EXPECT_EQ(KeyRing::drop_old(place(in_token(address("cannula")))).error().code, "K108");

  make_key("cannula-2", "02");
  const auto rotated = KeyRing::rotate(
      place(with_former(in_token(address("cannula-2")), in_token(address("cannula")))), false);
  ASSERT_TRUE(rotated) << rotated.error().text();
  EXPECT_NE(rotated->from, rotated->to);
  EXPECT_EQ(rotated->keys, 2u);
  EXPECT_TRUE(same_key(*first, *open(in_token(address("cannula-2"))), "lab"));
}

TEST_F(TokenKeyTest, a_line_that_was_changed_does_not_open) {
  number(*open(in_token(address("cannula"))), "lab");
  const auto keys = TokenUri::parse(address("cannula"));
  const auto key = token_key(*keys, pin());
  ASSERT_TRUE(key) << key.error().text();
  const KeyBytes secret = KeyBytes::random();
  const std::string wrapped = *(*key)->wrap(secret, "lab");
  EXPECT_TRUE(**(*key)->unwrap(wrapped, "lab") == secret);
  EXPECT_FALSE((*key)->unwrap(wrapped, "adt")->has_value());
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, wrapped.size() - 1}) {
    std::string changed = wrapped;
    changed[at] ^= 1;
    EXPECT_FALSE((*key)->unwrap(changed, "lab")->has_value()) << at;
  }
  EXPECT_FALSE((*key)->unwrap(wrapped.substr(1), "lab")->has_value());
  EXPECT_TRUE(**(*key)->unwrap(wrapped, "lab") == secret) << "and the session goes on";
  EXPECT_NE(*(*key)->wrap(secret, "lab"), wrapped) << "no nonce comes twice";
}

TEST_F(TokenKeyTest, what_is_wrong_is_said_with_what_to_do) {
  EXPECT_THAT(key_refusal(address("cannula"), pin("11111111")),
              AllOf(HasSubstr("K113"), HasSubstr("wrong"), Not(HasSubstr("11111111"))));
  EXPECT_THAT(key_refusal(address("cannula"), nullptr),
              AllOf(HasSubstr("K113"), HasSubstr("[keys]")));
  EXPECT_THAT(key_refusal(address("cannula"),
                          []() -> Result<std::string> {
                            return Error{"P122", "the secret file cannot be read", ""};
                          }),
              HasSubstr("P122"));
  EXPECT_THAT(key_refusal(address("nothing")), AllOf(HasSubstr("K115"), HasSubstr("has no key")));
  EXPECT_THAT(key_refusal(address("cannula", "elsewhere")), HasSubstr("K112"));
  EXPECT_THAT(key_refusal("pkcs11:object=cannula?module-path=/nowhere/module.so"),
              AllOf(HasSubstr("K111"), HasSubstr("/nowhere/module.so")));
  make_key("loose", "03", "--key-type AES:32 --extractable");
  EXPECT_THAT(key_refusal(address("loose")), AllOf(HasSubstr("K117"), HasSubstr("taken out")));
  make_key("short", "04", "--key-type AES:16 --sensitive");
  EXPECT_THAT(key_refusal(address("short")), AllOf(HasSubstr("K117"), HasSubstr("128 bits")));
  make_key("cannula", "05");
  EXPECT_THAT(key_refusal(address("cannula")),
              AllOf(HasSubstr("K115"), HasSubstr("more than one")));
  EXPECT_EQ(key_refusal(fmt::format("pkcs11:token=clinic;id=%05?module-path={}", kModule)),
            "it was found");
  make_token("second");
  EXPECT_THAT(key_refusal(fmt::format("pkcs11:object=cannula?module-path={}", kModule)),
              AllOf(HasSubstr("K112"), HasSubstr("2 tokens"), HasSubstr("second")));
}

TEST_F(TokenKeyTest, many_threads_use_it_at_once) {
  const auto ring = open(in_token(address("cannula")));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 3; ++round) {
        EXPECT_TRUE(ring->of_channel(fmt::format("channel-{}-{}", i, round)));
        const auto again = KeyRing::open(place(in_token(address("cannula"))));
        EXPECT_TRUE(again) << again.error().text();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto again = open(in_token(address("cannula")));
  EXPECT_TRUE(same_key(*ring, *again, "channel-3-2"));
}

// The tests below speak to SoftHSM through tests/unit/engine/security/keys/failing_token, which
// fails where CANNULA_TEST_TOKEN_FAILS says.
class FailingTokenTest : public TokenKeyTest {
 protected:
  void TearDown() override {
    fail("");
    TokenKeyTest::TearDown();
  }
  static void fail(const std::string& where) {
    ::setenv("CANNULA_TEST_TOKEN_FAILS", where.c_str(), 1);
  }
  static std::string failing_address() {
    return "pkcs11:token=clinic;object=cannula?module-path=" CANNULA_FAILING_TOKEN;
  }
};

TEST_F(FailingTokenTest, a_device_that_fails_is_not_taken_for_a_file_of_keys_that_was_changed) {
  number(*open(in_token(failing_address())), "lab");
  for (const std::string answer : {"CKR_GENERAL_ERROR", "CKR_FUNCTION_FAILED"}) {
    fail("C_Decrypt " + answer);
    EXPECT_THAT(refusal(in_token(failing_address())),
                AllOf(HasSubstr("K116"), Not(HasSubstr("backup"))));
  }
  fail("");
  open(in_token(failing_address()));

  std::ifstream file(folder_ / "store" / "keys");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t at = text.rfind("\"wrapped\": \"") + 12;
  text[at] = text[at] == '0' ? '1' : '0';
  std::ofstream(folder_ / "store" / "keys", std::ios::trunc) << text;
  EXPECT_THAT(refusal(in_token(failing_address())),
              AllOf(HasSubstr("K105"), HasSubstr("keep a copy"), HasSubstr("the token works")));
}

TEST_F(FailingTokenTest, slots_that_become_more_while_they_are_listed_are_listed_again) {
  fail("C_GetSlotList once");
  EXPECT_EQ(key_refusal(failing_address()), "it was found");
}

TEST_F(FailingTokenTest, why_the_tokens_cannot_be_listed_is_said) {
  for (const std::string function : {"C_GetSlotList", "C_GetTokenInfo"}) {
    fail(function + " CKR_DEVICE_ERROR");
    EXPECT_THAT(key_refusal(failing_address()),
                AllOf(HasSubstr("K112"), HasSubstr(function), HasSubstr("0x30")));
  }
  fail("C_GetSlotList always");
  EXPECT_THAT(key_refusal(failing_address()), AllOf(HasSubstr("K112"), HasSubstr("0x150")));
}

TEST(TokenError, tells_what_to_do_by_what_the_token_answers) {
  const auto code = [](unsigned long answer) {
    return token_error(answer, "sign in", "pkcs11:token=clinic").code;
  };
  EXPECT_EQ(code(CKR_PIN_INCORRECT), "K113");
  EXPECT_EQ(code(CKR_PIN_LOCKED), "K114");
  EXPECT_EQ(code(CKR_DEVICE_REMOVED), "K112");
  EXPECT_EQ(code(CKR_TOKEN_NOT_PRESENT), "K112");
  EXPECT_EQ(code(CKR_KEY_FUNCTION_NOT_PERMITTED), "K116");
  EXPECT_EQ(code(CKR_CRYPTOKI_NOT_INITIALIZED), "K116") << "in the child of a fork";
  EXPECT_THAT(token_error(CKR_PIN_LOCKED, "sign in", "pkcs11:token=clinic").hint,
              HasSubstr("security officer"));
}

TEST(TokenUriTest, reads_an_address_and_says_what_is_wrong_with_another) {
  const auto uri =
      TokenUri::parse("pkcs11:token=my%20clinic;object=cannula?pin-source=file:/etc/pin");
  ASSERT_TRUE(uri) << uri.error().text();
  EXPECT_EQ(uri->place(), "pkcs11:token=my%20clinic;object=cannula");
  EXPECT_EQ(uri->pin_source(), "file:/etc/pin");
  EXPECT_EQ(TokenUri::parse("pkcs11:object=a?pin-source=/etc/pin")->pin_source(), "file:/etc/pin");
  EXPECT_EQ(TokenUri::parse("pkcs11:object=a?pin-source=file:///etc/pin")->pin_source(),
            "file:/etc/pin");
  EXPECT_EQ(TokenUri::parse("pkcs11:object=a?pin-source=env:PIN")->pin_source(), "env:PIN");
  EXPECT_TRUE(TokenUri::parse("pkcs11:id=%01;type=secret-key"));

  EXPECT_EQ(TokenUri::parse("PKCS11:object=a")->place(), "pkcs11:object=a");
  EXPECT_TRUE(is_token_uri("PkCs11:"));
  EXPECT_FALSE(is_token_uri("pkcs11"));

  const auto wrong = [](const std::string& text) {
    const auto parsed = TokenUri::parse(text);
    return parsed ? "it was taken" : parsed.error().code + " " + parsed.error().message;
  };
  EXPECT_THAT(wrong("pkcs11:object=a?pin-value=4711"),
              AllOf(HasSubstr("K110"), HasSubstr("PIN itself"), Not(HasSubstr("4711"))));
  EXPECT_THAT(wrong("PKCS11:object=a?PIN-VALUE=4711"), Not(HasSubstr("4711")));
  EXPECT_THAT(wrong("PKCS11:object=a?pin-value=4711"), HasSubstr("PIN itself"));
  EXPECT_THAT(wrong("pkcs11:token=clinic"), HasSubstr("names no key"));
  EXPECT_THAT(wrong("pkcs11:object=a;type=private"), HasSubstr("secret-key"));
  EXPECT_THAT(wrong("pkcs11:object=a;colour=red"), HasSubstr("not known"));
  EXPECT_THAT(wrong("pkcs11:object=a?module-path=softhsm.so"), HasSubstr("whole path"));
  EXPECT_THAT(wrong("pkcs11:object=a?pin-source=|cat"), HasSubstr("pin-source"));
  EXPECT_THAT(wrong("pkcs11:object=%zz"), HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace cannula::security
