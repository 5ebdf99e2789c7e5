#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <picket/base/text.h>
#include <picket/command_line/output.h>
#include <picket/ipc/rpc.h>
#include <picket/sys/process.h>

namespace picket::cli {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        char name[] = "/tmp/picket-cli-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    std::string file(const std::string& name, const std::string& content) const {
        const std::string full = path + "/" + name;
        std::ofstream(full) << content;
        return full;
    }
    std::string path;
};

/// A real server with canned answers, on a socket of its own. Set the answers before the first request.
class FakeDaemon {
  public:
    struct Seen {
        std::string method;
        data::Json parameters;
        std::string first_bytes; ///< of the first descriptor, at most 64
        std::size_t descriptors = 0;
    };

    FakeDaemon()
        : server_(listen(), [this](ipc::RpcRequest& request) { return handle(request); },
                  {.descriptors_of = [](const ipc::RpcRequest&) { return ipc::RpcDescriptors::taken; }}),
          thread_([this] { server_.run(); }) {}
    ~FakeDaemon() {
        server_.stop();
        thread_.join();
    }
    FakeDaemon(const FakeDaemon&) = delete;
    FakeDaemon& operator=(const FakeDaemon&) = delete;

    void answer(const std::string& method, const data::Json& value) {
        on(method, [value](ipc::RpcRequest&) { return ipc::RpcResult{value, std::nullopt}; });
    }
    void refuse(const std::string& method, const ipc::RpcError& error) {
        on(method, [error](ipc::RpcRequest&) { return ipc::RpcResult{nullptr, error}; });
    }
    void on(const std::string& method, ipc::RpcHandler handler) {
        const std::lock_guard lock(mutex_);
        handlers_[method] = std::move(handler);
    }
    /// Requests of that method, in order.
    std::vector<Seen> seen(const std::string& method) const {
        const std::lock_guard lock(mutex_);
        std::vector<Seen> found;
        for (const Seen& request : seen_)
            if (request.method == method)
                found.push_back(request);
        return found;
    }
    std::string socket() const { return directory_.path + "/control.sock"; }

  private:
    UniqueFd listen() const {
        auto fd = ipc::listen_at(socket(), 0666);
        REQUIRE(fd);
        return std::move(*fd);
    }
    ipc::RpcResult handle(ipc::RpcRequest& request) {
        ipc::RpcHandler handler;
        {
            const std::lock_guard lock(mutex_);
            Seen seen{request.method, request.parameters, "", request.descriptors.size()};
            char bytes[64] = {};
            if (!request.descriptors.empty())
                if (const ssize_t got = ::pread(request.descriptors[0].get(), bytes, sizeof(bytes), 0); got > 0)
                    seen.first_bytes.assign(bytes, static_cast<std::size_t>(got));
            seen_.push_back(std::move(seen));
            if (const auto found = handlers_.find(request.method); found != handlers_.end())
                handler = found->second;
        }
        if (handler)
            return handler(request);
        if (request.method == "hello")
            return {{{"protocol", 1}, {"version", "0"}, {"features", data::Json::array()}}, std::nullopt};
        return {nullptr, ipc::RpcError{"usage", "unknown method " + request.method, ""}};
    }

    TemporaryDirectory directory_;
    mutable std::mutex mutex_;
    std::map<std::string, ipc::RpcHandler> handlers_;
    std::vector<Seen> seen_;
    ipc::RpcServer server_;
    std::thread thread_;
};

inline sys::RunOutcome run_picket(std::vector<std::string> arguments,
                                  std::map<std::string, std::string> environment = {}) {
    arguments.insert(arguments.begin(), PICKET_PROGRAM);
    auto outcome = sys::run(arguments, {.environment = std::move(environment)});
    REQUIRE(outcome);
    CAPTURE(outcome->error_output);
    CHECK_FALSE(outcome->timed_out);
    return std::move(*outcome);
}

inline sys::RunOutcome ask(const FakeDaemon& daemon, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--socket", daemon.socket()});
    return run_picket(std::move(arguments));
}

/// The data of an envelope of that kind.
inline data::Json data_of(const sys::RunOutcome& outcome, const std::string& kind) {
    INFO(outcome.output);
    INFO(outcome.error_output);
    auto json = data::parse_json(trim(outcome.output));
    REQUIRE(json);
    CHECK(data::integer_or(*json, "schema", 0) == 1);
    CHECK(data::string_or(*json, "kind", "") == kind);
    return data::member(*json, "data");
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

} // namespace picket::cli
