#include <fmt/format.h>
#include <picket/install/files.h>

#include "plan_parts.h"

namespace picket::install {

using data::Json;

Plan plan_prepare_os_upgrade(const HostState& state, const Json& record, Milliseconds lock_timeout, bool image) {
    Plan plan;
    plan.journal.verb = "os-upgrade prepare";
    plan.journal.recovery = Recovery::finish;
    add(plan, "os_upgrade.begin", "note that protection ends for an upgrade of the operating system",
        {{"record", record}});
    add_removal(plan, state, UninstallMode::keep_state, lock_timeout, image);
    plan.journal.verify_from = plan.journal.steps.size();
    add(plan, "os_upgrade.keep_installer", fmt::format("leave the installer as {}", files::kInstaller), Json::object());
    return plan;
}

void add_os_upgrade_resume(Plan& plan, const HostState& state, const Wishes& wishes) {
    const std::string from = data::string_or(state.os_upgrade, "from", "");
    add(plan, "os_upgrade.resume", "go on after the upgrade of the operating system",
        {{"distributions", from == wishes.distribution ? fmt::format("still {}", from)
                                                       : fmt::format("{} -> {}", from, wishes.distribution)}},
        false);
}

void add_os_upgrade_end(Plan& plan) {
    add(plan, "os_upgrade.end", "forget that the operating system was to be upgraded", Json::object());
}

} // namespace picket::install
