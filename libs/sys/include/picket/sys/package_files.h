#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <picket/base/result.h>
#include <picket/sys/file.h>

namespace picket::sys {

enum class RecordedDigestKind { md5, sha256 };

/// What the package manager's own records say of one installed file.
struct PackageFileRecord {
    std::string package;
    RecordedDigestKind digest_kind = RecordedDigestKind::md5;
    std::string digest; ///< hex, lower case
};

/// The files of the installed packages, as the host's package manager has recorded them. Only records that belong to
/// root and that nobody else may write count; what is malformed or too large counts as not recorded. The index is made
/// at the first question and again whenever the records have changed: that reads some ten MiB, so never ask from a
/// thread that somebody waits for. One thread.
class PackageFiles {
  public:
    virtual ~PackageFiles() = default;
    /// `path` as the kernel names it; with a merged /usr, /bin/x and /usr/bin/x are one file. Nothing where no
    /// installed package has that file, or none has a digest of it (configuration files).
    virtual std::optional<PackageFileRecord> find(std::string_view path) = 0;
    /// False where the records could not be read when they were asked last: what find() did not know may be recorded
    /// all the same.
    virtual bool are_readable() const { return true; }
};

/// dpkg's records of that tree; null where there are none. `root` must outlive it.
std::unique_ptr<PackageFiles> package_files_of(const Root& root);
/// rpm's; null where there are none. Its database has had three formats, so the tree's own rpm is asked: that starts a
/// process, and is not for one that holds a fanotify group. No path is ever among rpm's arguments, it would expand
/// macros in some.
std::unique_ptr<PackageFiles> rpm_files_of(const Root& root);

} // namespace picket::sys
