#include "probe_attempts.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace picket::engine {
namespace {

// Numbers that the headers of an old build host lack; the same on every architecture.
constexpr long kPidfdOpen = 434;
constexpr long kIoUringSetup = 425;

bool opens(const char* path, int flags) {
    const int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

bool writes(const char* path) {
    if (!opens(path, O_WRONLY | O_CREAT | O_EXCL))
        return false;
    unlink(path);
    return true;
}

bool makes_socket(int family, int type) {
    return socket(family, type | SOCK_CLOEXEC, 0) >= 0;
}

bool forks() {
    const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0)
        _exit(0);
    return child > 0;
}

bool reads_parent() {
    char byte = 0;
    const iovec local{&byte, 1};
    const iovec remote{&byte, 1}; // forked: the same address
    return process_vm_readv(getppid(), &local, 1, &remote, 1, 0) == 1;
}

bool raises_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return false;
    limit.rlim_cur = limit.rlim_max = 1U << 20;
    return setrlimit(RLIMIT_CORE, &limit) == 0;
}

bool maps_writable_code() {
    void* const memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED;
}

bool makes_code_of_data() {
    void* const memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED && mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0;
}

bool executes(const char* path) {
    std::array<char*, 2> arguments{const_cast<char*>(path), nullptr};
    std::array<char*, 1> environment{nullptr};
    execve(path, arguments.data(), environment.data()); // itself exits with 0
    return false;
}

bool sets_up_io_uring() {
    std::array<char, 512> parameters{};
    return syscall(kIoUringSetup, 4U, parameters.data()) >= 0;
}

bool is(long result) {
    return result >= 0;
}

} // namespace

const std::vector<Attempt>& breakout_attempts() {
    static const std::vector<Attempt> attempts{
        {"read /etc/passwd", [] { return opens("/etc/passwd", O_RDONLY); }},
        {"read /proc/self/maps", [] { return opens("/proc/self/maps", O_RDONLY); }},
        {"read /proc/1/status", [] { return opens("/proc/1/status", O_RDONLY); }},
        {"list /", [] { return opens("/", O_RDONLY | O_DIRECTORY); }},
        {"leave the scratch directory by ..", [] { return writes("../../picket-probe-up"); }},
        {"write /tmp", [] { return writes("/tmp/picket-probe-file"); }},
        {"write /dev/shm", [] { return writes("/dev/shm/picket-probe-file"); }},
        {"make a symbolic link", [] { return is(symlink("/etc/passwd", "probe-link")); }},
        {"make a FIFO", [] { return is(mkfifo("probe-fifo", 0600)); }},
        {"make a hard link", [] { return is(link("/etc/passwd", "probe-hard")); }},
        {"change a mode", [] { return is(chmod(".", 04755)); }},
        {"TCP socket", [] { return makes_socket(AF_INET, SOCK_STREAM); }},
        {"UDP socket", [] { return makes_socket(AF_INET6, SOCK_DGRAM); }},
        {"UNIX socket", [] { return makes_socket(AF_UNIX, SOCK_STREAM); }},
        {"netlink socket", [] { return makes_socket(AF_NETLINK, SOCK_RAW); }},
        {"vsock socket", [] { return makes_socket(40, SOCK_STREAM); }},
        {"fork", forks},
        {"execute a program", [] { return executes("/bin/true"); }},
        {"be traced", [] { return is(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }},
        {"read another process's memory", reads_parent},
        {"signal the parent", [] { return is(kill(getppid(), SIGCONT)); }},
        {"signal everybody", [] { return is(kill(-1, 0)); }},
        {"signal the parent's thread", [] { return is(syscall(SYS_tgkill, getppid(), getppid(), SIGCONT)); }},
        {"hold the parent by pidfd", [] { return is(syscall(kPidfdOpen, getppid(), 0U)); }},
        {"io_uring", sets_up_io_uring},
        {"new user namespace", [] { return is(unshare(CLONE_NEWUSER)); }},
        {"new mount namespace", [] { return is(unshare(CLONE_NEWNS)); }},
        {"mount", [] { return is(mount("none", ".", "tmpfs", 0, nullptr)); }},
        {"chroot", [] { return is(chroot(".")); }},
        {"become root", [] { return is(setresuid(0, 0, 0)); }},
        {"be dumpable", [] { return is(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
        {"raise a limit", raises_limit},
        {"writable code", maps_writable_code},
        {"code made of data", makes_code_of_data},
        {"change the personality", [] { return is(personality(ADDR_NO_RANDOMIZE)); }},
        {"terminal input", [] { return is(ioctl(0, TIOCSTI, "x")); }},
        {"bpf", [] { return is(syscall(__NR_bpf, 0, nullptr, 0)); }},
        {"performance counters", [] { return is(syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0)); }},
        {"userfaultfd", [] { return is(syscall(__NR_userfaultfd, 1)); }},
        {"keyring", [] { return is(syscall(SYS_add_key, "user", "picket-probe", "x", 1, -2)); }},
        {"file handles", [] { return is(syscall(SYS_open_by_handle_at, AT_FDCWD, nullptr, 0)); }},
        {"load a kernel module", [] { return is(syscall(SYS_init_module, nullptr, 0, "")); }},
        {"set the clock", [] { return is(syscall(SYS_clock_settime, 0, nullptr)); }},
    };
    return attempts;
}

} // namespace picket::engine
