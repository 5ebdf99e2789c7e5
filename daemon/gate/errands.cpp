#include "errands.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/ipc/record.h>
#include <picket/scan/tree_walker.h>
#include <picket/watch/file_facts.h>

namespace picket::daemon {
namespace {

constexpr Bytes kDigestLimit = gibibytes(4);
constexpr int kDigestWithinMs = 3'000;
constexpr int kReapEveryMs = 500;
constexpr unsigned kLongestSeconds = 60; ///< where it can be killed
constexpr int kInheritedDescriptors = 1'024;
constexpr int kForever = -1;
constexpr std::chrono::seconds kTellEvery{1};
constexpr int kWalkPriority = 10; ///< as a scan's own: scan_run.cpp

/// On the wire: the kind and, each after a NUL, the texts.
struct Order {
    Errands::Kind kind = Errands::Kind::take_file;
    std::string name;
    std::string resume_from;
};

std::string text_of(const Order& order) {
    return fmt::format("{}{}{}{}{}", static_cast<std::uint32_t>(order.kind), '\0', order.name, '\0', order.resume_from);
}

std::optional<Order> order_of(std::string_view text) {
    const auto parts = split(text, '\0');
    const auto kind = parts.size() == 3 ? parse_unsigned(parts[0]) : std::nullopt;
    if (!kind)
        return std::nullopt;
    return Order{static_cast<Errands::Kind>(*kind), std::string(parts[1]), std::string(parts[2])};
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
    auto file = ipc::peek_descriptor(connection);
    if (!file)
        return answer(socket, Errands::Taken{EINVAL, 0});
    if (!is_readable_file(file->get()))
        return answer(socket, Errands::Taken{EBADF, 0});
    if (is_local(file->get()))
        return answer(socket, Errands::Taken{}, {file->get()});
    if (!watch::make_read_only(*file))
        return answer(socket, Errands::Taken{EBADF, 0});
    const auto away = watch::EventFile::put_away(std::move(*file));
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

/// False once nobody listens.
bool hand_over(UniqueFd file, const std::string& path, int socket) {
    const auto away = watch::EventFile::put_away(std::move(file));
    if (!away)
        return true;
    for (;;) {
        const auto sent = ipc::send_message(socket, Errands::kWalkedFile + path, {away->fd(), away->to_hand_on()});
        if (sent || sent.error().errno_value() != EAGAIN)
            return sent.has_value();
        (void)ipc::wait_writable(socket, kForever);
    }
}

void walk(const Order& order, int directory, int socket) {
    alarm(0); // it ends with who asked for it
    [[maybe_unused]] const int priority = nice(kWalkPriority);
    const int few = 0; // the least there is: each message holds a file
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &few, sizeof few);
    (void)ipc::send_message(socket, fmt::format("{}{}", Errands::kWalker, getpid()));
    if (!ipc::wait_readable(socket, kForever) || !ipc::receive_content(socket))
        return;
    const UniqueFd start(order.name.empty() ? fcntl(directory, F_DUPFD_CLOEXEC, 0)
                                            : openat(directory, order.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    scan::WalkOptions options;
    options.cross_devices = true;
    options.resume_from = order.resume_from;
    MonotonicTime told{};
    options.is_excluded = [&](const std::string&) { // asked of every entry: so whoever listens knows that they come
        const MonotonicTime now = SystemClock().monotonic();
        if (now - told >= kTellEvery) {
            told = now;
            (void)ipc::send_message(socket, {&Errands::kWalks, 1});
        }
        return false;
    };
    const auto walked = scan::walk_tree(start.get(), "", options,
                                        [socket](UniqueFd file, const std::string& path, const struct stat& status) {
                                            return status.st_size == 0 || hand_over(std::move(file), path, socket);
                                        });
    (void)ipc::wait_writable(socket, kForever);
    (void)ipc::send_message(socket, fmt::format("{}{}", Errands::kWalkedAll, walked ? walked->failed : 1));
}

struct ErrandRow {
    void (*run)(const Order& order, int file, int socket);
    std::size_t at_once; ///< those that never end among them
};
constexpr std::array<ErrandRow, 3> kErrands{{{take_file, 64}, {digest, 16}, {walk, 16}}}; ///< by kind

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
        const pid_t child = fork();
        if (child > 0)
            running_[child] = kind;
        if (child != 0)
            return; // where it could not be started its socket says so
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "picket-errand");
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
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "picket-errands");
        if (getppid() != parent)
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

Result<UniqueFd> Errands::begin(Kind kind, int file, const std::string& name, const std::string& resume_from) const {
    auto [ours, theirs] = PICKET_TRY(ipc::make_pair());
    PICKET_TRY(ipc::send_message(orders_.get(), text_of({kind, name, resume_from}), {file, theirs.get()}));
    return std::move(ours);
}

Result<std::array<Byte, 32>> Errands::digest_of(const watch::EventFile& file) const {
    const UniqueFd socket = PICKET_TRY(begin(Kind::digest, file.to_hand_on()));
    if (!ipc::wait_readable(socket.get(), kDigestWithinMs))
        return Error(ErrorCode::unavailable, "its server does not answer");
    const auto message = PICKET_TRY(ipc::receive_content(socket.get()));
    const auto digest = ipc::record_of<Digest>(message.text);
    if (!digest)
        return Error(ErrorCode::internal, "a digest of the wrong size");
    if (digest->error != 0)
        return Error::from_errno(digest->error, "reading it");
    return digest->sha256;
}

} // namespace picket::daemon
