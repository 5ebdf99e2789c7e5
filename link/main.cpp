#include <csignal>
#include <cstdio>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/ipc/activation.h>
#include <picket/ipc/request_server.h>
#include <picket/model/paths.h>
#include <picket/sys/notify.h>
#include <picket/sys/program_arguments.h>

#include "confinement.h"
#include "service.h"

using namespace picket;

namespace {

constexpr Milliseconds kIdle{60'000};
constexpr std::size_t kAtOnce = 4; ///< a probe beside a download
constexpr const char* kUsage = "usage: picket-link [--socket PATH] [--user NAME]\n"
                               "Downloads for picket-definitions. Without --socket it takes the socket that the "
                               "service manager passes.\n";

struct Arguments {
    std::string socket;
    std::string user = paths::kLinkUser;
};

/// We are to stop, or the one who asked is gone.
bool is_over(int stop, int connection) {
    pollfd watched[] = {{stop, POLLIN, 0}, {connection, POLLRDHUP, 0}};
    return poll(watched, 2, 0) > 0;
}

Result<void> serve(const Arguments& arguments) {
    const uid_t caller = arguments.socket.empty() ? 0 : geteuid();
    UniqueFd listening =
        PICKET_TRY(arguments.socket.empty() ? ipc::passed_socket() : ipc::listen_at(arguments.socket, 0600));
    const UniqueFd stop = PICKET_TRY(ipc::stop_signals());
    PICKET_TRY(link::confine(arguments.user));
    const SystemClock clock;
    link::Network network;
    sys::notify_service_manager("READY=1");
    ipc::RequestServerOptions options;
    options.allowed_uids = {caller};
    options.at_once = kAtOnce;
    if (arguments.socket.empty())
        options.idle = kIdle;
    ipc::RequestServer server(
        std::move(listening), stop.get(), clock,
        [&](const ipc::Message& message, int connection) {
            return link::answer(network, message, [&] { return is_over(stop.get(), connection); });
        },
        options);
    server.run();
    return {};
}

} // namespace

int main(int argc, char** argv) {
    if (const auto answered = sys::answer_version_or_help(argc, argv, "picket-link", kUsage))
        return *answered;
    Arguments arguments;
    if (!sys::read_options(argc, argv, {{"--socket", &arguments.socket}, {"--user", &arguments.user}})) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    umask(077);
    std::signal(SIGPIPE, SIG_IGN);
    if (const auto served = serve(arguments); !served) {
        fmt::print(stderr, "picket-link: {}\n", served.error().message());
        return 1;
    }
    return 0;
}
