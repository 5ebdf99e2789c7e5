#pragma once
#include <string>
#include <vector>

#include <picket/base/result.h>

/// File access by Landlock, with definitions of our own: the headers that we build with may be older than the kernel.
namespace picket::sandbox {

enum class FileAccess {
    read,       ///< open for reading, list
    read_write, ///< also create, write, truncate, remove files and directories below it; never links or devices
};

struct FileRule {
    int directory = -1; ///< an open directory (O_PATH will do); everything below it
    FileAccess access = FileAccess::read;
};

struct LandlockOptions {
    std::vector<FileRule> allowed; ///< everything else is refused, execution everywhere
    bool allow_tcp = false;        ///< for the one process that talks to a network
    bool isolate_signals = true;   ///< no signal out of the domain, where the kernel knows how (ABI 6)
};

/// The kernel's Landlock ABI; 0 where there is none (before 5.13, or switched off).
int landlock_abi();

/// For the calling thread and what it starts from now on. Descriptors opened before keep their rights. TCP is refused
/// as well where known (ABI 4), abstract sockets from ABI 6. unavailable where there is no Landlock: the caller
/// decides whether the other layers are enough, and says so.
Result<void> restrict_files(const LandlockOptions& options);

} // namespace picket::sandbox
