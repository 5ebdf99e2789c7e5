#include <algorithm>
#include <array>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/base/text.h>
#include <picket/host/check.h>

#include "checks.h"

namespace picket::host {
namespace {

/// nullptr: only the caller can answer it.
using CheckFunction = Answer (*)(const CheckContext&);

struct CheckRow {
    std::string_view id;
    CheckFunction function;
    Severity severity;
    bool waivable;
    InstallerExit exit_code;
};

constexpr auto kBlocking = Severity::blocking;
constexpr auto kAdvisory = Severity::advisory;
constexpr auto kRequirement = InstallerExit::requirement_not_met;
constexpr std::array<CheckRow, 28> kChecks{{
    {"system.root", check_root, kBlocking, false, InstallerExit::not_root},
    {"system.architecture", check_architecture, kBlocking, false, kRequirement},
    {"distro.supported", check_distro, kBlocking, true, InstallerExit::unsupported_distro},
    {"kernel.version", check_kernel, kBlocking, true, kRequirement},
    {"fanotify.compiled", check_fanotify_compiled, kBlocking, true, kRequirement},
    {"fanotify.permission_events", check_fanotify_permission_events, kBlocking, true, kRequirement},
    {"fanotify.usable", check_fanotify_usable, kBlocking, true, kRequirement},
    {"fanotify.conflict", check_fanotify_conflict, kBlocking, true, InstallerExit::fanotify_conflict},
    {"memory.total", check_memory, kBlocking, true, kRequirement},
    {"disk.space", check_disk_space, kBlocking, true, kRequirement},
    {"disk.inodes", check_disk_inodes, kBlocking, true, kRequirement},
    {"mount.noexec", check_mount_noexec, kBlocking, true, kRequirement},
    {"filesystem.supported", check_filesystems, kBlocking, true, kRequirement},
    {"service_manager", check_service_manager, kAdvisory, true, kRequirement},
    {"package_manager.idle", check_package_manager_idle, kBlocking, true, InstallerExit::package_manager_busy},
    {"package_manager.consistent", check_package_manager_consistent, kBlocking, true,
     InstallerExit::package_manager_busy},
    {"clock.sane", check_clock, kBlocking, true, kRequirement},
    {"security_module", check_security_module, kAdvisory, true, kRequirement},
    {"secure_boot", check_secure_boot, kAdvisory, true, kRequirement},
    {"immutable_root", check_immutable_root, kBlocking, true, kRequirement},
    {"container", check_container, kAdvisory, true, kRequirement},
    {"product.installed", check_product_installed, kBlocking, true, InstallerExit::broken_installation},
    {"network.endpoints", nullptr, kAdvisory, true, kRequirement},
    {"network.proxy", nullptr, kAdvisory, true, kRequirement},
    {"network.tls_interception", nullptr, kBlocking, true, kRequirement},
    {"bundle.trusted", nullptr, kBlocking, false, InstallerExit::bundle_refused},
    {"bundle.expiry", nullptr, kBlocking, true, InstallerExit::bundle_refused},
    {"onboarding.valid", nullptr, kBlocking, true, InstallerExit::onboarding_refused},
}};

/// Which failure speaks for all of them; what is not named comes last.
constexpr std::array<std::string_view, 7> kExitOrder{
    "system.root", "distro.", "fanotify.conflict", "package_manager.", "bundle.", "onboarding.", "product.installed"};

const CheckRow* find_row(std::string_view id) {
    const auto* row = std::find_if(kChecks.begin(), kChecks.end(), [&](const CheckRow& r) { return r.id == id; });
    return row == kChecks.end() ? nullptr : row;
}

std::size_t exit_rank(std::string_view id) {
    const auto* entry = std::find_if(kExitOrder.begin(), kExitOrder.end(),
                                     [&](std::string_view prefix) { return id.rfind(prefix, 0) == 0; });
    return static_cast<std::size_t>(entry - kExitOrder.begin());
}

Answer supplied_answer(const CheckRow& row, const CheckOptions& options) {
    const auto given = std::find_if(options.supplied.begin(), options.supplied.end(),
                                    [&](const CheckResult& r) { return r.id == row.id; });
    if (given != options.supplied.end())
        return {given->status, given->observed, given->required, given->fix,
                given->status == CheckStatus::fail && given->exit_code != kRequirement ? std::optional(given->exit_code)
                                                                                       : std::nullopt};
    if (row.id.rfind("network.", 0) == 0)
        return options.root.is_running_host() ? skip("no onboarding package was given") : skip_offline();
    return skip(row.id.rfind("bundle.", 0) == 0 ? "no bundle was given" : "no onboarding package was given");
}

CheckResult make_result(const CheckRow& row, Answer answer, const CheckOptions& options) {
    CheckResult result{.id = std::string(row.id),
                       .status = answer.status,
                       .severity = row.severity,
                       .observed = std::move(answer.observed),
                       .required = std::move(answer.required),
                       .fix = std::move(answer.fix),
                       .exit_code = answer.exit_code.value_or(row.exit_code)};
    PICKET_CHECK(row.severity == kBlocking || result.status != CheckStatus::fail);
    const bool waived = std::find(options.accepted.begin(), options.accepted.end(), row.id) != options.accepted.end();
    if (waived && result.status == CheckStatus::fail) {
        result.status = CheckStatus::warn;
        result.accepted = true;
        result.observed += " (accepted)";
    }
    return result;
}

std::vector<sys::Mount> mounts_of(const sys::Root& root) {
    const auto text = root.read(fmt::format("/proc/{}/mountinfo", getpid()), mebibytes(16));
    return text ? sys::parse_mountinfo(*text) : std::vector<sys::Mount>();
}

} // namespace

Answer skip(std::string reason) {
    return {CheckStatus::skip, std::move(reason)};
}
Answer skip_offline() {
    return skip("only the running kernel can tell (--root)");
}

std::string_view to_string(CheckStatus status) {
    switch (status) {
    case CheckStatus::pass:
        return "pass";
    case CheckStatus::warn:
        return "warn";
    case CheckStatus::fail:
        return "fail";
    case CheckStatus::skip:
        return "skip";
    }
    return "skip";
}

std::string_view to_string(Severity severity) {
    return severity == kBlocking ? "blocking" : "advisory";
}

std::vector<std::string> check_ids() {
    std::vector<std::string> ids;
    for (const CheckRow& row : kChecks)
        ids.emplace_back(row.id);
    return ids;
}

Result<void> validate_accepted(const std::vector<std::string>& accepted) {
    for (const std::string& id : accepted) {
        const CheckRow* row = find_row(id);
        if (row != nullptr && row->waivable)
            continue;
        if (row != nullptr)
            return Error(ErrorCode::invalid_input, fmt::format("the check {} cannot be accepted away", id));
        const auto near = closest_match(id, check_ids());
        return Error(ErrorCode::invalid_input, fmt::format("there is no check \"{}\"; {}", escape_for_display(id),
                                                           near ? fmt::format("did you mean \"{}\"?", *near)
                                                                : "there are: " + join(check_ids(), ", ")));
    }
    return {};
}

Result<std::vector<CheckResult>> run_checks(const CheckOptions& options) {
    PICKET_TRY(validate_accepted(options.accepted));
    return run_checks(options, PICKET_TRY(collect_facts(options.root, options.support_matrix)));
}

Result<std::vector<CheckResult>> run_checks(const CheckOptions& options, const HostFacts& facts) {
    PICKET_TRY(validate_accepted(options.accepted));
    for (const CheckResult& result : options.supplied)
        PICKET_CHECK(find_row(result.id) != nullptr && find_row(result.id)->function == nullptr);
    CheckContext context{.options = options, .facts = facts, .live = options.root.is_running_host(), .euid = geteuid()};
    std::optional<FanotifyProbe> probe;
    if (context.live) {
        probe.emplace(); // works beside the other checks
        context.probe = &*probe;
        context.mounts = mounts_of(options.root);
    }
    std::vector<CheckResult> results;
    for (const CheckRow& row : kChecks)
        results.push_back(
            make_result(row, row.function != nullptr ? row.function(context) : supplied_answer(row, options), options));
    return results;
}

const CheckResult* first_failure(const std::vector<CheckResult>& results) {
    const CheckResult* first = nullptr;
    for (const CheckResult& result : results)
        if (result.status == CheckStatus::fail && (first == nullptr || exit_rank(result.id) < exit_rank(first->id)))
            first = &result;
    return first;
}

InstallerExit exit_code_of(const std::vector<CheckResult>& results) {
    const CheckResult* failure = first_failure(results);
    return failure == nullptr ? InstallerExit::success : failure->exit_code;
}

data::Json to_json(const CheckResult& result) {
    data::Json json = data::Json::object();
    json["id"] = result.id;
    json["status"] = to_string(result.status);
    json["severity"] = to_string(result.severity);
    json["observed"] = result.observed;
    json["required"] = result.required;
    json["fix"] = result.fix;
    json["accepted"] = result.accepted;
    return json;
}

data::Json to_json(const std::vector<CheckResult>& results) {
    data::Json json = data::Json::array();
    for (const CheckResult& result : results)
        json.push_back(to_json(result));
    return json;
}

} // namespace picket::host
