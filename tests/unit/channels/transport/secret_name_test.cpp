#include "channels/transport/secret_name.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

TEST(SecretName, KnowsWhatIsToLogInWith) {
  for (const char* name :
       {"Authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "X-Auth-Token",
        "client_secret", "apikey", "Ocp-Apim-Subscription-Key", "sig", "X-Amz-Signature",
        "webhook-signature", "key", "Pwd", "passwd", "jwt", "X-Auth", "jsessionid"}) {
    EXPECT_TRUE(is_secret_name(name)) << name;
  }
  for (const char* name : {"content-type", "host", "author", "keep-alive", "idempotency-key",
                           "design", "monkey", "code", "x-author"}) {
    EXPECT_FALSE(is_secret_name(name)) << name;
  }
}

TEST(SecretName, FindsTheParameterOfAUrlThatIsToLogInWith) {
  EXPECT_EQ(secret_parameter_of("https://ehr.example/in?v=1&sig=x&key=y"), "sig");
  EXPECT_EQ(secret_parameter_of("url = \"https://ehr.example/?access_token=x\""), "access_token");
  for (const char* url : {"https://ehr.example/key=1", "https://ehr.example/?code=1&", "", "?"}) {
    EXPECT_EQ(secret_parameter_of(url), "") << url;
  }
}

}  // namespace
}  // namespace cannula
