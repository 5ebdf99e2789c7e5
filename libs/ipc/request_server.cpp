#include <picket/ipc/request_server.h>

#include <algorithm>
#include <cerrno>
#include <poll.h>

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
      options_(std::move(options)), last_request_(clock.monotonic()) {}

void RequestServer::run() {
    while (turn()) {
    }
}

int RequestServer::wait_ms() const {
    if (!options_.idle)
        return -1;
    const auto left = std::chrono::duration_cast<Milliseconds>(last_request_ + *options_.idle - clock_.monotonic());
    return static_cast<int>(std::max<Milliseconds::rep>(0, left.count()));
}

bool RequestServer::turn() {
    std::vector<pollfd> watched{{stop_fd_, POLLIN, 0}, {listening_.get(), POLLIN, 0}};
    for (const UniqueFd& connection : connections_)
        watched.push_back({connection.get(), POLLIN, 0});
    const int ready = poll(watched.data(), watched.size(), wait_ms());
    if (ready < 0)
        return errno == EINTR;
    if (ready == 0 || watched[0].revents != 0)
        return false;
    for (std::size_t i = 2; i < watched.size(); ++i)
        if (watched[i].revents != 0 && !serve(watched[i].fd))
            connections_[i - 2].reset();
    connections_.erase(std::remove_if(connections_.begin(), connections_.end(), [](const UniqueFd& fd) { return !fd; }),
                       connections_.end());
    if (watched[1].revents != 0)
        accept_waiting();
    return true;
}

void RequestServer::accept_waiting() {
    auto connection = accept_one(listening_.get());
    if (!connection)
        return;
    const auto peer = peer_of(connection->get());
    if (!peer || !contains(options_.allowed_uids, peer->uid) || connections_.size() >= options_.maximum_connections)
        return;
    connections_.push_back(std::move(*connection));
}

bool RequestServer::serve(int connection) {
    const auto message = receive_message(connection);
    if (!message)
        return message.error().errno_value() == EAGAIN;
    const std::string reply = handler_(*message, connection);
    last_request_ = clock_.monotonic();
    auto sent = send_message(connection, reply);
    if (!sent && sent.error().errno_value() == EAGAIN && wait_writable(connection, kAnswerWaitMs))
        sent = send_message(connection, reply);
    return sent.has_value();
}

} // namespace picket::ipc
