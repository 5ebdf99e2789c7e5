#pragma once
#include <functional>
#include <string>
#include <sys/stat.h>
#include <sys/types.h>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::scan {

struct WalkOptions {
    bool cross_devices = false;
    std::size_t maximum_depth = 200; ///< each level holds a descriptor
    /// Where an earlier walk was: what comes before this path in the walk's order is left out. Empty = nothing is.
    std::string resume_from;
    /// Names in memory at a time. A directory that does not fit comes in several pieces, and whole again on resume.
    std::size_t maximum_names = 1'000'000;
    /// Of regular files, before they are opened: true where there is nothing to read. It counts as visited. May be
    /// empty.
    std::function<bool(const std::string& path, const struct stat& status)> is_known;
    /// Whole paths that are left out; directories with all below. May be empty.
    std::function<bool(const std::string& path)> is_excluded;
    /// Of what is mounted in the tree, by its device, before it is opened: true where its server may not answer. Then
    /// `on_served` is called with where it is; false ends the walk. Both may be empty.
    std::function<bool(dev_t device)> is_served;
    std::function<bool(int directory, const std::string& name, const std::string& path)> on_served;
};

struct WalkStatistics {
    std::uint64_t files = 0;
    std::uint64_t failed = 0; ///< could not be opened or read, or lay too deep
};

/// Called for each regular file, opened O_RDONLY|O_NOFOLLOW|O_NONBLOCK; `path` is the label's path and only for
/// messages. False ends the walk.
using FileVisitor = std::function<bool(UniqueFd file, const std::string& path, const struct stat& status)>;

/// Visits every regular file below an open file or directory, by descriptor, following no link. Anything that is not a
/// regular file or directory is never opened. Directories that change under it are no error. Entries of a directory
/// come in the order of their bytes. `label` is the name of `start` in messages. Gives what was met; cancelled where
/// the visitor ended it.
Result<WalkStatistics> walk_tree(int start, const std::string& label, const WalkOptions& options,
                                 const FileVisitor& visit);

/// How many files walk_tree() would visit; opens directories only. `going` is asked now and then, false ends it.
Result<std::uint64_t> count_tree(int start, const WalkOptions& options, const std::string& label,
                                 const std::function<bool()>& going);

} // namespace picket::scan
