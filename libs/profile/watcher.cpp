#include <picket/profile/watcher.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <optional>
#include <string>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <picket/base/unique_fd.h>
#include <picket/model/paths.h>

#include "files.h"

namespace picket::profile {
namespace {

using std::chrono::steady_clock;

constexpr Milliseconds kSettle(200);
constexpr Milliseconds kLongestSettle(2'000);
constexpr Milliseconds kLook(1'000);

/// Which of a folder's names make a profile; of a folder above, the files themselves must tell.
enum class Interest { profiles, settings, folders };
enum class Change { none, possible, certain };

struct Folder {
    const char* path;
    Interest interest;
};
constexpr std::array<Folder, 2> kFolders = {
    {{paths::kManagedDirectory, Interest::profiles}, {paths::kStateDirectory, Interest::settings}}};

timespec to_timespec(Milliseconds time) {
    return {static_cast<time_t>(time.count() / 1'000), static_cast<long>(time.count() % 1'000) * 1'000'000};
}

void set_timer(const UniqueFd& timer, Milliseconds first, Milliseconds every) {
    const itimerspec when{to_timespec(every), to_timespec(first)};
    timerfd_settime(timer.get(), 0, &when, nullptr);
}

void describe(const sys::Root& root, const std::string& path, std::string& signature) {
    const auto status = root.status(path);
    if (!status)
        return;
    signature += fmt::format("{}\n{} {} {} {} {}.{} {}.{} {} {}\n", path, status->st_dev, status->st_ino,
                             status->st_mode, status->st_size, status->st_mtim.tv_sec, status->st_mtim.tv_nsec,
                             status->st_ctim.tv_sec, status->st_ctim.tv_nsec, status->st_uid, status->st_gid);
}

/// What a change of any profile changes, too.
std::string signature_of(const sys::Root& root) {
    std::string signature;
    describe(root, paths::kLocalSettings, signature);
    const auto names = root.list(paths::kManagedDirectory, 10 * kMaximumFiles);
    if (!names)
        return signature + names.error().message();
    for (const std::string& name : *names)
        if (is_profile_name(name))
            describe(root, fmt::format("{}/{}", paths::kManagedDirectory, name), signature);
    // The folder's owner and mode count; its times do not: temporary files come and go in it.
    if (const auto status = root.status(paths::kManagedDirectory))
        signature += fmt::format("{} {} {}", status->st_mode, status->st_uid, status->st_ino);
    return signature;
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}

Change meaning_of(Interest interest, std::string_view name) {
    switch (interest) {
    case Interest::profiles:
        return is_profile_name(name) ? Change::certain : Change::possible;
    case Interest::settings:
        return name == "settings.json" ? Change::certain : Change::none;
    case Interest::folders:
        return Change::possible;
    }
    return Change::possible;
}

} // namespace

struct Watcher::Impl {
    explicit Impl(const sys::Root& watched) : root(watched) {}

    Result<void> start();
    void add_watches();
    void watch(const std::string& path, Interest interest);
    Change read_events();
    void settle_later();
    bool end_settling();

    const sys::Root& root;
    UniqueFd epoll;
    UniqueFd inotify;
    UniqueFd settle_timer;
    UniqueFd look_timer;
    std::map<int, Interest> watches;
    std::string signature;
    bool certain = false;
    std::optional<steady_clock::time_point> changing_since;
};

Result<void> Watcher::Impl::start() {
    epoll = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
    settle_timer = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    look_timer = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!epoll || !settle_timer || !look_timer)
        return Error::from_errno(errno, "watching the profiles");
    inotify = UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); // -1 where the user has too many: looking must do
    for (const UniqueFd* fd : {&settle_timer, &look_timer, &inotify}) {
        epoll_event event{};
        event.events = EPOLLIN;
        if (*fd && epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd->get(), &event) != 0)
            return Error::from_errno(errno, "watching the profiles");
    }
    add_watches();
    signature = signature_of(root);
    set_timer(look_timer, kLook, kLook);
    return {};
}

/// Each folder and the one above it, so that its coming and going is seen; where that is missing too, the next above.
void Watcher::Impl::add_watches() {
    const auto before = std::exchange(watches, {});
    for (const Folder& folder : kFolders) {
        watch(folder.path, folder.interest);
        std::string above = parent_of(folder.path);
        while (above != "/" && !root.exists(above))
            above = parent_of(above);
        watch(above, Interest::folders);
    }
    for (const auto& [old, unused] : before)
        if (!watches.contains(old))
            inotify_rm_watch(inotify.get(), old);
}

void Watcher::Impl::watch(const std::string& path, Interest interest) {
    if (!inotify)
        return;
    const auto fd = root.open_file(path, O_PATH | O_DIRECTORY);
    if (!fd)
        return;
    // Through the descriptor: what was checked to lie in the tree is what gets watched.
    const std::string name = fmt::format("/proc/self/fd/{}", fd->get());
    constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB |
                                      IN_DELETE_SELF | IN_MOVE_SELF;
    const int watch = inotify_add_watch(inotify.get(), name.c_str(), kEvents | IN_ONLYDIR);
    if (watch >= 0)
        watches.try_emplace(watch, interest);
}

Change Watcher::Impl::read_events() {
    Change change = Change::none;
    alignas(inotify_event) std::array<char, 16'384> buffer{};
    for (;;) {
        const ssize_t got = inotify ? read(inotify.get(), buffer.data(), buffer.size()) : -1;
        if (got <= 0)
            return change;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* name = event.len > 0 ? buffer.data() + at + sizeof event : "";
            at += sizeof event + event.len;
            const auto known = watches.find(event.wd);
            if ((event.mask & IN_Q_OVERFLOW) != 0)
                change = Change::certain;
            else if (known != watches.end())
                change = std::max(change, meaning_of(known->second, name));
        }
    }
}

void Watcher::Impl::settle_later() {
    const auto now = steady_clock::now();
    if (!changing_since)
        changing_since = now;
    const auto left = std::chrono::duration_cast<Milliseconds>(*changing_since + kLongestSettle - now);
    set_timer(settle_timer, std::max(Milliseconds(1), std::min(kSettle, left)), Milliseconds(0));
}

bool Watcher::Impl::end_settling() {
    changing_since.reset();
    add_watches();
    const std::string before = std::exchange(signature, signature_of(root));
    return std::exchange(certain, false) || before != signature;
}

Watcher::Watcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Watcher::~Watcher() = default;

Result<std::unique_ptr<Watcher>> Watcher::create(const sys::Root& root) {
    auto impl = std::make_unique<Impl>(root);
    PICKET_TRY(impl->start());
    return std::unique_ptr<Watcher>(new Watcher(std::move(impl)));
}

int Watcher::fd() const {
    return impl_->epoll.get();
}

bool Watcher::on_readable() {
    std::uint64_t ticks = 0;
    const Change change = impl_->read_events();
    if (change != Change::none)
        impl_->settle_later();
    impl_->certain = impl_->certain || change == Change::certain;
    if (read(impl_->look_timer.get(), &ticks, sizeof ticks) > 0 && !impl_->changing_since &&
        signature_of(impl_->root) != impl_->signature)
        impl_->settle_later();
    if (read(impl_->settle_timer.get(), &ticks, sizeof ticks) <= 0 || !impl_->changing_since)
        return false;
    return impl_->end_settling();
}

} // namespace picket::profile
