#include <picket/host/distro.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "root_links.h"

namespace picket::host {
namespace {

constexpr Bytes kReleaseFileLimit = kibibytes(4);

bool is_prefix(const DistroVersion& prefix, const DistroVersion& version) {
    return prefix.size() <= version.size() && std::equal(prefix.begin(), prefix.end(), version.begin());
}

/// 7 equals 7.0.
bool is_less(const DistroVersion& a, const DistroVersion& b) {
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
        const std::uint32_t left = i < a.size() ? a[i] : 0;
        const std::uint32_t right = i < b.size() ? b[i] : 0;
        if (left != right)
            return left < right;
    }
    return false;
}

bool matches_any(const std::vector<DistroVersion>& prefixes, const DistroVersion& version) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](const DistroVersion& p) { return is_prefix(p, version); });
}

struct ReleaseFile {
    std::string path;
    std::string text; ///< first line
    std::string version_text;
    DistroVersion version; ///< empty where it names none
};

/// "CentOS Linux release 7.9.2009 (Core)"
std::string_view version_in(std::string_view line) {
    constexpr std::string_view kWord = "release ";
    const std::size_t at = line.find(kWord);
    if (at == std::string_view::npos)
        return {};
    const std::string_view rest = line.substr(at + kWord.size());
    return rest.substr(0, rest.find_first_not_of("0123456789."));
}

std::vector<ReleaseFile> read_release_files(const Distribution& line, const sys::Root& root) {
    std::vector<ReleaseFile> files;
    for (const std::string& path : line.minor_files) {
        const auto text = read_through_links(root, path, kReleaseFileLimit);
        if (!text)
            continue;
        const std::string first(trim(split(*text, '\n').front()));
        const std::string version(version_in(first));
        files.push_back({path, first, version, parse_distro_version(version).value_or(DistroVersion{})});
    }
    return files;
}

/// One distribution that is in the matrix, and the release of it.
class Judge {
  public:
    Judge(const Distribution& line, const OsRelease& release, const sys::Root& root,
          const std::optional<sys::KernelRelease>& kernel)
        : line_(line), release_(release), root_(root), kernel_(kernel) {}

    DistroVerdict verdict() {
        verdict_.distribution = line_;
        verdict_.observed = release_.label();
        verdict_.required = fmt::format("{} {} or later", line_.name, line_.minimum_text);
        if (!line_.unsupported.empty()) {
            verdict_.required.clear();
            decide(DistroStatus::unsupported, fmt::format("{} is not supported: {}", line_.name, line_.unsupported));
        } else if (const auto version = parse_distro_version(release_.version_id)) {
            judge_version(*version);
        } else {
            judge_unnumbered();
        }
        if (verdict_.status == DistroStatus::supported && line_.derivative)
            decide(DistroStatus::uncertain,
                   fmt::format("{} is a derivative; it is likely to work, but is not tested", line_.name));
        return std::move(verdict_);
    }

  private:
    void decide(DistroStatus status, std::string reason) {
        verdict_.status = status;
        verdict_.reason = std::move(reason);
    }
    void judge_unnumbered() {
        const std::string shown = escape_for_display(release_.version_id.substr(0, 60));
        if (line_.rolling)
            decide(DistroStatus::uncertain, "a release without a number (testing or rolling) is not tested");
        else
            decide(DistroStatus::too_old, shown.empty() ? "os-release has no VERSION_ID"
                                                        : fmt::format("VERSION_ID \"{}\" is no version number", shown));
    }
    void judge_version(const DistroVersion& version) {
        const bool minor_missing = version.size() < line_.minimum.size() && is_prefix(version, line_.minimum);
        if (matches_any(line_.too_old, version) || (!minor_missing && is_less(version, line_.minimum)))
            decide(DistroStatus::too_old, upgrade_advice());
        else if (minor_missing)
            judge_by_release_files(version);
        else if (matches_any(line_.known, version))
            decide(DistroStatus::supported, "");
        else
            decide(DistroStatus::uncertain, unknown_version_note(version));
    }
    /// CentOS 7 says "7" in os-release, whether it is 7.0 or 7.9.
    void judge_by_release_files(const DistroVersion& major) {
        for (const ReleaseFile& file : read_release_files(line_, root_)) {
            if (file.version.size() <= major.size() || !is_prefix(major, file.version))
                continue;
            verdict_.observed = fmt::format("{} ({} says {})", release_.label(), file.path, file.version_text);
            return judge_version(file.version);
        }
        if (kernel_ && !sys::meets_minimum_kernel(*kernel_))
            return decide(DistroStatus::too_old,
                          fmt::format("the minor version is not known, and kernel {} is older than {}; {}",
                                      kernel_->text, sys::kMinimumKernel, upgrade_advice()));
        decide(DistroStatus::uncertain, "the minor version is not known; the kernel decides");
    }
    std::string upgrade_advice() const {
        return fmt::format("upgrade to {} {} or later", line_.name, line_.minimum_text);
    }
    std::string unknown_version_note(const DistroVersion& version) const {
        const bool newer =
            std::all_of(line_.known.begin(), line_.known.end(), [&](const auto& k) { return is_less(k, version); });
        return newer ? "newer than this program knows; it is likely to work, but is not tested"
                     : "an interim release: it is not tested, and its support ends early";
    }

    const Distribution& line_;
    const OsRelease& release_;
    const sys::Root& root_;
    const std::optional<sys::KernelRelease>& kernel_;
    DistroVerdict verdict_;
};

/// Hosts older than os-release (RHEL 6) say who they are in /etc/*-release alone.
std::optional<OsRelease> from_release_files(const SupportMatrix& matrix, const sys::Root& root) {
    for (const Distribution& line : matrix.distributions()) {
        for (const ReleaseFile& file : read_release_files(line, root)) {
            if (file.version.empty() || file.text.rfind(line.name, 0) != 0)
                continue;
            return OsRelease{
                .id = line.id, .name = line.name, .pretty_name = file.text, .version_id = file.version_text};
        }
    }
    return std::nullopt;
}

DistroVerdict unsupported(const SupportMatrix& matrix, std::string observed, std::string reason) {
    return {.observed = std::move(observed), .required = matrix.summary(), .reason = std::move(reason)};
}

DistroVerdict judge_derivative(const SupportMatrix& matrix, const OsRelease& release, const Distribution& base) {
    DistroVerdict verdict;
    verdict.distribution = base;
    verdict.observed = release.label();
    verdict.required = matrix.summary();
    if (!base.unsupported.empty()) {
        verdict.reason = fmt::format("it is made from {}, which is not supported: {}", base.name, base.unsupported);
    } else {
        verdict.status = DistroStatus::uncertain;
        verdict.reason = fmt::format("made from {}; it is likely to work, but is not tested", base.name);
    }
    return verdict;
}

} // namespace

DistroVerdict judge_distro(const SupportMatrix& matrix, const Result<OsRelease>& release, const sys::Root& root,
                           const std::optional<sys::KernelRelease>& kernel) {
    if (!release) {
        const auto older = from_release_files(matrix, root);
        if (older)
            return judge_distro(matrix, *older, root, kernel);
        return unsupported(matrix, release.error().message(),
                           "the distribution cannot be told without a readable os-release");
    }
    if (const Distribution* line = matrix.find(release->id))
        return Judge(*line, *release, root, kernel).verdict();
    for (const std::string& word : release->id_like)
        if (const Distribution* base = matrix.find_like(word))
            return judge_derivative(matrix, *release, *base);
    return unsupported(matrix,
                       fmt::format("{} (ID={})", release->label(), escape_for_display(release->id.substr(0, 60))),
                       "this distribution is not in the support matrix; a line can be added with --support-matrix");
}

} // namespace picket::host
