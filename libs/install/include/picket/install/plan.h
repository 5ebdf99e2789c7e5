#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <picket/install/journal.h>
#include <picket/install/repository.h>
#include <picket/install/state.h>

namespace picket::install {

/// A file as it is to be. No content = it is to be gone.
struct FileChange {
    std::string path;
    std::optional<std::string> content;
    mode_t mode = 0644;
};

/// What the user asked for, opened and verified.
struct Wishes {
    std::optional<OnboardingMaterial> onboarding;
    std::optional<BundleMaterial> bundle;
    std::optional<RepositoryMaterial> repository; ///< instead of a bundle
    std::optional<KeptPackage> kept;              ///< instead of a bundle; its digest was verified
    /// Of an upgrade from a repository, in files::kIncoming: the new package, and that of the version before where the
    /// repository has it still and the host does not.
    std::vector<KeptPackage> fetched;
    std::string distribution; ///< of the host now
    sys::RepositoryKind repository_kind = sys::RepositoryKind::apt;
    std::optional<std::vector<std::string>> install_profiles; ///< rendered; set = exactly these
    std::map<std::string, std::string> tags;                  ///< of --tag
    std::vector<std::string> accepted;
    Milliseconds lock_timeout{120'000};
    bool image = false;
    bool repair = false; ///< the package is there, but not whole: it goes in once more
};

/// Steps, and the file contents that they refer to by path: contents may be secret, steps are shown.
struct Plan {
    Journal journal;
    std::map<std::string, FileChange> files;
    bool empty() const { return journal.steps.empty(); }
    /// Whether any step changes something.
    bool changes() const;
};

/// Pure. Only what differs from the state is planned: on a host that is as wished the plan is empty.
Plan plan_install(const HostState& state, const Wishes& wishes);
/// Both: the package goes in, is proved, and until then whatever fails or is cut off puts the version before back where
/// its package is kept; where it is not, the step's title says so. Empty where that version is installed.
Plan plan_upgrade(const HostState& state, const Wishes& wishes);
/// Of the bundle or the repository, one of which is there.
const std::string& offered_version(const Wishes& wishes);
/// The package of the installed version, as it is kept or will be; nothing = there is no way back.
std::optional<KeptPackage> way_back_of(const HostState& state, const Wishes& wishes);
Plan plan_rollback(const HostState& state, const KeptPackage& to, const Wishes& wishes);
Plan plan_onboard(const HostState& state, const Wishes& wishes);
Plan plan_offboard(const HostState& state);
enum class UninstallMode { keep_state, purge };
Plan plan_uninstall(const HostState& state, UninstallMode mode, Milliseconds lock_timeout, bool image);
/// The programs go as in plan_uninstall, all else stays: what puts them back too, and `record`, which is shown.
Plan plan_prepare_os_upgrade(const HostState& state, const data::Json& record, Milliseconds lock_timeout, bool image);
Plan plan_prepare_image(const HostState& state, const std::vector<std::string>& present_identity_files, bool image);

} // namespace picket::install
