#include "parsers/text/shell_word.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

TEST(ShellWord, PlainTextStaysAsItIs) {
  EXPECT_EQ(shell_word("/srv/sites/clinic-1.2_b"), "/srv/sites/clinic-1.2_b");
  EXPECT_EQ(shell_word("ina@lab"), "ina@lab");
}

TEST(ShellWord, WhatAShellWouldReadIsQuoted) {
  EXPECT_EQ(shell_word("/srv/my site"), "'/srv/my site'");
  EXPECT_EQ(shell_word("$(rm x);`y`"), "'$(rm x);`y`'");
  EXPECT_EQ(shell_word("O'Hara"), "'O'\\''Hara'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace cannula
