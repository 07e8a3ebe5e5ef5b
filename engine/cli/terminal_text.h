// visible(), for texts that others wrote.
#pragma once

#include "parsers/text/terminal_text.h"
