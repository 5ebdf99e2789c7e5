#include "scratch.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

namespace picket::engine {
namespace {

constexpr unsigned kDeepest = 64;
constexpr unsigned kMostEntries = 1'000'000;
constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory list(int directory) {
    // A descriptor of its own: closedir() closes it, and the offset is not ours to move.
    UniqueFd own(openat(directory, ".", kDirectoryFlags));
    Directory stream(own ? fdopendir(own.get()) : nullptr);
    if (stream)
        (void)own.release();
    return stream;
}

const dirent* next_entry(DIR* stream) {
    while (const dirent* entry = readdir(stream))
        if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
            return entry;
    return nullptr;
}

Result<void> empty_below(int directory, unsigned depth, unsigned& entries) {
    if (depth > kDeepest)
        return Error(ErrorCode::exhausted, "temporary directories are nested too deep");
    const Directory stream = list(directory);
    if (!stream)
        return Error::from_errno(errno, "listing a temporary directory");
    while (const dirent* entry = next_entry(stream.get())) {
        if (++entries > kMostEntries)
            return Error(ErrorCode::exhausted, "too many temporary files");
        if (unlinkat(directory, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        const UniqueFd child(openat(directory, entry->d_name, kDirectoryFlags));
        if (!child)
            return Error::from_errno(errno, "removing a temporary file");
        PICKET_TRY(empty_below(child.get(), depth + 1, entries));
        if (unlinkat(directory, entry->d_name, AT_REMOVEDIR) != 0 && errno != ENOENT)
            return Error::from_errno(errno, "removing a temporary directory");
    }
    return {};
}

} // namespace

Result<UniqueFd> open_directory(const std::string& path) {
    UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return Error::from_errno(errno, fmt::format("opening {}", path));
    return directory;
}

Result<UniqueFd> make_directory(int parent, const std::string& name) {
    if (mkdirat(parent, name.c_str(), 0700) != 0)
        return Error::from_errno(errno, fmt::format("making the temporary directory {}", name));
    UniqueFd directory(openat(parent, name.c_str(), kDirectoryFlags));
    if (!directory)
        return Error::from_errno(errno, fmt::format("opening the temporary directory {}", name));
    return directory;
}

bool is_empty_directory(int directory) {
    const Directory stream = list(directory);
    return stream && next_entry(stream.get()) == nullptr;
}

Result<void> empty_directory(int directory) {
    unsigned entries = 0;
    return empty_below(directory, 0, entries);
}

Result<void> remove_directory(int parent, const std::string& name) {
    const UniqueFd directory(openat(parent, name.c_str(), kDirectoryFlags));
    if (!directory && errno == ENOENT)
        return {};
    if (!directory)
        return Error::from_errno(errno, fmt::format("opening the temporary directory {}", name));
    PICKET_TRY(empty_directory(directory.get()));
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0)
        return Error::from_errno(errno, fmt::format("removing the temporary directory {}", name));
    return {};
}

} // namespace picket::engine
