#pragma once

/// Every fixed name of an installed Picket, in one place. All are absolute and meant for sys::Root.
namespace picket::paths {

inline constexpr const char* kConfigDirectory = "/etc/picket";
inline constexpr const char* kOnboarding = "/etc/picket/onboarding.json";
inline constexpr const char* kEnrolmentToken = "/etc/picket/enrolment.token";
inline constexpr const char* kTags = "/etc/picket/tags.json";
inline constexpr const char* kManagedDirectory = "/etc/picket/managed.d";

inline constexpr const char* kStateDirectory = "/var/lib/picket";
inline constexpr const char* kLastGoodProfile = "/var/lib/picket/profile/last-good.json";
inline constexpr const char* kLocalSettings = "/var/lib/picket/settings.json";
inline constexpr const char* kDefinitionsDirectory = "/var/lib/picket/definitions";
inline constexpr const char* kCurrentDefinitions = "/var/lib/picket/definitions/current";
inline constexpr const char* kMirrorMemory = "/var/lib/picket/definitions/mirror.json";
inline constexpr const char* kIncomingDefinitions = "/var/lib/picket/definitions/incoming";
inline constexpr const char* kQuarantineDirectory = "/var/lib/picket/quarantine";
inline constexpr const char* kSelfTestDirectory = "/var/lib/picket/selftest";
inline constexpr const char* kMetricsDirectory = "/var/lib/picket/metrics";
inline constexpr const char* kStateDatabase = "/var/lib/picket/state.db";
inline constexpr const char* kMachineId = "/var/lib/picket/machine-id";
inline constexpr const char* kInstallDirectory = "/var/lib/picket/install";
/// There while the programs are gone for an upgrade of the operating system: since when, by whom.
inline constexpr const char* kOsUpgrade = "/var/lib/picket/install/os-upgrade.json";

inline constexpr const char* kRunDirectory = "/run/picket";
inline constexpr const char* kControlSocket = "/run/picket/control.sock";
inline constexpr const char* kEngineSocket = "/run/picket/engine.sock";
inline constexpr const char* kGuardSocket = "/run/picket/guard.sock";
inline constexpr const char* kRemedySocket = "/run/picket/remedy.sock";
inline constexpr const char* kLinkSocket = "/run/picket/link.sock";
inline constexpr const char* kDefinitionsSocket = "/run/picket/definitions.sock";
inline constexpr const char* kEngineTemporaryDirectory = "/run/picket/engine-tmp";
inline constexpr const char* kLogDirectory = "/var/log/picket";

inline constexpr const char* kEngineUser = "picket-engine";
inline constexpr const char* kLinkUser = "picket-net";

} // namespace picket::paths
