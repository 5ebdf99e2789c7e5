#include <csignal>
#include <cstdio>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/ipc/activation.h>
#include <picket/ipc/request_server.h>
#include <picket/model/paths.h>
#include <picket/sandbox/privileges.h>
#include <picket/sys/notify.h>
#include <picket/sys/program_arguments.h>

#include "connection_test.h"
#include "link_fetcher.h"
#include "service.h"

using namespace picket;

namespace {

constexpr Milliseconds kIdle{60'000};
constexpr std::size_t kAtOnce = 4; ///< a test of connections beside an update
constexpr const char* kUsage =
    "usage: picket-definitions [--socket PATH] [--link PATH] [--root DIR]\n"
    "Keeps the definitions for picketd: verifies what picket-link brings, and keeps generations.\n"
    "Without --socket it takes the socket that the service manager passes.\n";

struct Arguments {
    std::string socket;
    std::string link = paths::kLinkSocket;
    std::string root = "/";
};

Result<void> serve(const Arguments& arguments) {
    UniqueFd listening =
        PICKET_TRY(arguments.socket.empty() ? ipc::passed_socket() : ipc::listen_at(arguments.socket, 0600));
    const UniqueFd stop = PICKET_TRY(ipc::stop_signals());
    // It owns what it writes to: root without a capability is enough.
    PICKET_TRY(sandbox::drop_all_capabilities());
    PICKET_TRY(sandbox::become_undumpable());
    const sys::Root root = PICKET_TRY(sys::Root::open(arguments.root));
    const SystemClock clock;
    updater::LinkFetcher fetcher(arguments.link, stop.get());
    updates::Updater updater(root, clock, fetcher);
    std::mutex updating;
    const updater::Services services{updater, updating, [&] {
                                         return updater::test_connections(
                                             root, [&](const ProbeRequest& request) { return fetcher.probe(request); });
                                     }};
    sys::notify_service_manager("READY=1");
    ipc::RequestServerOptions options;
    options.allowed_uids = {geteuid()};
    options.at_once = kAtOnce;
    if (arguments.socket.empty())
        options.idle = kIdle;
    ipc::RequestServer server(
        std::move(listening), stop.get(), clock,
        [&](const ipc::Message& message, int) { return updater::answer(services, message.content); }, options);
    server.run();
    return {};
}

} // namespace

int main(int argc, char** argv) {
    if (const auto answered = sys::answer_version_or_help(argc, argv, "picket-definitions", kUsage))
        return *answered;
    Arguments arguments;
    if (!sys::read_options(
            argc, argv, {{"--socket", &arguments.socket}, {"--link", &arguments.link}, {"--root", &arguments.root}})) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    umask(077);
    std::signal(SIGPIPE, SIG_IGN);
    if (const auto served = serve(arguments); !served) {
        fmt::print(stderr, "picket-definitions: {}\n", served.error().message());
        return 1;
    }
    return 0;
}
