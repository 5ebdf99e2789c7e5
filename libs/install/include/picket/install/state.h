#pragma once
#include <map>
#include <string>
#include <vector>

#include <picket/install/kept_packages.h>
#include <picket/install/ports.h>

namespace picket::install {

/// What is on the host now, as far as the installer cares. Contents of the files whose change it plans.
struct HostState {
    sys::PackageState package;
    std::string package_system; ///< "dpkg", "rpm"; "" = none
    std::vector<sys::UnitStatus> units;
    std::map<std::string, std::string> config; ///< path → content: identity, key, tags, managed profiles
    std::vector<std::string> unreadable;       ///< of those: there, but not for us
    std::string pinned_key;                    ///< of the organisation, one line; "" = none
    std::string definitions;
    bool installer_present = false;
    bool state_kept = false; ///< any of state_files() is there, with or without the package
    bool leftovers = false;  ///< any of product_files() is
    bool unproved = false;   ///< the self-test of the last install failed
    data::Json receipt;      ///< null = none
    /// {"since", "by", "from", "version"}: `os-upgrade prepare` took the programs away; null = it did not.
    data::Json os_upgrade;
    std::vector<KeptPackage> kept;

    bool installed() const { return package.status == sys::PackageStatus::installed; }
    /// Also where the package is half of one.
    bool has_programs() const {
        return package.status != sys::PackageStatus::absent && package.status != sys::PackageStatus::config_files;
    }
    bool onboarded() const;
    std::string value_of(const std::string& path) const; ///< "" where it is not there
    data::Json tags() const;
    const KeptPackage* kept_of(const std::string& version) const; ///< null = not kept
    /// Where `rollback` goes: the version before the last upgrade, or the one that the installer put here where
    /// somebody else has replaced it since. Null where its package is not kept.
    const KeptPackage* way_back() const;
    bool all_enabled() const;
    bool all_active() const;
};

Result<HostState> read_state(const Ports& ports);

/// `before` and `after` of the report.
data::Json summary_of(const HostState& state);

} // namespace picket::install
