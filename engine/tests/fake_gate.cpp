#include "fake_gate.h"

#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <doctest/doctest.h>
#include <picket/ipc/seqpacket.h>
#include <picket/sys/file.h>

#include "worker.h"

namespace picket::engine::testing {
namespace {

template <typename Record>
std::optional<Record> as(const std::string& content) {
    if (content.size() != sizeof(Record))
        return std::nullopt;
    Record record;
    std::memcpy(&record, content.data(), sizeof record);
    return record;
}

template <typename Record>
std::string_view bytes_of(const Record& record) {
    return {reinterpret_cast<const char*>(&record), sizeof record};
}

} // namespace

FakeGate::FakeGate(const std::string& socket_path) {
    auto listening = ipc::listen_at(socket_path, 0666);
    REQUIRE_MESSAGE(listening, (listening ? "" : listening.error().message()));
    listening_ = std::move(*listening);
}

void FakeGate::take(Connection& connection) {
    while (true) {
        const auto message = ipc::receive_message(connection.fd.get());
        if (!message) {
            if (message.error().errno_value() != EAGAIN)
                connection.closed = true;
            return;
        }
        if (!connection.hello) {
            connection.hello = as<scan::EngineHello>(message->content);
            const bool right = connection.hello && is_valid(*connection.hello);
            CHECK(right);
        } else if (connection.is_worker()) {
            const auto reply = as<scan::ScanReply>(message->content);
            const bool right = reply && is_valid(*reply);
            CHECK(right);
            connection.replies.push_back(reply.value_or(scan::ScanReply{}));
        } else {
            const auto status = as<scan::EngineStatus>(message->content);
            const bool right = status && is_valid(*status);
            CHECK(right);
            connection.statuses.push_back(status.value_or(scan::EngineStatus{}));
        }
    }
}

void FakeGate::pump(int timeout_ms) {
    std::vector<pollfd> waiting{{listening_.get(), POLLIN, 0}};
    for (const auto& connection : connections_)
        if (!connection->closed)
            waiting.push_back({connection->fd.get(), POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), timeout_ms) <= 0)
        return;
    if (waiting.front().revents != 0)
        while (auto accepted = ipc::accept_one(listening_.get())) {
            connections_.push_back(std::make_unique<Connection>());
            connections_.back()->fd = std::move(*accepted);
        }
    for (const auto& connection : connections_)
        if (!connection->closed)
            take(*connection);
}

bool FakeGate::wait_until(const std::function<bool()>& condition, int seconds) {
    const std::int64_t deadline = monotonic_ms() + seconds * 1'000LL;
    while (!condition()) {
        if (monotonic_ms() > deadline)
            return false;
        pump(50);
    }
    return true;
}

FakeGate::Connection* FakeGate::control() {
    for (const auto& connection : connections_)
        if (connection->is_control())
            return connection.get();
    return nullptr;
}

std::vector<FakeGate::Connection*> FakeGate::workers(const std::string& generation) {
    std::vector<Connection*> found;
    for (const auto& connection : connections_)
        if (connection->is_worker() && (generation.empty() || generation == connection->hello->definitions))
            found.push_back(connection.get());
    return found;
}

FakeGate::Connection& FakeGate::worker() {
    REQUIRE(wait_until([&] { return !workers().empty(); }));
    return *workers().front();
}

std::optional<scan::EngineStatus> FakeGate::last_status() {
    wait_until([&] { return control() != nullptr && !control()->statuses.empty(); });
    return control() != nullptr && !control()->statuses.empty() ? std::optional(control()->statuses.back())
                                                                : std::nullopt;
}

bool FakeGate::wait_for_workers(std::size_t count, const std::string& generation) {
    return wait_until([&] { return workers(generation).size() == count; });
}

bool FakeGate::wait_for_state(scan::LoadState state, const std::string& generation) {
    return wait_until([&] {
        return control() != nullptr && !control()->statuses.empty() && control()->statuses.back().state == state &&
               (generation.empty() || generation == control()->statuses.back().definitions);
    });
}

void FakeGate::command(scan::EngineCommandKind kind, std::uint32_t value, std::uint32_t sequence) {
    REQUIRE(wait_until([&] { return control() != nullptr; }));
    scan::EngineCommand command;
    command.kind = kind;
    command.value = value;
    command.sequence = sequence;
    REQUIRE(ipc::send_message(control()->fd.get(), bytes_of(command)));
}

std::optional<scan::EngineStatus> FakeGate::answer_to(std::uint32_t sequence) {
    std::optional<scan::EngineStatus> answer;
    wait_until([&] {
        if (control() == nullptr)
            return false;
        for (const scan::EngineStatus& status : control()->statuses)
            if (status.sequence == sequence)
                answer = status;
        return answer.has_value();
    });
    return answer;
}

std::uint64_t FakeGate::request(Connection& worker, int fd, std::uint32_t time_limit_ms, std::uint32_t flags) {
    scan::ScanRequest request;
    request.id = next_id_++;
    request.flags = flags;
    request.time_limit_ms = time_limit_ms;
    return ipc::send_message(worker.fd.get(), bytes_of(request), {fd}) ? request.id : 0;
}

std::optional<scan::ScanReply> FakeGate::reply_to(Connection& worker, std::uint64_t id) {
    const auto found = [&]() -> const scan::ScanReply* {
        for (const scan::ScanReply& reply : worker.replies)
            if (reply.id == id)
                return &reply;
        return nullptr;
    };
    const bool ended = wait_until([&] { return worker.closed || found() != nullptr; });
    CHECK(ended);
    return found() != nullptr ? std::optional(*found()) : std::nullopt;
}

std::optional<scan::ScanReply> FakeGate::scan(const std::string& path, std::uint32_t time_limit_ms) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(fd);
    std::uint64_t id = 0;
    Connection* taker = nullptr;
    wait_until([&] {
        for (Connection* worker : workers())
            if (id == 0 && (id = request(*worker, fd.get(), time_limit_ms)) != 0)
                taker = worker;
        return id != 0;
    });
    REQUIRE(taker != nullptr);
    return reply_to(*taker, id);
}

std::optional<scan::ScanReply> FakeGate::scan_content(const std::string& content, std::uint32_t time_limit_ms) {
    // A memory file of the test's own is open for writing: the engine gets a second, read-only opening of it.
    const auto memory = sys::memory_file(content);
    REQUIRE(memory);
    return scan("/proc/self/fd/" + std::to_string(memory->get()), time_limit_ms);
}

void FakeGate::vanish() {
    connections_.clear();
    listening_.reset();
}

} // namespace picket::engine::testing
