#include <picket/sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>

namespace picket::sys {
namespace {

Error path_error(std::string_view what, std::string_view path) {
    return Error::from_errno(errno, fmt::format("{} {}", what, escape_for_display(path)));
}

/// Components of an absolute path; refuses "..", NUL and what is not absolute.
Result<std::vector<std::string>> components_of(std::string_view path) {
    if (path.empty() || path[0] != '/' || path.find('\0') != std::string_view::npos)
        return Error(ErrorCode::invalid_input, fmt::format("not an absolute path: {}", escape_for_display(path)));
    std::vector<std::string> components;
    for (const std::string_view part : split(path, '/')) {
        if (part.empty() || part == ".")
            continue;
        if (part == "..")
            return Error(ErrorCode::invalid_input, fmt::format("'..' in path: {}", escape_for_display(path)));
        components.emplace_back(part);
    }
    return components;
}

/// The root-owned link `name` directly below `top`, as components; empty where it is no such link.
std::vector<std::string> top_level_link(int top, const std::string& name) {
    struct stat status {};
    std::array<char, PATH_MAX> target{};
    if (fstatat(top, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(status.st_mode) || status.st_uid != 0)
        return {};
    const ssize_t length = readlinkat(top, name.c_str(), target.data(), target.size());
    if (length <= 0 || static_cast<std::size_t>(length) >= target.size())
        return {};
    const std::string_view text(target.data(), static_cast<std::size_t>(length));
    const auto parsed = components_of(text[0] == '/' ? std::string(text) : "/" + std::string(text));
    return parsed ? *parsed : std::vector<std::string>{};
}

Result<UniqueFd> open_directory_at(int parent, const std::string& name) {
    UniqueFd fd(openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd)
        return path_error("open", name);
    return fd;
}

std::string random_suffix() {
    std::array<Byte, 8> bytes{};
    if (syscall(__NR_getrandom, bytes.data(), bytes.size(), 0) != static_cast<long>(bytes.size())) {
        UniqueFd urandom(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
        if (read(urandom.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
            bytes[0] = static_cast<Byte>(getpid());
    }
    return to_hex(bytes);
}

/// An O_PATH directory descriptor cannot be synced: reopen it.
Result<void> sync_directory(int directory_fd) {
    UniqueFd readable(openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable)
        return path_error("open", "directory");
    if (fsync(readable.get()) != 0 && errno != EINVAL && errno != EROFS)
        return path_error("fsync", "directory");
    return {};
}

} // namespace

Result<Root> Root::open(const std::string& directory) {
    UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return path_error("open", directory);
    std::string label = directory;
    while (!label.empty() && label.back() == '/')
        label.pop_back();
    return Root(std::move(fd), std::move(label));
}

Result<Root::Parent> Root::open_parent(std::string_view path) const {
    auto components = PICKET_TRY(components_of(path));
    if (components.empty())
        return Error(ErrorCode::invalid_input, "the root directory itself was named");
    if (components.size() > 1) {
        auto target = top_level_link(directory_.get(), components.front());
        if (!target.empty()) {
            target.insert(target.end(), components.begin() + 1, components.end());
            components = std::move(target);
        }
    }
    UniqueFd current(fcntl(directory_.get(), F_DUPFD_CLOEXEC, 3));
    if (!current)
        return path_error("dup", path);
    for (std::size_t i = 0; i + 1 < components.size(); ++i) {
        auto next = open_directory_at(current.get(), components[i]);
        if (!next)
            return next.error().with_context(escape_for_display(path));
        current = std::move(*next);
    }
    return Parent{std::move(current), components.back()};
}

Result<UniqueFd> Root::open_file(std::string_view path, int flags, mode_t mode) const {
    if (path == "/") {
        UniqueFd self(openat(directory_.get(), ".", flags | O_CLOEXEC));
        if (!self)
            return path_error("open", path);
        return self;
    }
    const Parent parent = PICKET_TRY(open_parent(path));
    UniqueFd fd(openat(parent.directory.get(), parent.name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd)
        return path_error("open", path);
    return fd;
}

Result<std::string> Root::read(std::string_view path, Bytes limit) const {
    // O_NONBLOCK: a fifo planted here must not hang us.
    const UniqueFd fd = PICKET_TRY(open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (fstat(fd.get(), &status) != 0)
        return path_error("stat", path);
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, fmt::format("not a regular file: {}", escape_for_display(path)));
    auto content = read_all(fd.get(), limit);
    if (!content)
        return content.error().with_context(escape_for_display(path));
    return content;
}

Result<void> Root::write_atomically(std::string_view path, std::string_view content, mode_t mode) const {
    const Parent parent = PICKET_TRY(open_parent(path));
    const auto written = write_atomically_at(parent.directory.get(), parent.name, content, mode);
    return written ? written : Result<void>(written.error().with_context(escape_for_display(path)));
}

Result<void> Root::make_directories(std::string_view path, mode_t mode) const {
    const auto components = PICKET_TRY(components_of(path));
    std::string so_far;
    for (std::size_t i = 0; i < components.size(); ++i) {
        so_far += "/" + components[i];
        const bool last = i + 1 == components.size();
        const Parent parent = PICKET_TRY(open_parent(so_far));
        if (mkdirat(parent.directory.get(), parent.name.c_str(), last ? mode : 0755) == 0) {
            // The umask is the caller's; the mode asked for is not.
            if (fchmodat(parent.directory.get(), parent.name.c_str(), last ? mode : 0755, 0) != 0)
                return path_error("chmod", so_far);
            PICKET_TRY(sync_directory(parent.directory.get()));
        } else if (errno != EEXIST) {
            return path_error("mkdir", so_far);
        }
    }
    return {};
}

Result<struct stat> Root::status(std::string_view path) const {
    struct stat status {};
    if (path == "/") {
        if (fstat(directory_.get(), &status) != 0)
            return path_error("stat", path);
        return status;
    }
    const Parent parent = PICKET_TRY(open_parent(path));
    if (fstatat(parent.directory.get(), parent.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return path_error("stat", path);
    return status;
}

Result<bool> Root::remove(std::string_view path) const {
    const auto parent = open_parent(path);
    if (!parent) {
        if (parent.error().code() == ErrorCode::not_found)
            return false;
        return parent.error();
    }
    if (unlinkat(parent->directory.get(), parent->name.c_str(), 0) == 0)
        return true;
    if (errno == ENOENT)
        return false;
    if ((errno == EISDIR || errno == EPERM) &&
        unlinkat(parent->directory.get(), parent->name.c_str(), AT_REMOVEDIR) == 0)
        return true;
    return path_error("remove", path);
}

Result<std::vector<std::string>> Root::list(std::string_view path, std::size_t limit) const {
    UniqueFd fd = PICKET_TRY(open_file(path, O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd.get()), closedir);
    if (!directory)
        return path_error("read", path);
    (void)fd.release(); // closedir closes it
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = readdir(directory.get());
        if (entry == nullptr)
            break;
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..")
            continue;
        if (names.size() >= limit)
            return Error(ErrorCode::exhausted,
                         fmt::format("more than {} entries in {}", limit, escape_for_display(path)));
        names.emplace_back(name);
    }
    if (errno != 0)
        return path_error("read", path);
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::string> read_all(int fd, Bytes limit) {
    std::string content;
    std::array<char, 16384> buffer{};
    for (;;) {
        const ssize_t got = read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(errno, "read");
        if (got == 0)
            return content;
        if (content.size() + static_cast<std::size_t>(got) > limit.count)
            return Error(ErrorCode::exhausted, fmt::format("larger than {}", to_human(limit)));
        content.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Result<void> write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t put = write(fd, content.data(), content.size());
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return Error::from_errno(errno, "write");
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

Result<void> write_atomically_at(int directory_fd, const std::string& name, std::string_view content, mode_t mode) {
    const std::string temporary = fmt::format(".{}.{}.tmp", name.substr(0, 200), random_suffix());
    UniqueFd file(openat(directory_fd, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file)
        return path_error("create", temporary);
    ScopeExit cleanup([&] { unlinkat(directory_fd, temporary.c_str(), 0); });
    PICKET_TRY(write_all(file.get(), content));
    if (fchmod(file.get(), mode) != 0)
        return path_error("chmod", temporary);
    if (fsync(file.get()) != 0)
        return path_error("fsync", temporary);
    file.reset();
    if (renameat(directory_fd, temporary.c_str(), directory_fd, name.c_str()) != 0)
        return path_error("rename", name);
    cleanup.dismiss();
    return sync_directory(directory_fd);
}

Result<std::string> read_kernel_file(const std::string& path, Bytes limit) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd)
        return path_error("open", path);
    return read_all(fd.get(), limit);
}

Result<UniqueFd> memory_file(std::string_view content, const char* name) {
    UniqueFd fd(static_cast<int>(syscall(__NR_memfd_create, name, 1U /* MFD_CLOEXEC */)));
    for (const char* directory : {"/run", "/tmp"}) { // before 3.17; /run is root's
        if (fd)
            break;
        std::string path = std::string(directory) + "/picket-memory-XXXXXX";
        fd = UniqueFd(mkostemp(path.data(), O_CLOEXEC));
        if (fd)
            unlink(path.c_str());
    }
    if (!fd)
        return Error::from_errno(errno, "create a file in memory");
    PICKET_TRY(write_all(fd.get(), content));
    if (lseek(fd.get(), 0, SEEK_SET) != 0)
        return Error::from_errno(errno, "seek");
    return fd;
}

} // namespace picket::sys
