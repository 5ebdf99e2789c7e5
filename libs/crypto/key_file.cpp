#include <picket/crypto/key_file.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/random.h>
#include <picket/sys/file.h>

namespace picket::crypto {
namespace {

constexpr Bytes kLimit = kibibytes(64);

Error failed(std::string_view what, std::string_view path) {
    return Error::from_errno(errno, fmt::format("{} {}", what, escape_for_display(path)));
}

/// Renames without replacing; by a hard link where kernel (before 3.15) or file system cannot.
bool rename_new(int directory, const std::string& from, const std::string& to) {
    constexpr unsigned kNoReplace = 1;
    if (syscall(__NR_renameat2, directory, from.c_str(), directory, to.c_str(), kNoReplace) == 0)
        return true;
    if (errno != ENOSYS && errno != EINVAL)
        return false;
    if (linkat(directory, from.c_str(), directory, to.c_str(), 0) != 0)
        return false;
    unlinkat(directory, from.c_str(), 0);
    return true;
}

} // namespace

Result<void> write_new_secret_file(const std::string& path, std::string_view content) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    const UniqueFd directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return failed("open", parent);
    const std::string temporary = fmt::format(".{}.{}.tmp", name.substr(0, 200), to_hex(random_bytes(8)));
    const UniqueFd file(
        openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file)
        return failed("create", path);
    ScopeExit cleanup([&] { unlinkat(directory.get(), temporary.c_str(), 0); });
    PICKET_TRY(sys::write_all(file.get(), content));
    if (fchmod(file.get(), 0600) != 0 || fsync(file.get()) != 0)
        return failed("write", path);
    if (!rename_new(directory.get(), temporary, name)) {
        if (errno == EEXIST)
            return Error(ErrorCode::conflict,
                         fmt::format("{} is there already; it is never overwritten", escape_for_display(path)));
        return failed("create", path);
    }
    cleanup.dismiss();
    if (fsync(directory.get()) != 0 && errno != EINVAL)
        return failed("fsync", parent);
    return {};
}

Result<Secret> read_secret_file(const std::string& path) {
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file)
        return failed("open", path);
    struct stat status {};
    if (fstat(file.get(), &status) != 0)
        return failed("stat", path);
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, fmt::format("not a regular file: {}", escape_for_display(path)));
    if ((status.st_mode & 077) != 0)
        return Error(ErrorCode::permission,
                     fmt::format("{} can be read by others (mode {:04o}): chmod 600 it, and think about "
                                 "who may have read it",
                                 escape_for_display(path), status.st_mode & 07777U));
    auto content = sys::read_all(file.get(), kLimit);
    if (!content)
        return content.error().with_context(escape_for_display(path));
    Secret secret{std::string_view(*content)};
    cleanse(*content);
    return secret;
}

} // namespace picket::crypto
