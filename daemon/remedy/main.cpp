#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <common/capabilities.h>
#include <common/usage.h>
#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/ipc/activation.h>
#include <picket/ipc/request_server.h>
#include <picket/sys/notify.h>

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

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        std::string* const value = name == "--socket"  ? &arguments.socket
                                   : name == "--root"  ? &arguments.root
                                   : name == "--vault" ? &arguments.vault
                                                       : nullptr;
        if (value == nullptr || i + 1 >= argc)
            return std::nullopt;
        *value = argv[i + 1];
    }
    return arguments;
}

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
    if (const auto answered = daemon::answer_version_or_help(argc, argv, "picket-remedy", kUsage))
        return *answered;
    const auto arguments = parse(argc, argv);
    if (!arguments) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    umask(077);
    std::signal(SIGPIPE, SIG_IGN);
    if (const auto served = serve(*arguments); !served) {
        say(served.error().message());
        return served.error().code() == ErrorCode::permission ? 3 : 1;
    }
    return 0;
}
