#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/sys/kernel.h>

#include "checks.h"
#include "root_links.h"

namespace picket::host {
namespace {

constexpr Bytes kSmallFile = kibibytes(4);
constexpr std::string_view kArchitecture = "x86_64";

// What is told as "1 GiB" is less to the kernel, which keeps some for itself and for firmware: an eighth is allowed
// for.
constexpr Bytes kMinimumMemory = mebibytes(448);
constexpr Bytes kGoodMemory = mebibytes(896);

constexpr auto kClockSlack = std::chrono::hours(24);
constexpr auto kClockFuture = std::chrono::hours(24 * 365 * 10);

std::string read_trimmed(const sys::Root& root, std::string_view path) {
    const auto text = root.read(path, kSmallFile);
    return text ? escape_for_display(trim(*text)) : std::string();
}

/// "MemTotal:       24684032 kB"
std::optional<Bytes> total_memory(const sys::Root& root) {
    const auto text = root.read("/proc/meminfo", kibibytes(64));
    if (!text)
        return std::nullopt;
    for (const std::string_view line : split(*text, '\n')) {
        constexpr std::string_view kKey = "MemTotal:";
        if (line.rfind(kKey, 0) != 0)
            continue;
        const std::string_view rest = trim(line.substr(kKey.size()));
        const auto number = parse_unsigned(rest.substr(0, rest.find(' ')));
        return number ? std::optional(kibibytes(*number)) : std::nullopt;
    }
    return std::nullopt;
}

std::string selinux_state(const sys::Root& root) {
    const std::string enforcing = read_trimmed(root, "/sys/fs/selinux/enforce");
    if (enforcing.empty())
        return {};
    return enforcing == "1" ? "SELinux enforcing" : "SELinux permissive";
}

/// The word in brackets of "[none] integrity confidentiality".
std::string lockdown_state(const sys::Root& root) {
    const std::string text = read_trimmed(root, "/sys/kernel/security/lockdown");
    const std::size_t open = text.find('[');
    const std::size_t close = text.find(']');
    return open == std::string::npos || close == std::string::npos || close < open
               ? ""
               : text.substr(open + 1, close - open - 1);
}

std::string secure_boot_state(const sys::Root& root) {
    if (!root.exists("/sys/firmware/efi"))
        return "no UEFI";
    // Four bytes of attributes, then the value.
    const auto variable =
        root.read("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", kSmallFile);
    if (!variable || variable->size() < 5)
        return "UEFI, secure boot unknown";
    return (*variable)[4] == 1 ? "UEFI, secure boot on" : "UEFI, secure boot off";
}

} // namespace

Answer check_root(const CheckContext& context) {
    const bool root = context.euid == 0;
    return {root ? CheckStatus::pass : CheckStatus::fail, root ? "root" : fmt::format("user id {}", context.euid),
            "root", root ? "" : "run it again with sudo"};
}

Answer check_architecture(const CheckContext& context) {
    const std::string& found = context.facts.architecture;
    if (found.empty())
        return skip("no program in the image tells its architecture");
    const bool fits = found == kArchitecture;
    return {fits ? CheckStatus::pass : CheckStatus::fail, found, std::string(kArchitecture),
            fits ? "" : fmt::format("this build is for {} hosts", kArchitecture)};
}

Answer check_distro(const CheckContext& context) {
    const DistroVerdict& verdict = context.facts.distro;
    switch (verdict.status) {
    case DistroStatus::supported:
        return {CheckStatus::pass, verdict.observed, verdict.required};
    case DistroStatus::uncertain:
        return {CheckStatus::warn, verdict.observed, verdict.required, verdict.reason};
    case DistroStatus::too_old:
        return {CheckStatus::fail, verdict.observed, verdict.required, verdict.reason,
                InstallerExit::unsupported_version};
    case DistroStatus::unsupported:
        break;
    }
    return {CheckStatus::fail, verdict.observed, verdict.required, verdict.reason, InstallerExit::unsupported_distro};
}

Answer check_kernel(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    const std::string required = fmt::format("{} or later", sys::kMinimumKernel);
    const auto release = sys::parse_kernel_release(context.facts.kernel_release);
    if (!release)
        return {CheckStatus::fail, release.error().message(), required, "boot a kernel of the distribution"};
    const bool fits = sys::meets_minimum_kernel(*release);
    return {fits ? CheckStatus::pass : CheckStatus::fail, release->text, required,
            fits ? "" : "update the kernel with the package manager and boot it"};
}

Answer check_memory(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    const std::string required = "1 GiB (512 MiB at the least)";
    const auto total = total_memory(context.root());
    if (!total)
        return {CheckStatus::warn, "/proc/meminfo cannot be read", required, "mount /proc"};
    if (*total < kMinimumMemory)
        return {CheckStatus::fail, to_human(*total), required, "give the host more memory"};
    if (*total < kGoodMemory)
        return {CheckStatus::warn, to_human(*total), required,
                "definitions are then reloaded one after the other, and scans wait meanwhile"};
    return {CheckStatus::pass, to_human(*total), required};
}

Answer check_clock(const CheckContext& context) {
    const WallTime now = context.options.clock.wall();
    const WallTime built = build::built_at();
    const std::string required = fmt::format("later than {}", to_rfc3339(built - kClockSlack));
    const std::string fix = "set the clock (timedatectl set-ntp true)";
    if (now < built - kClockSlack)
        return {CheckStatus::fail, fmt::format("{}, which is before this program was built", to_rfc3339(now)), required,
                fix};
    if (now > built + kClockFuture)
        return {CheckStatus::fail, fmt::format("{}, which is years after this program was built", to_rfc3339(now)),
                required, fix};
    return {CheckStatus::pass, to_rfc3339(now), required};
}

Answer check_service_manager(const CheckContext& context) {
    const HostFacts& facts = context.facts;
    const std::string name = facts.systemd_version.empty() ? "systemd" : "systemd " + facts.systemd_version;
    if (facts.systemd_running || (!context.live && facts.systemd_present))
        return {CheckStatus::pass, name, "systemd"};
    return {
        CheckStatus::warn, facts.systemd_present ? name + " is installed but does not run" : "no systemd", "systemd",
        "Picket's own picket-supervisor runs the services; have \"picket-supervisor --background\" started at boot"};
}

Answer check_security_module(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    std::string active = selinux_state(context.root());
    if (read_trimmed(context.root(), "/sys/module/apparmor/parameters/enabled") == "Y")
        active += active.empty() ? "AppArmor" : ", AppArmor";
    return {CheckStatus::pass, active.empty() ? "neither SELinux nor AppArmor is active" : active};
}

Answer check_secure_boot(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    const std::string lockdown = lockdown_state(context.root());
    return {CheckStatus::pass, secure_boot_state(context.root()) + (lockdown.empty() ? "" : ", lockdown " + lockdown)};
}

Answer check_container(const CheckContext& context) {
    if (!context.live)
        return skip_offline();
    if (context.facts.container.empty())
        return {CheckStatus::pass, "no container"};
    return {CheckStatus::warn, context.facts.container, "a host or a virtual machine",
            "in a container Picket sees what the container sees, no more; protect the host where that matters"};
}

} // namespace picket::host
