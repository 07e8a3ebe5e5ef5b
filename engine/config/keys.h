// The keys of the site's files that are the same for every transport. load_site() reads by these
// tables and reference_page() prints them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "channels/transport/options.h"

namespace cannula::config {

std::span<const Option> site_options();   // site.toml
std::span<const Option> store_options();  // [store]
std::span<const Option> keys_options();
std::span<const Option> admin_options();           // [admin]
std::span<const Option> audit_options();           // [audit]
std::span<const Option> engine_options();          // [engine]
std::span<const Option> site_retention_options();  // [retention] of site.toml
std::span<const Option> retention_options();       // [retention] of a channel
std::span<const Option> partner_options();         // partners/NAME.toml
std::span<const Option> agreement_options();       // [agreement]
std::span<const Option> channel_options();         // channels/NAME/channel.toml
std::span<const Option> script_options();          // [script]
std::span<const Option> source_options();          // [source], before what its type adds
std::span<const Option> validate_options();        // [validate]
std::span<const Option> order_options();           // [order]
std::span<const Option> destination_options();     // [[destination]], before what its type adds
std::span<const Option> retry_options();           // [destination.retry]
std::span<const Option> table_options();           // tables/NAME.table.toml

}  // namespace cannula::config
