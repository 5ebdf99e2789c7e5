#include <picket/scan/tree_walker.h>

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

#include <picket/base/text.h>
#include <picket/sys/statx.h>

namespace picket::scan {
namespace {

/// In the walk's order: component by component, each by its bytes.
bool comes_before(std::string_view path, std::string_view other) {
    const auto [left, right] = std::mismatch(path.begin(), path.end(), other.begin(), other.end());
    if (left == path.end())
        return right != other.end();
    if (right == other.end())
        return false;
    const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
    return rank(*left) < rank(*right);
}

bool is_ancestor(std::string_view path, std::string_view other) {
    return other.size() > path.size() && other.starts_with(path) && other[path.size()] == '/';
}

/// Called for each regular file; opened only where somebody wants to read it.
struct Visit {
    bool opens = true;
    std::function<bool(UniqueFd file, const std::string& path, const struct stat& status)> file;
};

class Walker {
  public:
    Walker(const WalkOptions& options, const Visit& visit) : options_(options), visit_(visit) {}

    Result<WalkStatistics> run(int start, const std::string& label) {
        struct stat status {};
        if (fstat(start, &status) != 0)
            return Error::from_errno(errno, "stat " + escape_for_display(label));
        device_ = status.st_dev;
        bool going = true;
        if (S_ISREG(status.st_mode)) {
            going = visit_file(visit_.opens ? reopen(start, 0) : UniqueFd(), label, status);
        } else if (S_ISDIR(status.st_mode)) {
            going = enter(reopen(start, O_DIRECTORY), label == "/" ? "" : label, 1, options_.resume_from);
        } else {
            return Error(ErrorCode::invalid_input, escape_for_display(label) + " is no file or directory");
        }
        if (!going)
            return Error(ErrorCode::cancelled, "the walk was ended");
        return statistics_;
    }

  private:
    /// The descriptor may be O_PATH, or shared with others who move its offset.
    static UniqueFd reopen(int fd, int flags) {
        const std::string name = "/proc/self/fd/" + std::to_string(fd);
        return UniqueFd(open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags));
    }

    bool failed() {
        ++statistics_.failed;
        return true;
    }

    bool visit_file(UniqueFd file, const std::string& path, struct stat status) {
        if (visit_.opens && (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)))
            return failed();
        ++statistics_.files;
        return visit_.file(std::move(file), path, status);
    }

    /// Up to as many names as there is room for; empty at the end.
    Result<std::vector<std::string>> read_names(DIR* directory) const {
        const std::size_t room =
            std::max(kLeastNames, options_.maximum_names - std::min(names_, options_.maximum_names));
        std::vector<std::string> names;
        while (names.size() < room) {
            errno = 0;
            const dirent* const entry = readdir(directory);
            if (entry == nullptr && errno != 0)
                return Error::from_errno(errno, "readdir");
            if (entry == nullptr)
                break;
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..")
                names.emplace_back(name);
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    bool enter(UniqueFd fd, const std::string& path, std::size_t depth, const std::string& resume) {
        if (!fd || depth > options_.maximum_depth)
            return failed();
        const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd.get()), closedir);
        if (!directory)
            return failed();
        const int directory_fd = fd.release(); // closedir closes it
        static const std::string kFromTheStart;
        const std::string* from = &resume;
        for (;;) {
            const auto names = read_names(directory.get());
            if (!names)
                return failed();
            if (names->empty())
                return true;
            if (names->size() >= kLeastNames && names_ + names->size() >= options_.maximum_names)
                from = &kFromTheStart; // only a piece is in order: no name says what came before it
            names_ += names->size();
            for (const std::string& name : *names)
                if (!visit_entry(directory_fd, name, path + "/" + name, depth, *from))
                    return false;
            names_ -= names->size();
        }
    }

    bool visit_entry(int directory, const std::string& name, const std::string& path, std::size_t depth,
                     const std::string& resume) {
        if (!resume.empty() && comes_before(path, resume) && !is_ancestor(path, resume))
            return true;
        struct stat status {};
        if (!sys::stat_remembered(directory, name.c_str(), status))
            return errno == ENOENT || failed();
        const bool is_directory = S_ISDIR(status.st_mode);
        if (!is_directory && !S_ISREG(status.st_mode))
            return true;
        if ((!options_.cross_devices && status.st_dev != device_) ||
            (options_.is_excluded && options_.is_excluded(path)))
            return true;
        if (status.st_dev != device_ && options_.is_served && options_.is_served(status.st_dev))
            return !options_.on_served || options_.on_served(directory, name, path);
        if (!is_directory && !visit_.opens)
            return visit_file({}, path, status);
        if (!is_directory && options_.is_known && options_.is_known(path, status)) {
            ++statistics_.files;
            return true;
        }
        UniqueFd fd(
            openat(directory, name.c_str(),
                   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (is_directory ? O_DIRECTORY : 0)));
        if (!fd)
            return errno == ENOENT || failed();
        return is_directory ? enter(std::move(fd), path, depth + 1, resume) : visit_file(std::move(fd), path, status);
    }

    static constexpr std::size_t kLeastNames = 1'000;
    const WalkOptions& options_;
    const Visit& visit_;
    WalkStatistics statistics_;
    std::size_t names_ = 0; ///< in memory
    dev_t device_ = 0;
};

} // namespace

Result<WalkStatistics> walk_tree(int start, const std::string& label, const WalkOptions& options,
                                 const FileVisitor& visit) {
    const Visit opening{true, visit};
    return Walker(options, opening).run(start, label);
}

Result<std::uint64_t> count_tree(int start, const WalkOptions& options, const std::string& label,
                                 const std::function<bool()>& going) {
    const Visit counting{false, [&](UniqueFd, const std::string&, const struct stat&) { return going(); }};
    return PICKET_TRY(Walker(options, counting).run(start, label)).files;
}

} // namespace picket::scan
