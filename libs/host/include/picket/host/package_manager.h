#pragma once
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <picket/base/clock.h>
#include <picket/sys/file.h>

namespace picket::host {

/// Who keeps the package manager busy.
struct LockHolder {
    std::string program; ///< "unattended-upgr"; "another process" where the kernel does not say
    pid_t pid = 0;       ///< 0 where it is not known (in another pid namespace)
    std::string path;    ///< of the lock or pid file

    /// "apt-get (pid 812) holds /var/lib/dpkg/lock-frontend"
    std::string describe() const;
};

/// The first lock of dpkg, apt, rpm, dnf, yum or zypper that somebody else holds, asked with F_GETLK: nothing is
/// locked, not for a moment. Locks that may not be opened count as free. Pid files count for the running host only, and
/// only while that process lives.
std::optional<LockHolder> find_package_manager_lock(const sys::Root& root);

/// Looks again, a few times a second, until nobody holds a lock or `timeout` has passed; then says who still does.
/// `waiting` is called before each pause; false from it ends the wait (Ctrl-C).
std::optional<LockHolder> wait_for_package_manager(const sys::Root& root, Milliseconds timeout,
                                                   const std::function<bool(const LockHolder&)>& waiting = {});

/// What a package database says about one package.
enum class PackageState { absent, installed, broken };

struct DpkgReport {
    std::vector<std::string> broken; ///< "NAME (half-configured)", sorted; at most 20
    std::size_t broken_count = 0;
    bool interrupted = false;                   ///< dpkg's journal is not empty: it was killed while it worked
    PackageState picket = PackageState::absent; ///< our own package, which is not in `broken`
};
/// Reads /var/lib/dpkg/status: half-installed, half-configured, unpacked or "reinst-required" is broken; pending
/// triggers are not. An Error where there is no readable database.
Result<DpkgReport> read_dpkg_state(const sys::Root& root);
DpkgReport parse_dpkg_status(std::string_view text);

} // namespace picket::host
