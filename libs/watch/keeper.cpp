#include <picket/watch/keeper.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <optional>
#include <poll.h>
#include <unistd.h>

#include <picket/ipc/record.h>

namespace picket::watch {
namespace {

constexpr int kForever = -1;

class Keeper {
  public:
    Keeper(FanotifyGroup group, KeeperSetup setup) : group_(std::move(group)), setup_(std::move(setup)) {}

    void run() {
        for (;;) {
            std::array<pollfd, 3> waiting{pollfd{setup_.events.get(), POLLIN, 0},
                                          pollfd{setup_.orders.get(), POLLIN, 0}, pollfd{group_.fd(), POLLIN, 0}};
            poll(waiting.data(), waiting.size(), kForever);
            busy(true);
            if ((waiting[0].revents != 0 && !release_answered()) || (waiting[1].revents != 0 && !obey()))
                return;
            if (waiting[2].revents != 0 && !pass_on_one())
                return;
            busy(false);
        }
    }

  private:
    void busy(bool is) {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        *setup_.state = is ? std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() : 0;
    }

    /// Their numbers may be given to other events from now on. False once the gate is gone.
    bool release_answered() {
        for (;;) {
            const auto message = ipc::receive_message(setup_.events.get());
            if (!message)
                return message.error().errno_value() == EAGAIN;
            std::int32_t number = -1;
            for (std::size_t at = 0; at + sizeof number <= message->content.size(); at += sizeof number) {
                std::memcpy(&number, message->content.data() + at, sizeof number);
                unanswered_.erase(number);
            }
        }
    }

    bool obey() {
        const auto message = ipc::receive_message(setup_.orders.get());
        if (!message)
            return message.error().errno_value() == EAGAIN;
        const auto order = ipc::record_of<KeeperOrder>(message->content);
        if (!order || message->descriptors.size() != (order->drop_marks ? 0U : 1U))
            return false;
        if (!order->drop_marks)
            put_away_ = order->put_away;
        const auto done = order->drop_marks
                              ? group_.flush(order->scope)
                              : group_.mark(message->descriptors.front().get(), {order->scope, order->exec_events});
        return ipc::send_record(setup_.orders.get(), KeeperAnswer{done ? 0 : done.error().errno_value()}).has_value();
    }

    /// One at a time: none waits here, already read, for what the next one takes.
    bool pass_on_one() {
        std::vector<KernelEvent> events;
        const auto read = group_.read_one_event(events);
        if (!read) // no descriptor was free, or the event could not be opened
            return pass_on({}, {});
        for (KernelEvent& event : events)
            if (!take(std::move(event)))
                return false;
        return true;
    }

    bool take(KernelEvent&& event) {
        KeptEvent record{event.kind, -1, event.pid, 0};
        if (!event.file)
            return pass_on(record, {});
        const int number = event.file.fd();
        const bool is_asked = event.kind != EventKind::close_write;
        if (is_asked)
            record.number = number;
        UniqueFd copy(fcntl(number, F_DUPFD_CLOEXEC, 0));
        auto file = !copy       ? Result<EventFile>(Error::from_errno(errno, "a copy"))
                    : put_away_ ? EventFile::put_away(std::move(copy))
                                : EventFile(std::move(copy));
        if (!file) { // no descriptor is free here: as where none was for the event
            if (is_asked)
                (void)group_.respond(number, Decision::allow);
            return pass_on({}, {});
        }
        record.put_away = file->is_put_away() ? 1 : 0;
        std::vector<int> descriptors{file->fd()};
        if (file->is_put_away())
            descriptors.push_back(file->to_hand_on());
        if (is_asked)
            unanswered_.emplace(number, std::move(event.file));
        return pass_on(record, descriptors);
    }

    /// Waits for the gate where it is behind. False once it is gone.
    bool pass_on(const KeptEvent& record, const std::vector<int>& descriptors) {
        for (;;) {
            const auto sent = ipc::send_record(setup_.events.get(), record, descriptors);
            if (sent || sent.error().errno_value() != EAGAIN)
                return sent.has_value();
            busy(false);
            (void)ipc::wait_writable(setup_.events.get(), kForever);
            busy(true);
        }
    }

    FanotifyGroup group_;
    KeeperSetup setup_;
    bool put_away_ = true;
    std::map<std::int32_t, EventFile> unanswered_; ///< by number, which is theirs until they are answered
};

} // namespace

void run_keeper(KeeperSetup setup) {
    auto group = FanotifyGroup::create();
    if (!group) {
        (void)ipc::send_record(setup.events.get(), KeeperHello{group.error().errno_value(), getpid()});
        _exit(1);
    }
    for (const std::string& path : setup.never_asked)
        group->never_ask(path);
    const int number = group->fd();
    if (!ipc::send_record(setup.events.get(), KeeperHello{0, getpid()}, {number}))
        _exit(1);
    if (setup.confine != nullptr)
        setup.confine();
    Keeper(std::move(*group), std::move(setup)).run();
    _exit(0);
}

} // namespace picket::watch
