#include "selftest_file.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/clock.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>
#include <picket/model/test_pattern.h>
#include <picket/sys/file.h>

namespace picket::cli {
namespace {

constexpr Milliseconds kOpenPatience{15'000};
constexpr std::string_view kNamePrefix = "selftest-";

Result<std::string> random_name() {
    const UniqueFd source(::open("/dev/urandom", O_RDONLY | O_CLOEXEC));
    Byte bytes[8] = {};
    if (!source || ::read(source.get(), bytes, sizeof(bytes)) != sizeof(bytes))
        return Error::from_errno(errno, "/dev/urandom");
    return std::string(kNamePrefix) + to_hex(bytes);
}

Result<UniqueFd> open_directory(const std::string& path) {
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return directory ? Result<UniqueFd>(std::move(directory)) : Error::from_errno(errno, path);
}

Result<UniqueFd> open_own_directory() {
    const sys::Root root = PICKET_TRY(sys::Root::open("/"));
    PICKET_TRY(root.make_directories(paths::kSelfTestDirectory, 0700));
    UniqueFd directory = PICKET_TRY(root.open_file(paths::kSelfTestDirectory, O_RDONLY | O_DIRECTORY));
    // What a killed self-test left behind.
    for (const std::string& name : root.list(paths::kSelfTestDirectory).value_or(std::vector<std::string>()))
        if (name.starts_with(kNamePrefix))
            ::unlinkat(directory.get(), name.c_str(), 0);
    return directory;
}

} // namespace

Result<TestFile> TestFile::create(const std::string& directory) {
    UniqueFd folder = PICKET_TRY(directory.empty() ? open_own_directory() : open_directory(directory));
    std::string name = PICKET_TRY(random_name());
    UniqueFd writer(::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!writer)
        return Error::from_errno(errno, fmt::format("creating {}", name));
    return TestFile(std::move(folder), std::move(name), std::move(writer));
}

Result<UniqueFd> TestFile::open_reader() const {
    UniqueFd reader(::openat(directory_.get(), name_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    return reader ? Result<UniqueFd>(std::move(reader))
                  : Error::from_errno(errno, fmt::format("opening the empty {}", name_));
}

Result<void> TestFile::fill() const {
    return sys::write_all(writer_.get(), test_pattern());
}

bool TestFile::exists() const {
    struct stat status {};
    return ::fstatat(directory_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

void TestFile::remove() const {
    ::unlinkat(directory_.get(), name_.c_str(), 0);
}

std::optional<int> TestFile::opened_by_another() const {
    const pid_t child = ::fork();
    if (child < 0)
        return errno;
    if (child == 0) {
        const int fd = ::openat(directory_.get(), name_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            ::_exit(errno & 0xff);
        char byte = 0;
        const ssize_t got = ::read(fd, &byte, 1);
        ::_exit(got == 1 ? 0 : got == 0 ? ENODATA : errno & 0xff);
    }
    const MonotonicTime end = SystemClock().monotonic() + kOpenPatience;
    int status = 0;
    while (SystemClock().monotonic() < end) {
        if (::waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
        std::this_thread::sleep_for(Milliseconds(10));
    }
    ::kill(child, SIGKILL);
    return std::nullopt; // on old kernels it cannot be killed either; it is init's to collect
}

} // namespace picket::cli
