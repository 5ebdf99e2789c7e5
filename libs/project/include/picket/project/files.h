#pragma once
#include <string>
#include <vector>

#include <picket/base/result.h>
#include <picket/sys/file.h>

namespace picket::project {

/// One file of a project, by its path in the project's folder ("group_vars/all/export.yml").
struct ProjectFile {
    std::string path;
    std::string content;
    mode_t mode = 0644;
    int source = -1; ///< a descriptor to copy from instead of `content`; not owned
    gid_t group = static_cast<gid_t>(-1);
    bool as_it_is = false; ///< the one that is there stays, whatever it holds
};

struct Written {
    std::vector<std::string> written;
    std::vector<std::string> removed; ///< of an earlier export, and no longer part of the project
    /// Written by an earlier export, changed by hand since, and left alone: where this call has nothing new for it;
    /// where it has; and where the file is no longer part of the project. The last two are told once.
    std::vector<std::string> kept, outdated, unused;
    std::size_t unchanged = 0;
};

/// What was written is recorded here, with digests.
inline constexpr const char* kRecord = ".picket-export.json";

/// Brings the folder to hold the files. Only what an earlier call wrote, and nobody changed since, is replaced or
/// removed. Errors: conflict, and nothing was written, where a file of that name is somebody else's or the folder
/// holds a project of another kind; else what went wrong while writing, after which the same call goes on.
Result<Written> write_files(const sys::Root& folder, const std::string& kind, const std::vector<ProjectFile>& files);

} // namespace picket::project
