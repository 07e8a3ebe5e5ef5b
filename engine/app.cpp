// The program `cannula`: all verbs, all transports, all codes.
#include <csignal>

#include "channels/file/error_codes.h"
#include "channels/file/file.h"
#include "channels/http/error_codes.h"
#include "channels/http/http.h"
#include "channels/mllp/error_codes.h"
#include "channels/mllp/mllp.h"
#include "channels/transport/error_codes.h"
#include "engine/cli/command_line.h"
#include "engine/cli/error_codes.h"
#include "engine/config/error_codes.h"
#include "engine/ops/error_codes.h"
#include "engine/pipeline/error_codes.h"
#include "engine/script/error_codes.h"
#include "engine/security/audit/error_codes.h"
#include "engine/security/error_codes.h"
#include "engine/security/keys/error_codes.h"
#include "engine/store/error_codes.h"
#include "engine/trial/error_codes.h"
#include "parsers/fhir/error_codes.h"
#include "parsers/hl7v2/error_codes.h"
#include "parsers/text/error_codes.h"
#include "parsers/tree/error_codes.h"
#include "rules/language/error_codes.h"
#include "rules/tables/error_codes.h"
#include "rules/units/error_codes.h"

int main(int argc, char** argv) {
  using namespace cannula;
  std::signal(SIGPIPE, SIG_IGN);
  cli::leave_no_core_dump();

  const cli::Verb verbs[] = {cli::new_verb(),
                             cli::check_verb(),
                             cli::test_verb(),
                             cli::try_verb(),
                             cli::run_verb(),
                             cli::status_verb(),
                             cli::reload_verb(),
                             cli::msg_list_verb(),
                             cli::msg_show_verb(),
                             cli::msg_edit_verb(),
                             cli::msg_resend_verb(),
                             cli::msg_discard_verb(),
                             cli::msg_dead_verb(),
                             cli::msg_replay_verb(),
                             cli::msg_replays_verb(),
                             cli::msg_replay_cancel_verb(),
                             cli::channel_pause_verb(),
                             cli::channel_resume_verb(),
                             cli::channel_discard_verb(),
                             cli::channel_acts_verb(),
                             cli::parse_verb(),
                             cli::path_verb(),
                             cli::diff_verb(),
                             cli::validate_verb(),
                             cli::send_verb(),
                             cli::listen_verb(),
                             cli::table_lookup_verb(),
                             cli::table_check_verb(),
                             cli::table_list_verb(),
                             cli::table_unmapped_verb(),
                             cli::rules_check_verb(),
                             cli::rules_test_verb(),
                             cli::rules_explain_verb(),
                             cli::store_stats_verb(),
                             cli::store_check_verb(),
                             cli::store_backup_verb(),
                             cli::store_restore_verb(),
                             cli::store_prune_verb(),
                             cli::store_hold_verb(),
                             cli::store_holds_verb(),
                             cli::store_release_verb(),
                             cli::keys_list_verb(),
                             cli::keys_begin_verb(),
                             cli::keys_rotate_verb(),
                             cli::keys_drop_old_verb(),
                             cli::keys_shred_verb(),
                             cli::audit_verify_verb(),
                             cli::audit_accept_verb(),
                             cli::audit_list_verb(),
                             cli::audit_export_verb(),
                             cli::lua_types_verb(),
                             cli::explain_verb(),
                             cli::version_verb(),
                             cli::reference_verb()};
  const Transport transports[] = {mllp::transport(), http::transport(), http::fhir_transport(),
                                  file::transport()};
  const std::span<const ErrorCode> error_codes[] = {
      hl7v2::error_codes(),    transport::error_codes(),    mllp::error_codes(),
      file::error_codes(),     config::error_codes(),       store::error_codes(),
      security::error_codes(), security::key_error_codes(), cli::error_codes(),
      pipeline::error_codes(), ops::error_codes(),          script::error_codes(),
      text::error_codes(),     trial::error_codes(),        tables::error_codes(),
      http::error_codes(),     rules::error_codes(),        units::error_codes(),
      tree::error_codes(),     fhir::error_codes(),         audit::error_codes(),
  };
  cli::Context context;
  context.transports = transports;
  context.error_codes = error_codes;
  return cli::run_command_line(argc, argv, verbs, context);
}
