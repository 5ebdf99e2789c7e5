#include "staging.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/random.h>
#include <picket/sys/file.h>

namespace picket::trust {
namespace {

Error failed(std::string_view what, std::string_view name) {
    return Error::from_errno(errno, fmt::format("{} {}", what, escape_for_display(name)));
}

Result<void> check_private(int fd) {
    struct stat status {};
    if (fstat(fd, &status) != 0)
        return failed("stat", "the target directory");
    if (!S_ISDIR(status.st_mode))
        return Error(ErrorCode::invalid_input, "the target is not a directory");
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        return Error(ErrorCode::permission,
                     fmt::format("the target directory must belong to the caller alone (mode 0700, is {:04o})",
                                 status.st_mode & 07777U));
    return {};
}

Result<void> check_empty(int fd) {
    UniqueFd readable(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(readable ? fdopendir(readable.get()) : nullptr, closedir);
    if (!directory)
        return failed("read", "the target directory");
    (void)readable.release();
    while (const dirent* entry = readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            return Error(ErrorCode::conflict,
                         fmt::format("the target directory is not empty: {} is in it", escape_for_display(name)));
    }
    return {};
}

Result<void> sync_directory(int fd) {
    const UniqueFd readable(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable || (fsync(readable.get()) != 0 && errno != EINVAL))
        return failed("fsync", "the target directory");
    return {};
}

} // namespace

Result<Staging> Staging::create(int target_fd) {
    PICKET_TRY(check_private(target_fd));
    PICKET_TRY(check_empty(target_fd));
    std::string name = ".staging-" + to_hex(crypto::random_bytes(8));
    if (mkdirat(target_fd, name.c_str(), 0700) != 0)
        return failed("create", name);
    UniqueFd directory(openat(target_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) {
        const Error error = failed("open", name);
        unlinkat(target_fd, name.c_str(), AT_REMOVEDIR);
        return error;
    }
    return Staging(target_fd, std::move(name), std::move(directory));
}

Staging::~Staging() {
    if (!directory_)
        return;
    current_.reset();
    for (const File& file : files_)
        file.placed ? unlinkat(target_, file.name.c_str(), 0) : unlinkat(directory_.get(), file.temporary.c_str(), 0);
    for (auto made = made_directories_.rbegin(); made != made_directories_.rend(); ++made)
        unlinkat(target_, made->c_str(), AT_REMOVEDIR);
    unlinkat(target_, directory_name_.c_str(), AT_REMOVEDIR);
}

Result<void> Staging::start_file(const std::string& name, unsigned mode) {
    const std::string temporary = std::to_string(files_.size());
    current_ = UniqueFd(
        openat(directory_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!current_)
        return failed("create", name);
    files_.push_back({name, temporary});
    if (fchmod(current_.get(), mode) != 0)
        return failed("chmod", name);
    return {};
}

Result<void> Staging::write(ByteSpan bytes) {
    return sys::write_all(current_.get(), as_text(bytes));
}

Result<void> Staging::finish_file() {
    if (fsync(current_.get()) != 0 && errno != EINVAL)
        return failed("fsync", files_.back().name);
    current_.reset();
    return {};
}

/// Names are safe (archive::is_safe_name), and nobody else can put a link into the target: it is ours alone.
Result<void> Staging::place(File& file) {
    for (auto slash = file.name.find('/'); slash != std::string::npos; slash = file.name.find('/', slash + 1)) {
        const std::string parent = file.name.substr(0, slash);
        if (mkdirat(target_, parent.c_str(), 0700) == 0)
            made_directories_.push_back(parent);
        else if (errno != EEXIST)
            return failed("create", parent);
    }
    if (renameat(directory_.get(), file.temporary.c_str(), target_, file.name.c_str()) != 0)
        return failed("rename", file.name);
    file.placed = true;
    return {};
}

Result<void> Staging::commit() {
    for (File& file : files_)
        PICKET_TRY(place(file));
    for (const std::string& made : made_directories_) {
        const UniqueFd directory(openat(target_, made.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory)
            return failed("open", made);
        PICKET_TRY(sync_directory(directory.get()));
    }
    PICKET_TRY(sync_directory(target_));
    if (unlinkat(target_, directory_name_.c_str(), AT_REMOVEDIR) != 0)
        return failed("remove", directory_name_);
    directory_.reset();
    return {};
}

} // namespace picket::trust
