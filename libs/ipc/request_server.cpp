#include <picket/ipc/request_server.h>

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

#include <picket/base/check.h>

namespace picket::ipc {
namespace {

/// A peer that does not take its answer is not waited for longer.
constexpr int kAnswerWaitMs = 5'000;

bool contains(const std::vector<uid_t>& uids, uid_t uid) {
    return std::find(uids.begin(), uids.end(), uid) != uids.end();
}

} // namespace

RequestServer::RequestServer(UniqueFd listening, int stop_fd, const Clock& clock, Handler handler,
                             RequestServerOptions options)
    : listening_(std::move(listening)), stop_fd_(stop_fd), clock_(clock), handler_(std::move(handler)),
      options_(std::move(options)), finished_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      last_request_(clock.monotonic()) {
    PICKET_CHECK(finished_);
}

void RequestServer::run() {
    while (turn()) {
    }
    for (Connection& connection : connections_)
        if (connection.worker.joinable())
            connection.worker.join();
}

std::size_t RequestServer::running() const {
    return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(),
                                                  [](const Connection& each) { return each.worker.joinable(); }));
}

int RequestServer::wait_ms() const {
    if (!options_.idle || running() > 0)
        return -1;
    const auto left = std::chrono::duration_cast<Milliseconds>(last_request_ + *options_.idle - clock_.monotonic());
    return static_cast<int>(std::max<Milliseconds::rep>(0, left.count()));
}

bool RequestServer::turn() {
    std::vector<pollfd> watched{{stop_fd_, POLLIN, 0}, {listening_.get(), POLLIN, 0}, {finished_.get(), POLLIN, 0}};
    const bool busy = running() >= options_.at_once;
    for (const Connection& connection : connections_) // poll() passes over what is negative
        watched.push_back({busy || connection.worker.joinable() ? -1 : connection.fd.get(), POLLIN, 0});
    const int ready = poll(watched.data(), watched.size(), wait_ms());
    if (ready < 0)
        return errno == EINTR;
    if (ready == 0 || watched[0].revents != 0)
        return false;
    for (std::size_t i = 3; i < watched.size(); ++i)
        if (watched[i].revents != 0 && running() < options_.at_once)
            begin(connections_[i - 3]);
    collect_finished();
    if (watched[1].revents != 0)
        accept_waiting();
    return true;
}

void RequestServer::begin(Connection& connection) {
    const int fd = connection.fd.get();
    if (options_.at_once > 1) {
        try {
            std::promise<bool> promise;
            connection.served = promise.get_future();
            connection.worker = std::thread([this, fd, served = std::move(promise)]() mutable {
                served.set_value(serve(fd));
                const std::uint64_t one = 1;
                (void)!write(finished_.get(), &one, sizeof(one));
            });
            return;
        } catch (const std::system_error&) { // no thread to be had: then one after the other
        }
    }
    if (!serve(fd))
        connection.fd.reset();
    last_request_ = clock_.monotonic();
}

void RequestServer::collect_finished() {
    std::uint64_t count = 0;
    (void)!read(finished_.get(), &count, sizeof(count));
    for (Connection& connection : connections_)
        if (connection.worker.joinable() && connection.served.wait_for(Milliseconds(0)) == std::future_status::ready) {
            connection.worker.join();
            if (!connection.served.get())
                connection.fd.reset();
            last_request_ = clock_.monotonic();
        }
    connections_.erase(
        std::remove_if(connections_.begin(), connections_.end(), [](const Connection& each) { return !each.fd; }),
        connections_.end());
}

void RequestServer::accept_waiting() {
    auto connection = accept_one(listening_.get());
    if (!connection)
        return;
    const auto peer = peer_of(connection->get());
    if (!peer || !contains(options_.allowed_uids, peer->uid) || connections_.size() >= options_.maximum_connections)
        return;
    connections_.push_back({std::move(*connection), {}, {}});
}

bool RequestServer::serve(int connection) const {
    const auto message = receive_message(connection);
    if (!message)
        return message.error().errno_value() == EAGAIN;
    const std::string reply = handler_(*message, connection);
    auto sent = send_message(connection, reply);
    if (!sent && sent.error().errno_value() == EAGAIN && wait_writable(connection, kAnswerWaitMs))
        sent = send_message(connection, reply);
    return sent.has_value();
}

} // namespace picket::ipc
