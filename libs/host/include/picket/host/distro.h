#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/result.h>
#include <picket/host/os_release.h>
#include <picket/sys/file.h>
#include <picket/sys/kernel.h>

namespace picket::host {

enum class PackageFamily { unknown, deb, rpm };
/// dpkg and rpm stand for a host that has nothing above them.
enum class PackageManager { none, apt, dpkg, dnf, yum, tdnf, zypper, rpm };
std::string_view to_string(PackageFamily family);
std::string_view to_string(PackageManager manager);

/// Numbers between dots: "7.9.2009" → {7, 9, 2009}. Nothing where it is anything else.
using DistroVersion = std::vector<std::uint32_t>;
std::optional<DistroVersion> parse_distro_version(std::string_view text);

/// One line of the support matrix (libs/host/support_matrix.yaml says what each field means).
struct Distribution {
    std::string id;
    std::vector<std::string> like;
    std::string name;
    PackageFamily family = PackageFamily::unknown;
    PackageManager package_manager = PackageManager::none;
    DistroVersion minimum;
    std::string minimum_text; ///< as written: 16.04 is not 16.4
    std::vector<DistroVersion> known;
    std::vector<std::string> known_texts; ///< the same as written
    std::vector<DistroVersion> too_old;
    std::vector<std::string> minor_files;
    bool rolling = false;
    bool derivative = false;
    std::string unsupported;
};

/// Immutable once parsed.
class SupportMatrix {
  public:
    /// An error (invalid_input) names the line of the text and what would be right.
    static Result<SupportMatrix> parse(std::string_view yaml);
    /// What this program was built with.
    static SupportMatrix built_in();

    const Distribution* find(std::string_view id) const;
    /// The line that a word of ID_LIKE means.
    const Distribution* find_like(std::string_view word) const;
    const std::vector<Distribution>& distributions() const { return distributions_; }
    /// "rhel ≥ 7.2, debian ≥ 9, …"
    std::string summary() const;

  private:
    std::vector<Distribution> distributions_;
};

enum class DistroStatus {
    supported,
    uncertain,   ///< a derivative, an interim or a newer release: likely to work, warn
    too_old,     ///< exit 11
    unsupported, ///< exit 10
};

struct DistroVerdict {
    DistroStatus status = DistroStatus::unsupported;
    std::string observed; ///< escaped for display
    std::string required;
    std::string reason; ///< why it is not `supported`; ends as advice
    /// The line that decided; of the base where it is a derivative.
    std::optional<Distribution> distribution;
};

/// `kernel` is empty where the running kernel says nothing about `root`.
DistroVerdict judge_distro(const SupportMatrix& matrix, const Result<OsRelease>& release, const sys::Root& root,
                           const std::optional<sys::KernelRelease>& kernel);

} // namespace picket::host
