#include <picket/watch/mount_scout.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <new>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/ipc/record.h>
#include <picket/sys/file.h>
#include <picket/sys/mounts.h>

#include "canary.h"

namespace picket::watch {
namespace {

constexpr int kLookEveryMs = 1'000;
constexpr auto kQuietAfter = std::chrono::seconds(3);
constexpr auto kLookWhenQuiet = std::chrono::seconds(5);
constexpr int kOpenTimeoutMs = 2'000;
constexpr auto kRetryFailedAfter = std::chrono::seconds(30);
constexpr auto kEnterAnewEvery = std::chrono::seconds(1);
constexpr std::string_view kReportAgain = "again";
constexpr std::string_view kProve = "prove";
constexpr std::string_view kKeep = "keep ";     ///< and the slot; with the sockets for orders and events
constexpr std::string_view kEndKeeper = "end "; ///< and the slot
constexpr Bytes kMountinfoLimit = mebibytes(16);

/// What this process and its children have taken so far. How long that took says nothing on a busy host.
std::chrono::microseconds processor_time() {
    std::chrono::microseconds sum{0};
    for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        getrusage(who, &usage);
        for (const timeval& time : {usage.ru_utime, usage.ru_stime})
            sum += std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    }
    return sum;
}

/// Its number, in the namespace of ours, which numbers those of all below it too.
std::optional<std::string> newest_process() {
    const auto text = sys::read_kernel_file("/proc/loadavg", kibibytes(1));
    const auto words = text ? split(trim(*text), ' ') : std::vector<std::string_view>();
    return words.empty() ? std::nullopt : std::optional<std::string>(words.back());
}

/// A report on the wire between the scout's processes and the daemon; both ends are ours.
struct WireReport {
    MountReport::State state = MountReport::State::swept;
    std::uint16_t host_namespace = 0;
    std::uint16_t noexec = 0;
    std::uint64_t device = 0;
    std::uint64_t mount_namespace = 0;
    std::int32_t mount_id = 0;
    std::int32_t error = 0;
    std::uint64_t canary_device = 0;
    std::uint64_t canary_inode = 0;
    char type[64] = {};
    char mount_point[1024] = {};
};

template <std::size_t N>
void set_text(char (&field)[N], const std::string& text) {
    std::strncpy(field, text.c_str(), N - 1);
}

struct Namespace {
    std::uint64_t inode = 0;
    pid_t pid = 0; ///< somebody who lives in it
    bool host = false;
    bool operator==(const Namespace&) const = default;
};

/// (namespace, mount id) per mount, (0, device) per file system.
using Key = std::pair<std::uint64_t, std::uint64_t>;

struct Target {
    Key key;
    WireReport report;
    pid_t pid = 0;
    std::string mount_point;
    std::string identity; ///< of the mount, as far as its line tells: a number comes back for something else
    bool check_device = true;
};

struct Known {
    WireReport report;
    std::set<std::string> identities; ///< at the last look
    bool enter_again = false;
};

/// One namespace each, the host's own first.
std::vector<Namespace> find_namespaces() {
    std::vector<Namespace> found;
    std::set<std::uint64_t> seen;
    const auto add = [&](pid_t pid, const std::string& name, bool host) {
        struct stat status {};
        if (stat(fmt::format("/proc/{}/ns/mnt", name).c_str(), &status) == 0 && seen.insert(status.st_ino).second)
            found.push_back({status.st_ino, pid, host});
    };
    add(getpid(), "self", true);
    const auto proc = sys::Root::open("/proc");
    const auto names = proc ? proc->list("/", 1'000'000) : Result<std::vector<std::string>>(proc.error());
    if (names)
        for (const std::string& name : *names)
            if (const auto pid = parse_unsigned(name); pid)
                add(static_cast<pid_t>(*pid), name, false);
    return found;
}

/// Walks from /proc/PID/root without following a link: that is another namespace's tree, and its owner is not trusted.
Result<UniqueFd> open_mount_point(pid_t pid, const std::string& mount_point) {
    UniqueFd current(open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!current)
        return Error::from_errno(errno, "open root");
    std::vector<std::string> parts;
    for (const std::string_view part : split(mount_point, '/'))
        if (!part.empty())
            parts.emplace_back(part);
    for (const std::string& part : parts) {
        UniqueFd next(openat(current.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (!next)
            return Error::from_errno(errno, "open");
        current = std::move(next);
    }
    struct stat status {};
    if (fstat(current.get(), &status) != 0)
        return Error::from_errno(errno, "stat");
    // A mark needs a real descriptor. Only directories and regular files are opened: a device would notice.
    const std::string self = fmt::format("/proc/self/fd/{}", current.get());
    const int kind = S_ISDIR(status.st_mode) ? O_DIRECTORY : 0;
    if (kind == 0 && !S_ISREG(status.st_mode))
        return Error::from_errno(ENOTDIR, "open");
    UniqueFd readable(open(self.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | kind));
    if (!readable)
        return Error::from_errno(errno, "open");
    return readable;
}

int errno_of(const Error& error) {
    return error.errno_value() != 0 ? error.errno_value() : EIO;
}

/// 0, or the errno that tells why not.
int enter_mount(const Target& target, UniqueFd& directory) {
    auto opened = open_mount_point(target.pid, target.mount_point);
    if (!opened)
        return errno_of(opened.error());
    struct stat status {};
    if (fstat(opened->get(), &status) != 0)
        return errno;
    if (target.check_device && status.st_dev != target.report.device)
        return ESTALE; // something else is mounted over it by now
    directory = std::move(*opened);
    return 0;
}

int send_report(int socket, const WireReport& report, const std::vector<int>& descriptors) {
    if (!ipc::wait_writable(socket, kOpenTimeoutMs))
        return EAGAIN;
    return ipc::send_record(socket, report, descriptors) ? 0 : EAGAIN;
}

/// The whole life of an expendable child: it opens the mount and sends what it has opened.
int open_and_send(int socket, const Target& target) {
    UniqueFd directory;
    if (const int error = enter_mount(target, directory); error != 0)
        return error;
    WireReport report = target.report;
    report.state = MountReport::State::opened;
    return send_report(socket, report, {directory.get()});
}

/// Likewise: it opens a file of the mount and tells which.
int prove_and_send(int socket, const Target& target, const std::vector<std::string>& never_asked) {
    UniqueFd directory;
    if (const int error = enter_mount(target, directory); error != 0)
        return error;
    const auto canary = find_canary(directory.get(), never_asked);
    if (!canary)
        return canary.error().code() == ErrorCode::not_found ? ENOENT : errno_of(canary.error());
    if (const auto opened = open_canary(*canary); !opened)
        return errno_of(opened.error());
    WireReport report = target.report;
    report.state = MountReport::State::canary;
    report.canary_device = canary->status.st_dev;
    report.canary_inode = canary->status.st_ino;
    return send_report(socket, report, {});
}

class ScoutProcess {
  public:
    struct Setup {
        UniqueFd socket;
        ScoutGranularity granularity = ScoutGranularity::per_filesystem;
        std::vector<std::string> only;
        std::vector<std::string> never_asked;
        void (*confine_keeper)() = nullptr;
        KeeperState* keeper_states = nullptr;
    };
    explicit ScoutProcess(Setup setup)
        : socket_(std::move(setup.socket)), granularity_(setup.granularity), only_(std::move(setup.only)),
          never_asked_(std::move(setup.never_asked)), confine_keeper_(setup.confine_keeper),
          keeper_states_(setup.keeper_states) {}

    [[noreturn]] void run() {
        for (;;) {
            look_once();
            std::array<pollfd, 2> fds{pollfd{table_.get(), POLLPRI, 0}, pollfd{socket_.get(), POLLIN, 0}};
            poll(fds.data(), fds.size(), until_next_look());
            table_changed_ = table_changed_ || fds[0].revents != 0;
            while (fds[1].revents != 0 && obey()) {
            }
            reap();
        }
    }

  private:
    /// Milliseconds. What is due before the next look is not kept waiting for it.
    int until_next_look() const {
        if (!table_changed_)
            return kLookEveryMs;
        const auto due =
            std::chrono::ceil<std::chrono::milliseconds>(anew_not_before_ - std::chrono::steady_clock::now());
        return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(due.count(), 0, kLookEveryMs));
    }

    /// False where nothing waits.
    bool obey() {
        auto message = ipc::receive_message(socket_.get());
        if (!message && message.error().errno_value() != EAGAIN)
            _exit(0); // the daemon is gone
        if (!message)
            return false;
        const std::string_view order(message->content);
        const auto slot_after = [&](std::string_view word) {
            const auto number = parse_unsigned(order.substr(word.size()));
            return number && *number < MountScout::kMaximumKeepers ? static_cast<std::size_t>(*number) : 0;
        };
        if (order == kProve) {
            prove();
        } else if (order.starts_with(kKeep) && message->descriptors.size() == 2) {
            keep(slot_after(kKeep), std::move(message->descriptors));
        } else if (order.starts_with(kEndKeeper)) {
            if (const auto keeper = keepers_.find(slot_after(kEndKeeper)); keeper != keepers_.end())
                kill(keeper->second, SIGKILL); // of no avail while it hangs in the kernel
        } else {
            enter_all_again();
            failed_.clear();
        }
        return true;
    }

    void keep(std::size_t slot, std::vector<UniqueFd> sockets) {
        const pid_t scout = getpid();
        const pid_t child = fork();
        if (child > 0)
            keepers_[slot] = child;
        if (child != 0)
            return; // where it could not be started its sockets say so
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "picket-keeper");
        if (getppid() != scout)
            _exit(0);
        socket_.reset();
        run_keeper(
            {std::move(sockets[0]), std::move(sockets[1]), keeper_states_ + slot, never_asked_, confine_keeper_});
    }

    void reap() {
        for (pid_t pid = 0; (pid = waitpid(-1, nullptr, WNOHANG)) > 0;) {
            std::erase_if(keepers_, [&](const auto& keeper) {
                if (keeper.second != pid)
                    return false;
                keeper_states_[keeper.first] = 0; // it hangs no more
                return true;
            });
            std::erase_if(stuck_, [pid](const auto& each) { return each.second == pid; });
        }
    }

    /// Unmounted and mounted again between two looks, a file system has lost its marks and stands in the table as
    /// before, number and all. So after every change, in the end, everything is entered anew: of a host that mounts all
    /// the time this takes a twentieth of a processor at most.
    void enter_anew_when_due() {
        pollfd changed{table_.get(), POLLPRI, 0};
        if (poll(&changed, 1, 0) > 0)
            table_changed_ = true;
        if (!table_changed_ || std::chrono::steady_clock::now() < anew_not_before_)
            return;
        table_changed_ = false;
        enter_all_again();
    }

    void enter_all_again() {
        for (auto& [key, known] : known_)
            known.enter_again = true;
        enters_all_ = true;
    }

    /// Where no process has begun for a while there is hardly a new namespace, nor a mount in one: looking at every
    /// process each second would be most of what an idle host pays for us.
    bool is_quiet() {
        const auto now = std::chrono::steady_clock::now();
        const auto newest = newest_process();
        if (!newest || newest != newest_process_ || table_changed_ || enters_all_ || !missing_.empty())
            active_ = now;
        newest_process_ = newest;
        if (now - active_ < kQuietAfter || now - looked_ >= kLookWhenQuiet) {
            looked_ = now;
            return false;
        }
        return true;
    }

    void look_once() {
        const auto before = processor_time();
        enter_anew_when_due();
        if (is_quiet())
            return send(WireReport{});
        look();
        if (std::exchange(enters_all_, false))
            anew_not_before_ = std::chrono::steady_clock::now() +
                               std::max<std::chrono::microseconds>(kEnterAnewEvery, 20 * (processor_time() - before));
    }

    void send(const WireReport& report) const { (void)send_report(socket_.get(), report, {}); }

    void prove() {
        const auto work = [this](int socket, const Target& target) {
            return prove_and_send(socket, target, never_asked_);
        };
        for (const auto& [key, target] : entered_) {
            const int error = in_child(work, target);
            if (error != 0)
                send_error(target, MountReport::State::canary, error);
        }
    }

    void send_error(const Target& target, MountReport::State state, int error) const {
        WireReport report = target.report;
        report.state = state;
        report.error = error;
        send(report);
    }

    Target target_of(const Namespace& where, const sys::Mount& mount) const {
        Target target;
        target.report.device = makedev(mount.major, mount.minor);
        target.report.mount_namespace = where.inode;
        target.report.host_namespace = where.host ? 1 : 0;
        target.report.noexec = mount.has_option("noexec") ? 1 : 0;
        if (granularity_ == ScoutGranularity::per_mount) {
            target.report.mount_id = mount.id;
            target.key = {where.inode, static_cast<std::uint64_t>(mount.id)};
        } else {
            target.key = {0, target.report.device};
        }
        set_text(target.report.type, mount.type);
        set_text(target.report.mount_point, mount.mount_point);
        target.pid = where.pid;
        target.mount_point = mount.mount_point;
        target.identity = fmt::format("{} {} {}:{} {} {} {} {}", where.inode, mount.id, mount.major, mount.minor,
                                      mount.root, mount.mount_point, mount.type, mount.source);
        target.check_device = mount.type != "btrfs"; // each subvolume has a device number of its own
        return target;
    }

    bool counts(const Namespace& where, const sys::Mount& mount) const {
        return only_.empty() || (where.host && std::find(only_.begin(), only_.end(), mount.mount_point) != only_.end());
    }

    struct Table {
        Namespace where;
        std::string text;
        bool operator==(const Table&) const = default;
    };
    /// The mount tables of all namespaces, as the kernel writes them.
    static std::vector<Table> read_tables() {
        std::vector<Table> tables;
        for (const Namespace& where : find_namespaces())
            if (auto text = sys::read_kernel_file(fmt::format("/proc/{}/mountinfo", where.pid), kMountinfoLimit))
                tables.push_back({where, std::move(*text)});
        return tables;
    }

    std::map<Key, std::vector<Target>> targets_in(const std::vector<Table>& tables) const {
        std::map<Key, std::vector<Target>> targets;
        for (const auto& [where, text] : tables) {
            for (const sys::Mount& mount : sys::reachable(sys::parse_mountinfo(text)))
                if (!sys::is_pseudo_filesystem(mount.type) && counts(where, mount)) {
                    Target target = target_of(where, mount);
                    std::vector<Target>& doors = targets[target.key];
                    if (!doors.empty() && target.report.noexec == 0)
                        for (Target& door : doors) // programs can be started through one of its mounts
                            door.report.noexec = 0;
                    if (!doors.empty() && doors.front().report.noexec == 0)
                        target.report.noexec = 0;
                    if (doors.size() < kMaximumDoors)
                        doors.push_back(std::move(target));
                }
        }
        return targets;
    }

    /// What is not there any more, or is something else by now, is gone.
    void forget_gone(const std::map<Key, std::vector<Target>>& targets) {
        for (auto known = known_.begin(); known != known_.end();) {
            const auto found = targets.find(known->first);
            if (found != targets.end() && is_still_there(known->second, found->second)) {
                known->second.identities = identities_of(found->second);
                ++known;
                continue;
            }
            known->second.report.state = MountReport::State::gone;
            send(known->second.report);
            failed_.erase(known->first);
            entered_.erase(known->first);
            known = known_.erase(known);
        }
        std::erase_if(missing_, [&](const auto& missing) { return !targets.contains(missing.first); });
    }

    static bool is_still_there(const Known& known, const std::vector<Target>& doors) {
        return std::any_of(doors.begin(), doors.end(),
                           [&](const Target& door) { return known.identities.contains(door.identity); });
    }

    static std::set<std::string> identities_of(const std::vector<Target>& doors) {
        std::set<std::string> identities;
        for (const Target& door : doors)
            identities.insert(door.identity);
        return identities;
    }

    void look() {
        auto tables = read_tables();
        const bool changed = tables != tables_;
        if (changed) { // which is rare: what follows from them takes much longer than reading them
            tables_ = std::move(tables);
            targets_ = targets_in(tables_);
            forget_gone(targets_);
        }
        const auto now = std::chrono::steady_clock::now();
        for (const auto& [key, doors] : targets_) {
            const auto failed = failed_.find(key);
            const bool try_again = failed != failed_.end() && now - failed->second > kRetryFailedAfter;
            const auto known = known_.find(key);
            if (known == known_.end() || known->second.enter_again || try_again)
                enter(key, doors);
            else if (const auto entered = entered_.find(key); changed && entered != entered_.end())
                entered->second = same_door(entered->second, doors);
        }
        send(WireReport{});
    }

    /// The process that showed the way last time may have ended since.
    static const Target& same_door(const Target& entered, const std::vector<Target>& doors) {
        const auto same = std::find_if(doors.begin(), doors.end(), [&](const Target& door) {
            return door.mount_point == entered.mount_point &&
                   door.report.mount_namespace == entered.report.mount_namespace;
        });
        return same != doors.end() ? *same : doors.front();
    }

    /// One file system can be entered by any of its mount points: some may be hidden under another mount.
    void enter(const Key& key, const std::vector<Target>& doors) {
        int error = ENOENT;
        for (const Target& target : doors) {
            error = in_child(open_and_send, target);
            if (error != 0)
                continue;
            entered_[key] = target;
            break;
        }
        // A mount that a starting service makes for a moment is gone before it can be entered.
        if ((error == ENOENT || error == ESTALE) && ++missing_[key] < kLooksForMissing)
            return;
        missing_.erase(key);
        known_[key] = {doors.front().report, identities_of(doors)};
        if (error == 0) {
            failed_.erase(key);
            return;
        }
        entered_.erase(key);
        failed_[key] = std::chrono::steady_clock::now();
        send_error(doors.front(), MountReport::State::failed, error);
    }

    /// Where the last one still hangs, another would only hang beside it.
    int in_child(const std::function<int(int socket, const Target&)>& work, const Target& target) {
        reap();
        if (stuck_.contains(target.key))
            return ETIMEDOUT;
        const pid_t child = fork();
        if (child < 0)
            return errno;
        if (child == 0)
            _exit(work(socket_.get(), target));
        for (int waited = 0; waited < kOpenTimeoutMs; ++waited) {
            int status = 0;
            if (waitpid(child, &status, WNOHANG) == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
            usleep(waited < 20 ? 200 : 1'000);
        }
        kill(child, SIGKILL); // may not help while it hangs in the kernel; reaped later
        stuck_[target.key] = child;
        return ETIMEDOUT;
    }

    static constexpr std::size_t kMaximumDoors = 16;
    static constexpr unsigned kLooksForMissing = 3;
    UniqueFd socket_;
    ScoutGranularity granularity_;
    std::vector<std::string> only_;
    std::vector<std::string> never_asked_;
    void (*confine_keeper_)();
    KeeperState* keeper_states_; ///< by slot
    std::map<std::size_t, pid_t> keepers_;
    std::map<Key, pid_t> stuck_;                                               ///< children that did not come back
    const UniqueFd table_{open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)}; ///< says when it changes
    bool enters_all_ = true;
    bool table_changed_ = false;                              ///< since everything was entered
    std::chrono::steady_clock::time_point anew_not_before_{}; ///< the next time
    std::optional<std::string> newest_process_;
    std::chrono::steady_clock::time_point active_{}; ///< when something began or changed last
    std::chrono::steady_clock::time_point looked_{};
    std::vector<Table> tables_; ///< at the last look, and what is to be entered by them
    std::map<Key, std::vector<Target>> targets_;
    std::map<Key, Known> known_;
    std::map<Key, Target> entered_; ///< the door that was open
    std::map<Key, std::chrono::steady_clock::time_point> failed_;
    std::map<Key, unsigned> missing_; ///< looks at which their place was not there
};

} // namespace

Result<MountScout> MountScout::start(ScoutGranularity granularity, const std::vector<std::string>& only,
                                     const std::vector<std::string>& never_asked, void (*confine_keeper)()) {
    auto [ours, theirs] = PICKET_TRY(ipc::make_pair());
    SharedSlots slots = share_slots();
    if (!slots)
        return Error::from_errno(errno, "shared memory");
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0)
        return Error::from_errno(errno, "fork");
    if (child == 0) {
        ours.reset();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "picket-scout");
        if (getppid() != parent)
            _exit(0);
        ScoutProcess({std::move(theirs), granularity, only, never_asked, confine_keeper, slots->states}).run();
    }
    return MountScout(std::move(ours), child, std::move(slots));
}

void MountScout::SlotsRelease::operator()(Slots* slots) const {
    munmap(slots, sizeof *slots);
}

MountScout::SharedSlots MountScout::share_slots() {
    void* const memory = mmap(nullptr, sizeof(Slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return SharedSlots(memory == MAP_FAILED ? nullptr : new (memory) Slots{});
}

Result<MountScout::Keeper> MountScout::start_keeper() {
    for (std::size_t tried = 0; tried < kMaximumKeepers; ++tried) {
        const std::size_t slot = next_slot_++ % kMaximumKeepers;
        if (taken_[slot])
            continue;
        auto [orders, its_orders] = PICKET_TRY(ipc::make_pair());
        auto [events, its_events] = PICKET_TRY(ipc::make_pair());
        slots_->states[slot] = 0;
        PICKET_TRY(
            ipc::send_message(socket_.get(), fmt::format("{}{}", kKeep, slot), {its_orders.get(), its_events.get()}));
        taken_[slot] = true;
        return Keeper{slot, std::move(orders), std::move(events), &slots_->states[slot]};
    }
    return Error(ErrorCode::exhausted, fmt::format("there are {} keepers already", kMaximumKeepers));
}

void MountScout::end_keeper(std::size_t slot) {
    taken_.at(slot) = false;
    (void)ipc::send_message(socket_.get(), fmt::format("{}{}", kEndKeeper, slot));
}

MountScout::~MountScout() {
    if (!socket_)
        return; // moved from
    socket_.reset();
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
}

Result<std::optional<MountReport>> MountScout::next_report() {
    auto message = ipc::receive_message(socket_.get());
    if (!message) {
        if (message.error().errno_value() == EAGAIN)
            return std::optional<MountReport>();
        return message.error().with_context("the mount scout is gone");
    }
    const auto record = ipc::record_of<WireReport>(message->content);
    if (!record)
        return Error(ErrorCode::internal, "a mount report of the wrong size");
    const WireReport& wire = *record;
    MountReport report;
    report.state = wire.state;
    report.device = wire.device;
    report.mount_id = wire.mount_id;
    report.mount_namespace = wire.mount_namespace;
    report.host_namespace = wire.host_namespace != 0;
    report.noexec = wire.noexec != 0;
    report.type = wire.type;
    report.mount_point = wire.mount_point;
    report.error = wire.error;
    report.canary_device = wire.canary_device;
    report.canary_inode = wire.canary_inode;
    if (wire.error != 0)
        report.reason = std::strerror(wire.error);
    if (!message->descriptors.empty())
        report.directory = std::move(message->descriptors.front());
    return std::optional<MountReport>(std::move(report));
}

Result<void> MountScout::report_again() {
    return ipc::send_message(socket_.get(), kReportAgain);
}

Result<void> MountScout::prove() {
    return ipc::send_message(socket_.get(), kProve);
}

} // namespace picket::watch
