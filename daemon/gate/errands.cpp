#include "errands.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <map>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/ipc/record.h>
#include <picket/sandbox/privileges.h>
#include <picket/scan/tree_walker.h>
#include <picket/sys/mounts.h>
#include <picket/watch/file_facts.h>

namespace picket::daemon {
namespace {

constexpr Bytes kDigestLimit = gibibytes(4);
constexpr int kDigestWithinMs = 10'000;
constexpr int kReapEveryMs = 500;
constexpr unsigned kLongestSeconds = 60; ///< where it can be killed
constexpr int kInheritedDescriptors = 1'024;
constexpr int kForever = -1;
constexpr std::chrono::seconds kTellEvery{1};
constexpr int kWalkAhead = 64 << 10; ///< bytes of messages, some dozens: each holds a file. The longest path fits
constexpr std::size_t kNamesAtOnce = 10'000; ///< a directory is told of as it is read
constexpr int kWalkPriority = 10;            ///< as a scan's own: scan_run.cpp

/// On the wire: the kind and, each after a NUL, the texts.
struct Order {
    Errands::Kind kind = Errands::Kind::take_file;
    std::string name;
    std::string resume_from;
    bool cross_devices = false;
};

std::string text_of(const Order& order) {
    return fmt::format("{}{}{}{}{}{}{}", static_cast<std::uint32_t>(order.kind), '\0', order.name, '\0',
                       order.resume_from, '\0', order.cross_devices ? 1 : 0);
}

std::optional<Order> order_of(std::string_view text) {
    const auto parts = split(text, '\0');
    const auto kind = parts.size() == 4 ? parse_unsigned(parts[0]) : std::nullopt;
    if (!kind)
        return std::nullopt;
    return Order{static_cast<Errands::Kind>(*kind), std::string(parts[1]), std::string(parts[2]), parts[3] == "1"};
}

void answer(int socket, const auto& record, const std::vector<int>& descriptors = {}) {
    (void)ipc::send_record(socket, record, descriptors);
}

bool is_local(int fd) {
    struct statfs status {};
    if (fstatfs(fd, &status) != 0)
        return false;
    const auto kind = watch::filesystem_kind(static_cast<std::uint32_t>(status.f_type));
    return kind == watch::FilesystemKind::local || kind == watch::FilesystemKind::coarse;
}

/// Only what its owner can read himself: an O_PATH descriptor proves nothing.
bool is_readable_file(int fd) {
    struct stat status {};
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_WRONLY && fstat(fd, &status) == 0 &&
           S_ISREG(status.st_mode);
}

void take_file(const Order&, int connection, int socket) {
    auto message = ipc::receive_message(connection);
    if (!message || message->descriptors.size() != 1)
        return answer(socket, Errands::Taken{EINVAL, 0});
    UniqueFd& file = message->descriptors.front();
    if (!is_readable_file(file.get()))
        return answer(socket, Errands::Taken{EBADF, 0});
    if (is_local(file.get()))
        return answer(socket, Errands::Taken{}, {file.get()});
    if (!watch::make_read_only(file))
        return answer(socket, Errands::Taken{EBADF, 0});
    const auto away = watch::EventFile::put_away(std::move(file));
    if (!away)
        return answer(socket, Errands::Taken{away.error().errno_value(), 0});
    answer(socket, Errands::Taken{0, 1}, {away->fd(), away->to_hand_on()});
}

void digest(const Order&, int content, int socket) {
    Errands::Digest result;
    const auto file = ipc::peek_descriptor(content);
    const auto sum = file ? crypto::sha256_of(file->get(), kDigestLimit) : Result<crypto::FileDigest>(file.error());
    if (sum)
        result.sha256 = sum->sha256;
    else
        result.error = sum.error().errno_value() != 0 ? sum.error().errno_value() : EIO;
    answer(socket, result);
}

/// proc, sysfs and the like: what is read there is made up.
std::set<dev_t> pseudo_devices() {
    std::set<dev_t> found;
    for (const sys::Mount& mount : sys::mounts_now())
        if (sys::is_pseudo_filesystem(mount.type))
            found.insert(makedev(mount.major, mount.minor));
    return found;
}

class Walk {
  public:
    explicit Walk(int socket) : socket_(socket) {}

    void run(const Order& order, int directory) {
        [[maybe_unused]] const int priority = nice(kWalkPriority);
        setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &kWalkAhead, sizeof kWalkAhead);
        send(fmt::format("{}{}", Errands::kWalker, getpid()));
        if (!ipc::wait_readable(socket_, kForever) || !ipc::receive_content(socket_))
            return;
        const UniqueFd start(order.name.empty()
                                 ? fcntl(directory, F_DUPFD_CLOEXEC, 0)
                                 : openat(directory, order.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        scan::WalkOptions options;
        options.cross_devices = order.cross_devices;
        options.resume_from = order.resume_from;
        options.maximum_names = kNamesAtOnce;
        options.is_excluded = [this](const std::string&) { return note_entry(); };
        options.is_served = [pseudo = pseudo_devices()](dev_t device) { return pseudo.contains(device); };
        const auto walked = scan::walk_tree(start.get(), "", options,
                                            [this](UniqueFd file, const std::string& path, const struct stat& status) {
                                                if (status.st_size != 0)
                                                    hand_over(std::move(file), path);
                                                return true;
                                            });
        send(fmt::format("{}{}", Errands::kWalkedAll, failed_ + (walked ? walked->failed : 1)));
        // Its number is known as ours until nobody listens any more: it must not be another's by then.
        alarm(0);
        for (;;) {
            pollfd gone{socket_, 0, 0};
            poll(&gone, 1, kForever);
            if (gone.revents != 0)
                return;
        }
    }

  private:
    /// Asked of every entry: so whoever listens knows that they come, and the alarm that they do not.
    bool note_entry() {
        const MonotonicTime now = SystemClock().monotonic();
        if (now - told_ < kTellEvery)
            return false;
        told_ = now;
        alarm(kLongestSeconds);
        if (const auto told = ipc::send_message(socket_, {&Errands::kWalks, 1});
            !told && told.error().errno_value() != EAGAIN)
            _exit(0);
        return false;
    }

    void hand_over(UniqueFd file, const std::string& path) {
        const auto away = watch::EventFile::put_away(std::move(file));
        if (!away || !send(Errands::kWalkedFile + path, {away->fd(), away->to_hand_on()}))
            ++failed_;
    }

    /// False where it cannot be sent. Ends where nobody listens.
    bool send(const std::string& text, const std::vector<int>& descriptors = {}) {
        for (;;) {
            const auto sent = ipc::send_message(socket_, text, descriptors);
            if (sent)
                return true;
            if (sent.error().errno_value() == EPIPE || sent.error().errno_value() == ECONNRESET)
                _exit(0);
            if (sent.error().errno_value() != EAGAIN)
                return false;
            alarm(0); // it is they who are behind
            (void)ipc::wait_writable(socket_, kForever);
            alarm(kLongestSeconds);
        }
    }

    const int socket_;
    std::uint64_t failed_ = 0;
    MonotonicTime told_{};
};

void walk(const Order& order, int directory, int socket) {
    Walk(socket).run(order, directory);
}

/// A message without descriptors says that whoever sent those before has closed their own: then these are the last.
void close_all(const Order&, int, int socket) {
    alarm(0);
    std::vector<UniqueFd> held;
    for (;;) {
        (void)ipc::wait_readable(socket, kForever);
        auto message = ipc::receive_message(socket);
        if (!message && message.error().errno_value() != EAGAIN)
            return;
        if (message && message->descriptors.empty())
            held.clear();
        else if (message)
            std::move(message->descriptors.begin(), message->descriptors.end(), std::back_inserter(held));
    }
}

struct ErrandRow {
    void (*run)(const Order& order, int file, int socket);
    std::size_t at_once; ///< those that never end among them
};
constexpr std::array<ErrandRow, 4> kErrands{{{take_file, 128}, {digest, 16}, {walk, 16}, {close_all, 64}}}; ///< by kind

/// The child that starts them; ends with the daemon.
class Starter {
  public:
    explicit Starter(UniqueFd orders) : orders_(std::move(orders)) {}

    [[noreturn]] void run() {
        for (;;) {
            pollfd waiting{orders_.get(), POLLIN, 0};
            poll(&waiting, 1, running_.empty() ? -1 : kReapEveryMs);
            reap();
            while (take_one()) {
            }
        }
    }

  private:
    /// False where no order waits.
    bool take_one() {
        auto message = ipc::receive_message(orders_.get());
        if (!message && message.error().errno_value() != EAGAIN)
            _exit(0);
        if (!message)
            return false;
        const auto order = order_of(message->content);
        if (order && message->descriptors.size() == 2)
            begin(*order, message->descriptors[0].get(), message->descriptors[1].get());
        return true;
    }

    void begin(const Order& order, int file, int socket) {
        const Errands::Kind kind = order.kind;
        const ErrandRow& row = kErrands.at(static_cast<std::size_t>(kind));
        if (under_way(kind) >= row.at_once)
            reap();
        if (under_way(kind) >= row.at_once)
            return; // which its socket says
        const pid_t starter = getpid();
        const pid_t child = fork();
        if (child > 0)
            running_[child] = kind;
        if (child != 0)
            return; // where it could not be started its socket says so
        prctl(PR_SET_NAME, "picket-errand");
        if (!sandbox::die_with_parent(starter))
            _exit(0);
        orders_.reset();
        alarm(kLongestSeconds);
        row.run(order, file, socket);
        _exit(0);
    }

    std::size_t under_way(Errands::Kind kind) const {
        return static_cast<std::size_t>(
            std::count_if(running_.begin(), running_.end(), [&](const auto& each) { return each.second == kind; }));
    }

    void reap() {
        for (pid_t pid = 0; (pid = waitpid(-1, nullptr, WNOHANG)) > 0;)
            running_.erase(pid);
    }

    UniqueFd orders_;
    std::map<pid_t, Errands::Kind> running_;
};

/// What the daemon has open by now (state.db) is none of an errand's business.
void close_all_but(int kept) {
    for (int fd = STDERR_FILENO + 1; fd < kInheritedDescriptors; ++fd)
        if (fd != kept)
            close(fd);
}

} // namespace

Result<Errands> Errands::start() {
    auto [ours, theirs] = PICKET_TRY(ipc::make_pair());
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0)
        return Error::from_errno(errno, "fork");
    if (child == 0) {
        prctl(PR_SET_NAME, "picket-errands");
        if (!sandbox::die_with_parent(parent))
            _exit(0);
        close_all_but(theirs.get());
        Starter(std::move(theirs)).run();
    }
    return Errands(std::move(ours), child);
}

Errands::~Errands() {
    if (!orders_)
        return; // moved from
    orders_.reset();
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
}

bool Errands::can_begin() const {
    pollfd gone{orders_.get(), 0, 0};
    return poll(&gone, 1, 0) == 0;
}

Result<ipc::FileSocket> Errands::begin(Kind kind, int file, const WalkOrder& walk) const {
    auto [ours, theirs] = PICKET_TRY(ipc::make_pair());
    const Order order{kind, walk.name, walk.resume_from, walk.cross_devices};
    PICKET_TRY(ipc::send_message(orders_.get(), text_of(order), {file, theirs.get()}));
    return ipc::FileSocket(std::move(ours));
}

Result<std::array<Byte, 32>> Errands::digest_of(const watch::EventFile& file) const {
    const ipc::FileSocket socket = PICKET_TRY(begin(Kind::digest, file.to_hand_on()));
    if (!ipc::wait_readable(socket.get(), kDigestWithinMs))
        return Error(ErrorCode::unavailable, "its server does not answer");
    const std::string message = PICKET_TRY(ipc::receive_content(socket.get()));
    const auto digest = ipc::record_of<Digest>(message);
    if (!digest)
        return Error(ErrorCode::internal, "a digest of the wrong size");
    if (digest->error != 0)
        return Error::from_errno(digest->error, "reading it");
    return digest->sha256;
}

} // namespace picket::daemon
