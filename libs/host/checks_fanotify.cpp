#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "checks.h"
#include "kernel_config.h"
#include <picket/host/fanotify_users.h>

namespace picket::host {
namespace {

constexpr const char* kOtherKernel =
    "boot a kernel that is built with it (every distribution of the support matrix has one)";

struct StageText {
    ProbeStage stage;
    const char* what;
};
constexpr std::array<StageText, 8> kStages{{
    {ProbeStage::start, "the test process could not be started"},
    {ProbeStage::init, "fanotify_init is refused"},
    {ProbeStage::namespace_, "no private mount namespace for the test"},
    {ProbeStage::mount, "no private tmpfs for the test"},
    {ProbeStage::mark, "a permission mark is refused"},
    {ProbeStage::event, "no permission event arrived"},
    {ProbeStage::deny, "an open was let through although it was denied"},
    {ProbeStage::allow, "an open failed although it was allowed"},
}};

std::string describe(const ProbeReport& report) {
    std::string text = "the permission mark works";
    for (const StageText& row : kStages)
        if (row.stage == report.reached)
            text = row.what;
    return report.error == 0 ? text : fmt::format("{}: {}", text, std::strerror(report.error));
}

bool passed(const ProbeReport& report, ProbeStage stage) {
    return static_cast<int>(report.reached) > static_cast<int>(stage);
}

/// What the probe says about a part of the kernel: it is there, it is not, or nothing.
enum class Presence { unknown, missing, present };

Presence fanotify_presence(const ProbeReport& report) {
    if (passed(report, ProbeStage::init))
        return Presence::present;
    if (report.reached != ProbeStage::init)
        return Presence::unknown;
    // EPERM is said by a kernel that has it, to somebody who is not root.
    return report.error == ENOSYS ? Presence::missing : Presence::unknown;
}

Presence permission_presence(const ProbeReport& report) {
    if (fanotify_presence(report) == Presence::missing ||
        (report.reached == ProbeStage::mark && report.error == EINVAL))
        return Presence::missing;
    return passed(report, ProbeStage::mark) ? Presence::present : Presence::unknown;
}

/// A config file may belong to another build of the kernel; what the kernel really does outweighs it.
Answer check_option(const CheckContext& context, const char* option, Presence presence) {
    const auto config = read_kernel_config(context.root(), context.facts.kernel_release);
    const std::string required = fmt::format("{}=y", option);
    if (presence == Presence::missing)
        return {CheckStatus::fail, "the running kernel does not have it", required, kOtherKernel};
    if (!config)
        return presence == Presence::present
                   ? Answer{CheckStatus::skip, config.error().message() + "; the kernel answers, which is proof enough",
                            required}
                   : Answer{CheckStatus::warn, config.error().message(), required,
                            "look at fanotify.usable, run as root"};
    if (config->is_enabled(option))
        return {CheckStatus::pass, fmt::format("{} ({})", required, config->source), required};
    if (presence == Presence::present)
        return {CheckStatus::warn, fmt::format("{} does not have it, but the running kernel does", config->source),
                required, "the config file is not the running kernel's"};
    return {CheckStatus::fail, fmt::format("not set in {}", config->source), required, kOtherKernel};
}

std::string list_users(const std::vector<FanotifyUser>& users) {
    constexpr std::size_t kNamed = 5;
    std::string text;
    for (std::size_t i = 0; i < users.size() && i < kNamed; ++i)
        text += (i == 0 ? "" : "; ") + users[i].describe();
    return users.size() <= kNamed ? text : fmt::format("{}; and {} more processes", text, users.size() - kNamed);
}

} // namespace

Answer check_fanotify_compiled(const CheckContext& context) {
    if (!context.live || context.probe == nullptr)
        return skip_offline();
    return check_option(context, "CONFIG_FANOTIFY", fanotify_presence(context.probe->report()));
}

Answer check_fanotify_permission_events(const CheckContext& context) {
    if (!context.live || context.probe == nullptr)
        return skip_offline();
    return check_option(context, "CONFIG_FANOTIFY_ACCESS_PERMISSIONS", permission_presence(context.probe->report()));
}

Answer check_fanotify_usable(const CheckContext& context) {
    if (!context.live || context.probe == nullptr)
        return skip_offline();
    if (context.euid != 0)
        return skip("needs root");
    const std::string required = "an open on a private tmpfs is denied, then allowed";
    const ProbeReport& report = context.probe->report();
    const std::string observed = describe(report);
    switch (report.reached) {
    case ProbeStage::works:
        return {CheckStatus::pass, observed, required};
    case ProbeStage::start:
    case ProbeStage::namespace_:
    case ProbeStage::mount:
        // fanotify itself said yes; only the place to try it in was not to be had.
        return {CheckStatus::warn, observed, required, "picketd will show whether it works"};
    case ProbeStage::init:
        return {CheckStatus::fail, observed, required,
                context.facts.container.empty() ? kOtherKernel : "a container needs the capability SYS_ADMIN for it"};
    default:
        break;
    }
    return {CheckStatus::fail, observed, required, kOtherKernel};
}

Answer check_fanotify_conflict(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    if (context.euid != 0)
        return skip("needs root: the descriptors of other users' processes cannot be seen");
    const std::string required = "no other product answers permission events";
    const auto found = find_fanotify_users(context.root(), context.mounts);
    if (!found)
        return {CheckStatus::warn, found.error().message(), required, "mount /proc"};
    if (!found->users.empty())
        return {CheckStatus::fail, list_users(found->users), required,
                "stop and remove that product (two scanners that answer the same open slow or block each other), or "
                "--accept "
                "fanotify.conflict"};
    if (found->unreadable > 0)
        return {CheckStatus::warn, fmt::format("none seen, but {} processes could not be looked at", found->unreadable),
                required, "a security module hides them"};
    return {CheckStatus::pass, "none", required};
}

} // namespace picket::host
