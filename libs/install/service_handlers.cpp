#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/files.h>

#include "handlers.h"

namespace picket::install {
namespace {

using data::Json;

constexpr Milliseconds kStartTimeout{90'000};
/// Longer than each unit's own TimeoutStopSec, after which systemd kills.
constexpr Milliseconds kStopTimeout{30'000};
constexpr Milliseconds kHealthInterval{100};
/// So long what is amiss may come right by itself: the first canaries, the first probe of the engine.
constexpr Milliseconds kProtectsIsEnough{6000};
constexpr Milliseconds kLoadingMayTake{240'000}; ///< beyond the step's own timeout

std::vector<std::string> units_of(const Step& step) {
    return data::strings_of(data::member(step.parameters, "units"));
}

Result<Json> prepare_units(const HandlerContext& context, const Step& step) {
    Json active = Json::array();
    Json enabled = Json::array();
    for (const sys::UnitStatus& unit : PICKET_TRY(context.ports.services.status(units_of(step)))) {
        if (unit.active)
            active.push_back(unit.unit);
        if (unit.enabled)
            enabled.push_back(unit.unit);
    }
    return Json{{"active", active}, {"enabled", enabled}};
}

/// Those of `names` that the service manager knows now: after the package is gone there is nothing to start.
std::vector<std::string> known_of(const HandlerContext& context, const std::vector<std::string>& names) {
    std::vector<std::string> known;
    for (const sys::UnitStatus& unit : context.ports.services.status(names).value_or(std::vector<sys::UnitStatus>{}))
        if (unit.known)
            known.push_back(unit.unit);
    return known;
}

std::vector<std::string> missing_from(const std::vector<std::string>& all, const std::vector<std::string>& some) {
    std::vector<std::string> missing;
    for (const std::string& name : all)
        if (std::find(some.begin(), some.end(), name) == some.end())
            missing.push_back(name);
    return missing;
}

StepOutcome apply_enable(const HandlerContext& context, const Step& step, const Json&) {
    return outcome_of(context.ports.services.enable(units_of(step)), InstallerExit::installation_failed,
                      std::string(context.ports.services.name()));
}
Result<void> undo_enable(const HandlerContext& context, const Step& step, const Json& record) {
    const auto added =
        known_of(context, missing_from(units_of(step), data::strings_of(data::member(record, "enabled"))));
    return added.empty() ? Result<void>() : context.ports.services.disable(added);
}

StepOutcome apply_start(const HandlerContext& context, const Step& step, const Json&) {
    return outcome_of(context.ports.services.start(units_of(step), kStartTimeout), InstallerExit::installation_failed,
                      "", "Everything was undone. journalctl -u picketd -u picket-engine says why they did not start.");
}
Result<void> undo_start(const HandlerContext& context, const Step& step, const Json& record) {
    const auto added = missing_from(units_of(step), data::strings_of(data::member(record, "active")));
    return added.empty() ? Result<void>() : context.ports.services.stop(added, kStopTimeout);
}

StepOutcome apply_stop(const HandlerContext& context, const Step& step, const Json&) {
    return outcome_of(context.ports.services.stop(units_of(step), kStopTimeout), InstallerExit::uninstallation_failed);
}
Result<void> undo_stop(const HandlerContext& context, const Step&, const Json& record) {
    const auto again = known_of(context, data::strings_of(data::member(record, "active")));
    return again.empty() ? Result<void>() : context.ports.services.start(again, kStartTimeout);
}

StepOutcome apply_disable(const HandlerContext& context, const Step& step, const Json&) {
    const auto known = known_of(context, units_of(step));
    return known.empty() ? StepOutcome{}
                         : outcome_of(context.ports.services.disable(known), InstallerExit::uninstallation_failed);
}
Result<void> undo_disable(const HandlerContext& context, const Step&, const Json& record) {
    const auto again = known_of(context, data::strings_of(data::member(record, "enabled")));
    return again.empty() ? Result<void>() : context.ports.services.enable(again);
}

// ---- health.wait

bool protects(const Json& health) {
    if (data::string_or(health, "engine_status", "") != "ready")
        return false;
    return !data::bool_or(health, "real_time_protection_enabled", true) ||
           data::bool_or(health, "real_time_protection_active", false);
}

std::string issues_of(const Json& health) {
    std::vector<std::string> issues;
    for (const Json& issue : data::member(health, "health_issues"))
        issues.push_back(escape_for_display(data::string_or(issue, "message", data::string_or(issue, "name", "?"))));
    return issues.empty() ? "unhealthy" : join(issues, "; ");
}

/// Health of the version that is wanted ("" = any): an old one that still runs proves nothing.
Result<Json> answer_of(const HandlerContext& context, const std::string& version) {
    auto health = context.ports.daemon.health();
    if (!health || version.empty())
        return health;
    const std::string running = data::string_or(*health, "app_version", "");
    if (running != version)
        return Error(ErrorCode::unavailable,
                     fmt::format("version {} answers, not {}", escape_for_display(running), version));
    return health;
}

/// Millions of signatures take their time: that is no failure.
bool loads(const Result<Json>& health) {
    return health && data::string_or(*health, "engine_status", "") == "loading";
}

/// Where there is no way back the new version stays as it is, and the run says so.
StepOutcome unhealthy(const Step& step, const std::string& why) {
    const std::string message = "not healthy: " + why;
    if (!data::bool_or(step.parameters, "goes_back", true))
        return {.failure = Failure{InstallerExit::self_test_failed, message, ""}, .keep = true};
    return {.failure = Failure{InstallerExit::installation_failed, message,
                               "Everything was undone. journalctl -u picketd -u picket-engine says more."}};
}

/// Healthy is good at once. A host that protects is good a while later, and what is amiss is said: an unmarkable mount
/// must not make a host uninstallable, nor each install of a fleet last the whole timeout. The self-test that follows
/// is the proof.
StepOutcome apply_health(const HandlerContext& context, const Step& step, const Json&) {
    const auto deadline =
        context.ports.clock.monotonic() + Milliseconds(data::integer_or(step.parameters, "timeout_ms", 30'000));
    const std::string version = data::string_or(step.parameters, "version", "");
    std::optional<MonotonicTime> protects_since;
    for (;;) {
        const auto health = answer_of(context, version);
        if (health && data::bool_or(*health, "healthy", false))
            return {.detail = "healthy"};
        if (context.stop.load())
            return {.failure = Failure{InstallerExit::interrupted, "stopped by a signal", ""}};
        const auto now = context.ports.clock.monotonic();
        if (!health || !protects(*health))
            protects_since.reset();
        else if (!protects_since)
            protects_since = now;
        if (protects_since && (now - *protects_since >= kProtectsIsEnough || now >= deadline))
            return {.detail = "protects, but: " + issues_of(*health)};
        if (now < (loads(health) ? deadline + kLoadingMayTake : deadline)) {
            context.ports.daemon.pause(kHealthInterval);
            continue;
        }
        return unhealthy(step, health ? issues_of(*health) : health.error().message());
    }
}

// ---- selftest.run

StepOutcome apply_self_test(const HandlerContext& context, const Step& step, const Json&) {
    const auto result = context.ports.daemon.self_test();
    if (result && result->passed) {
        (void)context.ports.root.remove(files::kUnproved);
        return {.detail = result->detail};
    }
    const std::string reason = "the self-test failed: " + (result ? result->detail : result.error().message());
    if (data::bool_or(step.parameters, "goes_back", false))
        return {.failure = Failure{InstallerExit::installation_failed, reason, ""}};
    // Without the mark the next install would find nothing to do. A disk that has no room for it is told by health.
    (void)context.ports.root.write_atomically(files::kUnproved, "", 0600);
    return {.failure = Failure{InstallerExit::self_test_failed, reason, ""}, .keep = true};
}

constexpr std::array kServiceHandlers{
    Handler{"services.enable", prepare_units, apply_enable, undo_enable},
    Handler{"services.start", prepare_units, apply_start, undo_start},
    Handler{"services.stop", prepare_units, apply_stop, undo_stop},
    Handler{"services.disable", prepare_units, apply_disable, undo_disable},
    Handler{"health.wait", prepare_nothing, apply_health, undo_nothing},
    Handler{"selftest.run", prepare_nothing, apply_self_test, undo_nothing},
};

} // namespace

std::span<const Handler> service_handlers() {
    return kServiceHandlers;
}

} // namespace picket::install
