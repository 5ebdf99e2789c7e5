#include "fanotify_probe.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace picket::host {
namespace {

constexpr int kEventTimeoutMs = 1'000;
constexpr long kTmpfsMagic = 0x01021994;
constexpr const char* kFileName = "probe";
// What the opener says with its exit status.
constexpr int kFirstDenied = 1;
constexpr int kSecondAllowed = 2;

// From here to run_helper: between fork and _exit of a process that may have had threads, so system calls only.

[[noreturn]] void finish(int report_fd, ProbeStage stage, int error) {
    const ProbeReport report{stage, error};
    const ssize_t ignored = write(report_fd, &report, sizeof report);
    (void)ignored;
    _exit(0);
}

/// Mounts a tmpfs over a directory that exists everywhere, where only this process sees it; gives a descriptor of it.
int private_tmpfs(int report_fd) {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        finish(report_fd, ProbeStage::namespace_, errno);
    static constexpr std::array<const char*, 4> kPlaces{"/tmp", "/run", "/var", "/etc"};
    for (const char* place : kPlaces) {
        struct stat before {};
        if (stat(place, &before) != 0 ||
            mount("picket-probe", place, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=700") != 0)
            continue;
        const int directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat after {};
        struct statfs kind {};
        // A mark on anything but our own mount would stop the host: look twice.
        if (directory >= 0 && fstat(directory, &after) == 0 && fstatfs(directory, &kind) == 0 &&
            kind.f_type == kTmpfsMagic && after.st_dev != before.st_dev)
            return directory;
        finish(report_fd, ProbeStage::mount, directory < 0 ? errno : EXDEV);
    }
    finish(report_fd, ProbeStage::mount, errno);
}

/// Opens the file twice, as soon as it holds no copy of the group: a group lives as long as any copy does.
[[noreturn]] void run_opener(int group, int directory) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(group);
    int seen = 0;
    const int first = openat(directory, kFileName, O_RDONLY | O_CLOEXEC);
    if (first < 0 && errno == EPERM)
        seen |= kFirstDenied;
    if (openat(directory, kFileName, O_RDONLY | O_CLOEXEC) >= 0)
        seen |= kSecondAllowed;
    _exit(seen);
}

/// Answers one permission event; false where none came in time.
bool answer(int group, std::uint32_t response) {
    alignas(fanotify_event_metadata) std::array<char, 4096> buffer{};
    pollfd waiting{group, POLLIN, 0};
    if (poll(&waiting, 1, kEventTimeoutMs) != 1) {
        errno = ETIMEDOUT;
        return false;
    }
    const ssize_t got = read(group, buffer.data(), sizeof(fanotify_event_metadata));
    if (got < static_cast<ssize_t>(sizeof(fanotify_event_metadata)))
        return false;
    const auto* event = reinterpret_cast<const fanotify_event_metadata*>(buffer.data());
    if (event->vers != FANOTIFY_METADATA_VERSION || (event->mask & FAN_OPEN_PERM) == 0 || event->fd < 0)
        return false;
    const fanotify_response reply{event->fd, response};
    const bool written = write(group, &reply, sizeof reply) == static_cast<ssize_t>(sizeof reply);
    close(event->fd);
    return written;
}

[[noreturn]] void run_helper(int report_fd) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0); // a core handler would open files while we hold a group
    const int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC | O_LARGEFILE);
    if (group < 0)
        finish(report_fd, ProbeStage::init, errno);
    const int directory = private_tmpfs(report_fd);
    const int file = openat(directory, kFileName, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        finish(report_fd, ProbeStage::mount, errno);
    close(file);
    if (fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_PERM, directory, nullptr) != 0)
        finish(report_fd, ProbeStage::mark, errno);
    const pid_t opener = fork();
    if (opener == 0)
        run_opener(group, directory);
    if (opener < 0)
        finish(report_fd, ProbeStage::event, errno);
    const bool answered = answer(group, FAN_DENY) && answer(group, FAN_ALLOW);
    const int reason = errno;
    close(group); // frees the opener whatever happened
    int status = 0;
    if (waitpid(opener, &status, 0) != opener || !WIFEXITED(status))
        finish(report_fd, ProbeStage::event, ECHILD);
    const int seen = WEXITSTATUS(status);
    if (!answered)
        finish(report_fd, ProbeStage::event, reason);
    if ((seen & kFirstDenied) == 0)
        finish(report_fd, ProbeStage::deny, 0);
    finish(report_fd, (seen & kSecondAllowed) == 0 ? ProbeStage::allow : ProbeStage::works, 0);
}

} // namespace

FanotifyProbe::FanotifyProbe(Milliseconds timeout) : deadline_(std::chrono::steady_clock::now() + timeout) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        report_.error = errno;
        finished_ = true;
        return;
    }
    results_ = UniqueFd(ends[0]);
    const UniqueFd report_end(ends[1]);
    helper_ = fork();
    if (helper_ == 0)
        run_helper(report_end.get());
    if (helper_ < 0) {
        report_.error = errno;
        finished_ = true;
        return;
    }
    setpgid(helper_, helper_); // either of us is first
}

FanotifyProbe::~FanotifyProbe() {
    end_helper();
}

void FanotifyProbe::end_helper() {
    if (helper_ <= 0)
        return;
    kill(-helper_, SIGKILL);
    while (waitpid(helper_, nullptr, 0) < 0 && errno == EINTR) {
    }
    helper_ = -1;
}

const ProbeReport& FanotifyProbe::report() {
    while (!finished_) {
        const auto left = std::chrono::duration_cast<Milliseconds>(deadline_ - std::chrono::steady_clock::now());
        pollfd waiting{results_.get(), POLLIN, 0};
        const int ready = left.count() <= 0 ? 0 : poll(&waiting, 1, static_cast<int>(left.count()));
        if (ready < 0 && errno == EINTR)
            continue;
        ProbeReport received;
        if (ready <= 0)
            report_ = {ProbeStage::event, ETIMEDOUT};
        else if (read(results_.get(), &received, sizeof received) == static_cast<ssize_t>(sizeof received))
            report_ = received;
        else
            report_ = {ProbeStage::start, ECHILD};
        finished_ = true;
    }
    return report_;
}

} // namespace picket::host
