#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <common/capabilities.h>
#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/ipc/activation.h>
#include <picket/ipc/request_server.h>
#include <picket/sys/notify.h>
#include <picket/sys/program_arguments.h>

#include "service.h"
#include "vault.h"

using namespace picket;

namespace {

constexpr Milliseconds kIdle{60'000};
constexpr const char* kUsage =
    "usage: picket-remedy [--socket PATH] [--root DIR] [--vault DIR]\n"
    "Quarantine and restore for picketd. Without --socket it takes the socket that the service "
    "manager passes.\n";

struct Arguments {
    std::string socket;
    std::string root = "/";
    std::string vault = paths::kQuarantineDirectory; ///< below the root
};

/// To reach others' files and to act as their owners; nothing else.
Result<void> give_up_rights() {
    if (geteuid() != 0)
        return Error(ErrorCode::permission, "picket-remedy must run as root");
    if (setgroups(0, nullptr) != 0)
        return Error::from_errno(errno, "setgroups");
    return daemon::keep_only_capabilities({CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_SETUID, CAP_SETGID});
}

void say(const std::string& text) {
    fmt::print(stderr, "picket-remedy: {}\n", text);
}

Result<void> serve(const Arguments& arguments) {
    UniqueFd listening =
        PICKET_TRY(arguments.socket.empty() ? ipc::passed_socket() : ipc::listen_at(arguments.socket, 0600));
    const UniqueFd stop = PICKET_TRY(ipc::stop_signals());
    PICKET_TRY(give_up_rights());
    const UniqueFd root(open(arguments.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        return Error::from_errno(errno, fmt::format("open {}", escape_for_display(arguments.root)));
    remedy::Disk disk;
    const SystemClock clock;
    remedy::Vault vault = PICKET_TRY(remedy::Vault::open(disk, clock, root.get(), {.directory = arguments.vault}));
    const remedy::Reconciled& done = vault.reconciled();
    if (done.removals_finished + done.copies_dropped + done.restores_finished + done.restores_undone + done.undecided >
        0)
        say(fmt::format("after an interruption: {} removals finished, {} copies dropped, {} restores finished, "
                        "{} undone, {} undecided",
                        done.removals_finished, done.copies_dropped, done.restores_finished, done.restores_undone,
                        done.undecided));
    const sys::Root packages_root = PICKET_TRY(sys::Root::open(arguments.root));
    const auto packages = sys::rpm_files_of(packages_root);
    sys::notify_service_manager("READY=1");
    ipc::RequestServerOptions options;
    if (arguments.socket.empty())
        options.idle = kIdle;
    ipc::RequestServer server(
        std::move(listening), stop.get(), clock,
        [&](const ipc::Message& message, int) { return remedy::answer(vault, message, packages.get()); }, options);
    server.run();
    return {};
}

} // namespace

int main(int argc, char** argv) {
    if (const auto answered = sys::answer_version_or_help(argc, argv, "picket-remedy", kUsage))
        return *answered;
    Arguments arguments;
    if (!sys::read_options(
            argc, argv,
            {{"--socket", &arguments.socket}, {"--root", &arguments.root}, {"--vault", &arguments.vault}})) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    umask(077);
    std::signal(SIGPIPE, SIG_IGN);
    if (const auto served = serve(arguments); !served) {
        say(served.error().message());
        return served.error().code() == ErrorCode::permission ? 3 : 1;
    }
    return 0;
}
