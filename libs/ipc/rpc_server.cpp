#include <picket/ipc/rpc.h>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/epoll.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/ipc/file_socket.h>

#include "rpc_message.h"
#include "rpc_outbox.h"

namespace picket::ipc {
namespace {

constexpr std::uint64_t kListenTag = 0;
constexpr std::uint64_t kWakeTag = 1;
constexpr std::uint64_t kFirstClientTag = 2;
constexpr Milliseconds kSweepInterval{1'000};

struct Client {
    FileSocket fd; ///< what it sent and nobody read may be anybody's files
    std::shared_ptr<Outbox> outbox;
    MonotonicTime last_activity;
    std::uint32_t interest = EPOLLIN;
    bool leaving = false; ///< closed once its queue is empty
};

std::string too_many_clients(std::string_view whose) {
    return answer_text(nullptr, {nullptr, RpcError{"unavailable", fmt::format("too many clients {}", whose),
                                                   "wait, or end programs that keep a connection open"}});
}

} // namespace

struct RpcServer::Impl {
    Impl(UniqueFd listening_socket, RpcHandler request_handler, RpcServerOptions server_options)
        : listening(std::move(listening_socket)), handler(std::move(request_handler)),
          options(std::move(server_options)), epoll(::epoll_create1(EPOLL_CLOEXEC)),
          spare(::open("/", O_PATH | O_CLOEXEC)) {
        PICKET_CHECK(epoll);
        watch(listening.get(), kListenTag, EPOLLIN);
        watch(wakeup->fd(), kWakeTag, EPOLLIN);
    }

    void run();
    void watch(int fd, std::uint64_t tag, std::uint32_t events) const;
    void accept_clients();
    void shed_one_connection();
    void admit(UniqueFd fd, const Peer& peer);
    bool has_room_for(const Peer& peer, std::string_view& reason) const;
    void on_client(std::uint64_t tag, std::uint32_t events);
    void read_from(Client& client);
    void handle(Client& client, const Content& content);
    bool take_message(Client& client, RpcDescriptors descriptors, RpcRequest& request) const;
    RpcResult call_handler(RpcRequest& request) const;
    void flush(std::uint64_t tag);
    void drop(std::uint64_t tag);
    void sweep();

    UniqueFd listening;
    RpcHandler handler;
    RpcServerOptions options;
    UniqueFd epoll;
    UniqueFd spare; ///< given up to refuse a connection when descriptors have run out
    std::shared_ptr<Wakeup> wakeup = std::make_shared<Wakeup>();
    std::atomic<bool> stopping{false};
    std::map<std::uint64_t, Client> clients;
    std::map<uid_t, std::size_t> clients_of;
    std::uint64_t next_tag = kFirstClientTag;
    SystemClock clock;
};

void RpcServer::Impl::watch(int fd, std::uint64_t tag, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    PICKET_CHECK(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0 || errno == ENOSPC || errno == ENOMEM);
}

void RpcServer::Impl::run() {
    MonotonicTime next_sweep = clock.monotonic() + kSweepInterval;
    epoll_event events[64];
    while (!stopping) {
        const int count =
            ::epoll_wait(epoll.get(), events, std::size(events), static_cast<int>(kSweepInterval.count()));
        for (int i = 0; i < count && !stopping; ++i) {
            if (events[i].data.u64 == kListenTag)
                accept_clients();
            else if (events[i].data.u64 >= kFirstClientTag)
                on_client(events[i].data.u64, events[i].events);
        }
        for (const std::uint64_t tag : wakeup->take())
            flush(tag);
        if (clock.monotonic() >= next_sweep) {
            sweep();
            next_sweep = clock.monotonic() + kSweepInterval;
        }
    }
    while (!clients.empty())
        drop(clients.begin()->first);
}

void RpcServer::Impl::accept_clients() {
    constexpr int kAtOnce = 32; // a flood of newcomers must not starve who is already in
    for (int i = 0; i < kAtOnce; ++i) {
        auto fd = accept_one(listening.get());
        if (!fd) {
            if (fd.error().code() == ErrorCode::exhausted)
                shed_one_connection();
            return;
        }
        const auto peer = peer_of(fd->get());
        if (peer)
            admit(std::move(*fd), *peer);
    }
}

void RpcServer::Impl::shed_one_connection() {
    spare.reset();
    if (const auto fd = accept_one(listening.get()))
        (void)send_message(fd->get(), too_many_clients("on this host"));
    spare.reset(::open("/", O_PATH | O_CLOEXEC));
}

bool RpcServer::Impl::has_room_for(const Peer& peer, std::string_view& reason) const {
    reason = "at once";
    if (clients.size() >= options.maximum_clients)
        return false;
    reason = "of this user at once";
    const auto same = clients_of.find(peer.uid);
    return peer.uid == 0 || same == clients_of.end() || same->second < options.maximum_clients_per_user;
}

void RpcServer::Impl::admit(UniqueFd fd, const Peer& peer) {
    std::string_view reason;
    if (!has_room_for(peer, reason)) {
        (void)send_message(fd.get(), too_many_clients(reason));
        return;
    }
    const std::uint64_t tag = next_tag++;
    const std::size_t largest = largest_message(fd.get());
    watch(fd.get(), tag, EPOLLIN);
    auto outbox = std::make_shared<Outbox>(tag, peer, options.maximum_queue_messages, largest, wakeup);
    clients.emplace(tag, Client{FileSocket(std::move(fd)), std::move(outbox), clock.monotonic()});
    ++clients_of[peer.uid];
}

void RpcServer::Impl::on_client(std::uint64_t tag, std::uint32_t events) {
    const auto found = clients.find(tag);
    if (found == clients.end())
        return;
    // Read first even on a hang-up: what was sent before it still counts.
    if ((events & EPOLLIN) != 0)
        read_from(found->second);
    else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
        return drop(tag);
    flush(tag);
}

void RpcServer::Impl::read_from(Client& client) {
    // One request a turn, and none while an answer waits: so nobody keeps the others waiting or fills our memory.
    if (client.leaving || client.outbox->leaves() || client.outbox->busy() || !client.outbox->empty())
        return;
    auto content = peek_content(client.fd.get());
    if (content) {
        client.last_activity = clock.monotonic();
        return handle(client, *content);
    }
    if (content.error().errno_value() == EAGAIN)
        return;
    if (content.error().code() == ErrorCode::invalid_input)
        client.outbox->answer({answer_text(nullptr, {nullptr, RpcError{"usage", content.error().message(), ""}})});
    client.leaving = true;
}

void RpcServer::Impl::handle(Client& client, const Content& content) {
    ParsedRequest parsed = parse_request(content.text);
    RpcRequest none;
    RpcRequest& request = parsed.request ? *parsed.request : none;
    request.credentials = client.outbox->credentials();
    const bool asked = parsed.request && content.has_descriptors && options.descriptors_of;
    const RpcDescriptors descriptors = asked ? options.descriptors_of(request) : RpcDescriptors::dropped;
    // Letting go of what was not received may wait for its server as well: it stays where it is, and is the last.
    const bool stays = content.has_descriptors && descriptors == RpcDescriptors::dropped;
    client.leaving = stays;
    if (!stays && !take_message(client, descriptors, request)) {
        client.outbox->answer({answer_text(parsed.id, {nullptr, RpcError{"usage", "too many descriptors", ""}})});
        client.leaving = true;
        return;
    }
    if (!parsed.request) {
        client.outbox->answer({answer_text(parsed.id, {nullptr, std::move(parsed.error)})});
        client.leaving = client.leaving || parsed.id.is_null();
        return;
    }
    request.peer = client.outbox;
    const auto reply = std::make_shared<Reply>(client.outbox, parsed.id, descriptors == RpcDescriptors::left);
    request.reply = [reply](const RpcResult& result) { reply->send(result); };
    client.outbox->set_busy(true);
    const RpcResult result = call_handler(request);
    if (!result.deferred)
        reply->send(result);
}

/// The message that was peeked at. False where it cannot be taken as it came.
bool RpcServer::Impl::take_message(Client& client, RpcDescriptors descriptors, RpcRequest& request) const {
    if (descriptors == RpcDescriptors::left) {
        request.connection = UniqueFd(::fcntl(client.fd.get(), F_DUPFD_CLOEXEC, 0));
        return bool(request.connection); // else nobody would take the message off
    }
    auto message = receive_message(client.fd.get());
    if (!message)
        return false;
    request.descriptors = std::move(message->descriptors);
    return true;
}

RpcResult RpcServer::Impl::call_handler(RpcRequest& request) const {
    try {
        return handler(request);
    } catch (const std::exception& error) {
        return {nullptr, RpcError{"failed",
                                  fmt::format("internal error in {}: {}", escape_for_display(request.method),
                                              escape_for_display(error.what())),
                                  "report it with the log of picketd"}};
    }
}

void RpcServer::Impl::flush(std::uint64_t tag) {
    const auto found = clients.find(tag);
    if (found == clients.end())
        return;
    Client& client = found->second;
    const bool waited = !client.outbox->empty();
    client.leaving = client.leaving || client.outbox->leaves();
    if (!client.outbox->flush(client.fd.get()) || client.outbox->hopeless())
        return drop(tag);
    const bool waits = !client.outbox->empty();
    if (waited && !waits)
        client.last_activity = clock.monotonic();
    if (client.leaving && !waits && !client.outbox->busy())
        return drop(tag);
    const std::uint32_t interest = waits ? EPOLLOUT : client.outbox->busy() ? 0U : EPOLLIN;
    if (interest == client.interest)
        return;
    client.interest = interest;
    epoll_event event{};
    event.events = interest;
    event.data.u64 = tag;
    ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, client.fd.get(), &event);
}

void RpcServer::Impl::drop(std::uint64_t tag) {
    const auto found = clients.find(tag);
    const uid_t uid = found->second.outbox->credentials().uid;
    found->second.outbox->close();
    // By hand: while its disposer has the socket, it would go on to be reported.
    ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, found->second.fd.get(), nullptr);
    clients.erase(found);
    if (--clients_of[uid] == 0)
        clients_of.erase(uid);
}

void RpcServer::Impl::sweep() {
    const MonotonicTime now = clock.monotonic();
    std::vector<std::uint64_t> idle;
    for (const auto& [tag, client] : clients)
        if ((now - client.last_activity > options.idle_timeout && !client.outbox->busy()) || client.outbox->hopeless())
            idle.push_back(tag);
    for (const std::uint64_t tag : idle)
        drop(tag);
}

RpcServer::RpcServer(UniqueFd listening, RpcHandler handler, RpcServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(listening), std::move(handler), std::move(options))) {}
RpcServer::~RpcServer() = default;

void RpcServer::run() {
    const std::shared_ptr<Impl> alive = impl_;
    alive->run();
}

void RpcServer::stop() {
    impl_->stopping = true;
    impl_->wakeup->wake();
}

} // namespace picket::ipc
