#pragma once

/// Names that only the installer knows, beside picket/model/paths.h.
namespace picket::install::files {

inline constexpr const char* kJournal = "/var/lib/picket/install/journal.json";
inline constexpr const char* kReceipt = "/var/lib/picket/install/receipt.json";
/// There while the last self-test of an install failed: the next install tries it again.
inline constexpr const char* kUnproved = "/var/lib/picket/install/unproved";
/// Where a bundle's verified files land before anything is planned; empty between runs.
inline constexpr const char* kIncoming = "/var/lib/picket/install/incoming";
inline constexpr const char* kStaged = "/var/lib/picket/install/staged";
/// Old content of files that a running transaction replaces.
inline constexpr const char* kBackup = "/var/lib/picket/install/backup";
/// Packages of this version and the one before: kept_packages.h.
inline constexpr const char* kKeptPackages = "/var/lib/picket/install/packages";
/// From `os-upgrade prepare` to its end: the programs are gone, and what puts them back has to stay.
inline constexpr const char* kSparedInstaller = "/var/lib/picket/install/picket-installer";
inline constexpr const char* kInstaller = "/usr/sbin/picket-installer";
inline constexpr const char* kPicket = "/usr/bin/picket";
inline constexpr const char* kLock = "/run/picket-installer.lock";
/// What the package holds; a bundle has them beside it.
inline constexpr const char* kPackagedDefinitions = "/usr/share/picket/definitions";
/// On a host without a service manager.
inline constexpr const char* kSupervisor = "/usr/libexec/picket/picket-supervisor";
inline constexpr const char* kSupervisorLock = "/run/picket/supervisor.lock";

inline constexpr const char* kPackageName = "picket";
inline constexpr const char* kOnboardingProfilePrefix = "10-onboarding-";
inline constexpr const char* kInstallProfileSuffix = "-install.json"; ///< 30-install.json, 31-install.json …

} // namespace picket::install::files
