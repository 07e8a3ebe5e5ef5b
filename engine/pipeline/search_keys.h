// What a message can be found by without anybody being able to read it in the index.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/store.h"
#include "parsers/hl7v2/message.h"

namespace cannula::pipeline {

// Keyed hashes of the patient's numbers (PID-3.1, each repetition), the name (PID-5.1, and with the
// given name PID-5.2), and the accession or filler numbers (OBR-3.1, OBR-18, ORC-3.1). At most a
// few dozen.
std::vector<std::uint64_t> search_keys_of(const hl7v2::Message& message, const store::Store& store);

// The hash of what a person typed. Case of ASCII letters, blanks around, and whether family and
// given name are parted by a comma or `^` make no difference.
std::uint64_t search_key_of(std::string_view kind, std::string_view text,
                            const store::Store& store);

}  // namespace cannula::pipeline
