#include <array>
#include <optional>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/host/package_manager.h>
#include <picket/model/paths.h>
#include <picket/sys/packages.h>

#include "checks.h"
#include "root_links.h"

namespace picket::host {
namespace {

constexpr std::array<const char*, 5> kPrograms{"/usr/sbin/picketd", "/usr/bin/picket",
                                               "/usr/libexec/picket/picket-engine", "/usr/libexec/picket/picket-guard",
                                               "/usr/libexec/picket/picket-remedy"};
constexpr const char* kPackage = "picket";
constexpr const char* kReceipt = "/var/lib/picket/install/receipt.json";
constexpr const char* kConfigure = "run: dpkg --configure -a; then: apt-get -f install";

Answer dpkg_answer(const DpkgReport& report) {
    const std::string required = "no half-installed or half-configured package";
    if (report.interrupted)
        return {CheckStatus::fail, "dpkg was interrupted (/var/lib/dpkg/updates is not empty)", required,
                "run: dpkg --configure -a"};
    if (report.broken_count == 0)
        return {CheckStatus::pass, "dpkg is in order", required};
    std::string observed = join(report.broken, ", ");
    if (report.broken_count > report.broken.size())
        observed += fmt::format(" and {} more", report.broken_count - report.broken.size());
    return {CheckStatus::fail, observed, required, kConfigure};
}

/// yum leaves these behind where it was killed in the middle.
bool has_unfinished_yum_transaction(const sys::Root& root) {
    const auto names = root.list("/var/lib/yum");
    if (!names)
        return false;
    for (const std::string& name : *names)
        if (name.rfind("transaction-all.", 0) == 0)
            return true;
    return false;
}

/// What rpm says of our package. Nothing where it cannot be asked: it is not there, or we may not enter its tree.
std::optional<Result<sys::PackageState>> ask_rpm(const CheckContext& context) {
    const sys::Root& root = context.root();
    if (context.facts.family != PackageFamily::rpm || !root.exists("/usr/bin/rpm") ||
        (context.euid != 0 && !root.is_running_host()))
        return std::nullopt;
    const auto rpm = sys::package_manager_of(root, sys::PackageSystem::rpm);
    return rpm ? (*rpm)->state(kPackage) : Result<sys::PackageState>(rpm.error());
}

PackageState state_of(sys::PackageStatus status) {
    switch (status) {
    case sys::PackageStatus::installed:
        return PackageState::installed;
    case sys::PackageStatus::broken:
        return PackageState::broken;
    case sys::PackageStatus::absent:
    case sys::PackageStatus::config_files:
        break;
    }
    return PackageState::absent;
}

Answer rpm_answer(const CheckContext& context) {
    const sys::Root& root = context.root();
    const std::string required = "a readable package database, and no unfinished transaction";
    if (!sys::has_rpm_database(root))
        return {CheckStatus::fail, "there is no rpm database", required, "run: rpm --initdb (or restore /var/lib/rpm)"};
    if (has_unfinished_yum_transaction(root))
        return {CheckStatus::warn, "yum was interrupted (/var/lib/yum/transaction-all.*)", required,
                "run: yum-complete-transaction"};
    if (const auto asked = ask_rpm(context); asked && !*asked)
        return {CheckStatus::fail, asked->error().message(), required, "run: rpm --rebuilddb"};
    return {CheckStatus::pass, "rpm is in order", required};
}

} // namespace

Answer check_package_manager_idle(const CheckContext& context) {
    if (context.euid != 0)
        return skip("needs root: the lock files cannot be opened");
    const auto holder = wait_for_package_manager(context.root(), context.options.lock_timeout, context.options.waiting);
    const std::string required = "no other package operation runs";
    if (!holder)
        return {CheckStatus::pass, "idle", required};
    return {CheckStatus::fail, holder->describe(), required, "wait until it ends, or give a longer --lock-timeout"};
}

Answer check_package_manager_consistent(const CheckContext& context) {
    switch (context.facts.family) {
    case PackageFamily::rpm:
        return rpm_answer(context);
    case PackageFamily::unknown:
        return skip("neither dpkg nor rpm is here");
    case PackageFamily::deb:
        break;
    }
    const auto report = read_dpkg_state(context.root());
    if (!report)
        return {CheckStatus::fail, report.error().message(), "a readable dpkg database",
                "restore /var/lib/dpkg/status (status-old)"};
    return dpkg_answer(*report);
}

Answer check_product_installed(const CheckContext& context) {
    std::vector<std::string> missing;
    for (const char* program : kPrograms)
        if (!resolve_in_root(context.root(), program))
            missing.emplace_back(program);
    const bool receipt = context.root().exists(kReceipt);
    const auto dpkg = context.facts.family == PackageFamily::deb ? read_dpkg_state(context.root())
                                                                 : Result<DpkgReport>(Error(ErrorCode::not_found, ""));
    const auto rpm = ask_rpm(context);
    PackageState package = dpkg ? dpkg->picket : PackageState::absent;
    if (rpm && *rpm)
        package = state_of((*rpm)->status);
    const std::string required = "not installed, or installed as a whole";
    const std::string fix = "run: picket-installer install (it repairs), or picket-installer uninstall";
    const bool expected = receipt || package != PackageState::absent || missing.size() < kPrograms.size();
    if (!expected)
        return {CheckStatus::pass, "not installed", required};
    if (package == PackageState::absent && context.root().exists(paths::kOsUpgrade))
        return {CheckStatus::pass, "taken out for an upgrade of the operating system", required};
    if (package == PackageState::broken)
        return {CheckStatus::fail,
                rpm && *rpm ? fmt::format("the package picket is broken: {}", (*rpm)->detail)
                            : "the package picket is half installed",
                required, fix};
    if (!missing.empty())
        return {CheckStatus::fail, fmt::format("installed, but {} missing", join(missing, ", ")), required, fix};
    return {CheckStatus::pass, "installed", required};
}

} // namespace picket::host
