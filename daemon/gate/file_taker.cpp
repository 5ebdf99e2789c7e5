#include "file_taker.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/epoll.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/ipc/record.h>

namespace picket::daemon {
namespace {

constexpr std::chrono::seconds kWithin{10};
constexpr std::size_t kAtOnce = 64;
constexpr std::ptrdiff_t kAtOnceOfUser = 16;  ///< others than root
constexpr std::ptrdiff_t kAtOnceOfUsers = 48; ///< of all of those: the rest is root's

Error error_of(int number) {
    if (number == EINVAL)
        return Error(ErrorCode::invalid_input, "scan.file carries one descriptor");
    if (number == EBADF)
        return Error(ErrorCode::invalid_input, "scan.file needs a regular file that is open for reading");
    return Error::from_errno(number, "taking a file");
}

Result<watch::EventFile> file_in(ipc::Message&& message) {
    const auto taken = ipc::record_of<Errands::Taken>(message.content);
    if (!taken)
        return Error(ErrorCode::internal, "an errand's answer of the wrong size");
    if (taken->error != 0)
        return error_of(taken->error);
    std::vector<UniqueFd>& files = message.descriptors;
    if (files.size() != (taken->put_away != 0 ? 2U : 1U))
        return Error(ErrorCode::exhausted, "no descriptor is free");
    if (taken->put_away != 0)
        return watch::EventFile(std::move(files[0]), std::move(files[1]));
    if (!watch::make_read_only(files[0])) // by this process: the gate holds up nobody of ours
        return error_of(EBADF);
    return watch::EventFile(std::move(files[0]));
}

} // namespace

FileTaker::FileTaker(const Errands& errands, const Clock& clock)
    : errands_(errands), clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    PICKET_CHECK(epoll_);
}

/// With the lock held.
bool FileTaker::has_room_for(uid_t user) const {
    const auto is_his = [user](const auto& each) { return each.second.user == user; };
    const auto is_users = [](const auto& each) { return each.second.user != 0; };
    return under_way_.size() < kAtOnce &&
           (user == 0 || (std::count_if(under_way_.begin(), under_way_.end(), is_his) < kAtOnceOfUser &&
                          std::count_if(under_way_.begin(), under_way_.end(), is_users) < kAtOnceOfUsers));
}

void FileTaker::take(UniqueFd connection, uid_t user, Done done) {
    if (!connection)
        return done(error_of(EINVAL));
    {
        std::lock_guard lock(mutex_);
        queued_.push_back(
            {ipc::FileSocket(std::move(connection)), user, clock_.monotonic() + kWithin, std::move(done)});
    }
    begin_queued();
}

/// As many as there is room for, each user's in their order.
void FileTaker::begin_queued() {
    std::vector<std::pair<Done, Error>> failed;
    {
        std::lock_guard lock(mutex_);
        for (auto next = queued_.begin(); next != queued_.end();) {
            if (!has_room_for(next->user)) {
                ++next;
                continue;
            }
            auto answer = errands_.begin(Errands::Kind::take_file, next->connection.get());
            if (answer)
                follow(std::move(*answer), std::move(*next));
            else
                failed.emplace_back(std::move(next->done), answer.error());
            next = queued_.erase(next);
        }
    }
    for (const auto& [done, error] : failed)
        done(error);
}

/// With the lock held.
void FileTaker::follow(ipc::FileSocket answer, Queued&& request) {
    const int fd = answer.get();
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    under_way_[fd] = {std::move(answer), request.user, request.until, std::move(request.done)};
}

void FileTaker::on_readable() {
    std::array<epoll_event, 32> ready{};
    const int count = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
    for (int i = 0; i < count; ++i)
        on_answer(ready[static_cast<std::size_t>(i)].data.fd);
}

/// An answer, or the end of an errand.
void FileTaker::on_answer(int fd) {
    Done done;
    auto message = ipc::receive_message(fd);
    if (!message && message.error().errno_value() == EAGAIN)
        return;
    {
        std::lock_guard lock(mutex_);
        const auto found = under_way_.find(fd);
        std::swap(done, found->second.done);
        if (!message) {
            epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); // its disposer has it for a moment
            under_way_.erase(found);
        }
    }
    auto file = message ? file_in(std::move(*message))
                        : Result<watch::EventFile>(Error(ErrorCode::unavailable, "the file could not be taken"));
    if (done)
        done(std::move(file));
    if (!message)
        begin_queued();
}

void FileTaker::on_tick() {
    std::vector<Done> late;
    {
        std::lock_guard lock(mutex_);
        const MonotonicTime now = clock_.monotonic();
        for (auto& [fd, errand] : under_way_)
            if (errand.done && now >= errand.until)
                late.push_back(std::exchange(errand.done, nullptr));
        std::erase_if(queued_, [&](Queued& request) {
            if (now >= request.until)
                late.push_back(std::move(request.done));
            return now >= request.until;
        });
    }
    for (const Done& done : late)
        done(Error(ErrorCode::unavailable, "the file's server does not answer"));
}

} // namespace picket::daemon
