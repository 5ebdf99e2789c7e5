#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <picket/ipc/rpc.h>

namespace picket::ipc {

/// A directory of the test's own, removed at its end.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        char name[] = "/tmp/picket-ipc-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    std::string path;
};

inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

/// A server on a real socket with a thread of its own.
class RunningServer {
  public:
    explicit RunningServer(RpcHandler handler, RpcServerOptions options = {})
        : server_(listen(), std::move(handler), options), thread_([this] { server_.run(); }) {}
    ~RunningServer() {
        server_.stop();
        thread_.join();
    }
    RunningServer(const RunningServer&) = delete;
    RunningServer& operator=(const RunningServer&) = delete;

    std::string socket() const { return directory_.path + "/control.sock"; }
    RpcClient client() const {
        auto connected = RpcClient::connect(socket());
        REQUIRE(connected);
        return std::move(*connected);
    }
    UniqueFd raw_client() const {
        auto connected = connect_to(socket());
        REQUIRE(connected);
        return std::move(*connected);
    }

  private:
    UniqueFd listen() const {
        auto fd = listen_at(socket(), 0600, 256);
        REQUIRE(fd);
        return std::move(*fd);
    }
    TemporaryDirectory directory_;
    RpcServer server_;
    std::thread thread_;
};

inline constexpr int kPatience = 20'000; ///< ms; a bound, not an expectation

inline Result<Message> receive_within(int fd, int timeout_ms = kPatience) {
    if (!wait_readable(fd, timeout_ms))
        return Error(ErrorCode::unavailable, "timeout");
    return receive_message(fd);
}

} // namespace picket::ipc
