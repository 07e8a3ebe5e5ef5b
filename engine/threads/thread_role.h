// The name of a thread, and how much it minds to wait for a processor.
//
// On a busy machine the system lets whoever runs go on for a millisecond or more before another
// one has its turn. A message passes from thread to thread half a dozen times, so these add up
// (docs/explanation/performance.md has figures).
#pragma once

#include <string>

namespace cannula {

enum class ThreadRole {
  answering,  // short and often, and somebody waits for it: has its turn soon
  working,    // as the system has it
  following,  // long, seldom waited for, but must keep up: the share of others, interrupting none
  yielding,   // long, and what it does can wait: a tenth of the share of others
};

// For the calling thread, at its begin. `name` has at most 15 bytes. What the system does not know
// (short turns: Linux before 6.12) or forbids stays as it is. No privilege is needed.
void begin_thread(const std::string& name, ThreadRole role);

}  // namespace cannula
