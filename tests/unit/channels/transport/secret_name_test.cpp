#include "channels/transport/secret_name.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

TEST(SecretName, KnowsWhatIsToLogInWith) {
  for (const char* name :
       {"Authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "X-Auth-Token",
        "client_secret", "apikey", "Ocp-Apim-Subscription-Key"}) {
    EXPECT_TRUE(is_secret_name(name)) << name;
  }
  for (const char* name : {"content-type", "host", "webhook-signature", "author", "keep-alive"}) {
    EXPECT_FALSE(is_secret_name(name)) << name;
  }
}

}  // namespace
}  // namespace cannula
