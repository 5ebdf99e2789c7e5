#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/host/package_manager.h>

#include "root_links.h"

namespace picket::host {
namespace {

constexpr Bytes kStatusLimit = mebibytes(64); // a full desktop has 5
constexpr std::size_t kNamed = 20;
constexpr std::string_view kOurPackage = "picket";
constexpr std::array<std::string_view, 3> kBrokenStates{"half-installed", "half-configured", "unpacked"};

/// "install ok half-configured" → "half-configured"; "" where nothing is wrong.
std::string_view problem_in(std::string_view status) {
    const auto words = split(status, ' ');
    if (words.size() != 3)
        return "unreadable status";
    if (std::find(kBrokenStates.begin(), kBrokenStates.end(), words[2]) != kBrokenStates.end())
        return words[2];
    return words[1] == "reinstreq" ? std::string_view("reinst-required") : std::string_view();
}

bool is_installed(std::string_view status) {
    const auto words = split(status, ' ');
    return words.size() == 3 && (words[2] == "installed" || words[2].rfind("triggers-", 0) == 0);
}

void note(DpkgReport& report, std::string_view package, std::string_view status) {
    const std::string_view problem = problem_in(status);
    if (package == kOurPackage) {
        report.picket = !problem.empty()       ? PackageState::broken
                        : is_installed(status) ? PackageState::installed
                                               : PackageState::absent;
        return;
    }
    if (problem.empty())
        return;
    if (++report.broken_count <= kNamed)
        report.broken.push_back(fmt::format("{} ({})", escape_for_display(package.substr(0, 100)), problem));
}

bool all_digits(const std::string& name) {
    return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

} // namespace

DpkgReport parse_dpkg_status(std::string_view text) {
    DpkgReport report;
    std::string_view package;
    // By hand, because split() of a file of megabytes would cost more than all other checks together.
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        constexpr std::string_view kPackage = "Package: ";
        constexpr std::string_view kStatus = "Status: ";
        if (line.rfind(kPackage, 0) == 0)
            package = trim(line.substr(kPackage.size()));
        else if (line.rfind(kStatus, 0) == 0 && !package.empty())
            note(report, package, trim(line.substr(kStatus.size())));
    }
    std::sort(report.broken.begin(), report.broken.end());
    return report;
}

Result<DpkgReport> read_dpkg_state(const sys::Root& root) {
    const std::string text = PICKET_TRY(read_through_links(root, "/var/lib/dpkg/status", kStatusLimit));
    DpkgReport report = parse_dpkg_status(text);
    // Entries of digits are changes that never reached the status file; anything else there is a leftover without
    // weight.
    const auto directory = resolve_in_root(root, "/var/lib/dpkg/updates");
    const auto updates = directory ? root.list(*directory) : Result<std::vector<std::string>>(directory.error());
    report.interrupted = updates && std::any_of(updates->begin(), updates->end(), all_digits);
    return report;
}

} // namespace picket::host
