#include "child.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/unique_fd.h>

namespace picket::supervisor {
namespace {

constexpr int kCannotRun = 127;
constexpr decltype(statfs::f_type) kTmpfsMagic = 0x01021994;
constexpr unsigned kCloseRangeCloexec = 4; // Linux 5.11

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

void close_all_but_standard() {
    if (syscall(__NR_close_range, 3U, ~0U, kCloseRangeCloexec) == 0)
        return;
    const long top = sysconf(_SC_OPEN_MAX);
    for (int fd = 3; fd < top && fd < 65536; ++fd)
        close(fd);
}

[[noreturn]] void become(const std::optional<sandbox::Identity>& user, pid_t parent, int null_fd,
                         char* const* arguments, char* const* environment) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    umask(022);
    dup2(null_fd, STDIN_FILENO);
    close_all_but_standard();
    if (user && !sandbox::become(*user))
        _exit(kCannotRun);
    // After the change of user, which clears it.
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() == parent)
        execve(arguments[0], arguments, environment);
    _exit(kCannotRun);
}

} // namespace

Result<pid_t> start_child(const ChildSpec& spec, const std::optional<sandbox::Identity>& user,
                          const std::string& notify_path) {
    std::vector<std::string> arguments = spec.arguments;
    std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                         "NOTIFY_SOCKET=" + notify_path};
    if (spec.watchdog.count() > 0)
        environment.push_back(fmt::format("WATCHDOG_USEC={}", spec.watchdog.count() * 1'000));
    const std::vector<char*> argv = pointers_to(arguments);
    const std::vector<char*> envp = pointers_to(environment);
    const pid_t parent = getpid();
    // Opened once: a device node on a marked file system could wait for the very gate that is to be replaced.
    static const UniqueFd null_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
    const pid_t pid = fork();
    if (pid < 0)
        return Error::from_errno(errno, fmt::format("start {}", spec.name));
    if (pid == 0)
        become(user, parent, null_fd.get(), argv.data(), envp.data());
    return pid;
}

Result<bool> make_temporary_directory(const std::string& directory, const sandbox::Identity& user) {
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return Error::from_errno(errno, fmt::format("mkdir {}", directory));
    struct statfs file_system {};
    struct stat self {};
    struct stat parent {};
    const bool mounted = stat(directory.c_str(), &self) == 0 && stat((directory + "/..").c_str(), &parent) == 0 &&
                         self.st_dev != parent.st_dev && statfs(directory.c_str(), &file_system) == 0 &&
                         file_system.f_type == kTmpfsMagic;
    if (mounted)
        return false;
    const std::string options = fmt::format("size=512m,mode=0700,uid={},gid={}", user.uid, user.gid);
    if (mount("picket-engine-tmp", directory.c_str(), "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, options.c_str()) == 0)
        return true;
    const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd || fchmod(fd.get(), 0700) != 0 || (user.uid != geteuid() && fchown(fd.get(), user.uid, user.gid) != 0))
        return Error::from_errno(errno, fmt::format("make {} ready", directory));
    return false;
}

} // namespace picket::supervisor
