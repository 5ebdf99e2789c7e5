#include "canary.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

namespace picket::watch {
namespace {

constexpr std::size_t kMaximumLooks = 1'000;
constexpr unsigned kMaximumDepth = 3;
/// A canary is opened again and again: it must cost no scan that anybody notices.
constexpr off_t kLargest = 64 * 1024;

UniqueFd reopen(int fd, int flags) {
    return UniqueFd(open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags));
}

class Search {
  public:
    Search(dev_t device, const std::vector<std::string>& never_asked) : device_(device) {
        struct stat status {};
        for (const std::string& path : never_asked)
            if (lstat(path.c_str(), &status) == 0 && status.st_dev == device_)
                never_asked_.push_back(status.st_ino);
    }

    /// Files first, then what is below.
    std::optional<Canary> in(UniqueFd directory, unsigned depth) {
        const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(directory.get()), closedir);
        if (!entries)
            return std::nullopt;
        const int folder = directory.release(); // closedir closes it
        std::vector<std::string> folders;
        while (const dirent* const entry = readdir(entries.get())) {
            const std::string name = entry->d_name;
            if (name == "." || name == "..")
                continue;
            if (++looks_ > kMaximumLooks)
                return std::nullopt;
            Canary candidate{UniqueFd(openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)), {}};
            if (!candidate.file || fstat(candidate.file.get(), &candidate.status) != 0 ||
                candidate.status.st_dev != device_)
                continue;
            if (S_ISREG(candidate.status.st_mode) && candidate.status.st_size > 0 &&
                candidate.status.st_size <= kLargest && !is_never_asked(candidate.status.st_ino))
                return candidate;
            if (S_ISDIR(candidate.status.st_mode))
                folders.push_back(name);
        }
        return depth < kMaximumDepth ? below(folder, folders, depth) : std::nullopt;
    }

  private:
    bool is_never_asked(ino_t inode) const {
        return std::find(never_asked_.begin(), never_asked_.end(), inode) != never_asked_.end();
    }

    std::optional<Canary> below(int folder, const std::vector<std::string>& names, unsigned depth) {
        for (const std::string& name : names) {
            UniqueFd next(openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
            if (!next)
                continue;
            if (auto found = in(std::move(next), depth + 1))
                return found;
        }
        return std::nullopt;
    }

    const dev_t device_;
    std::vector<ino_t> never_asked_;
    std::size_t looks_ = 0;
};

} // namespace

Result<Canary> find_canary(int start, const std::vector<std::string>& never_asked) {
    Canary canary;
    if (fstat(start, &canary.status) != 0)
        return Error::from_errno(errno, "stat");
    if (S_ISREG(canary.status.st_mode)) {
        canary.file = UniqueFd(fcntl(start, F_DUPFD_CLOEXEC, 3));
        return canary;
    }
    UniqueFd directory = reopen(start, O_DIRECTORY);
    if (!directory)
        return Error::from_errno(errno, "open");
    auto found = Search(canary.status.st_dev, never_asked).in(std::move(directory), 0);
    if (!found)
        return Error(ErrorCode::not_found, "no small file to open");
    return std::move(*found);
}

Result<void> open_canary(const Canary& canary) {
    const UniqueFd opened = reopen(canary.file.get(), 0);
    if (!opened && errno != EPERM)
        return Error::from_errno(errno, "open");
    return {};
}

} // namespace picket::watch
