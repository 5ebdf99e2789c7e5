#include <cstdio>
#include <cstring>
#include <getopt.h>
#include <unistd.h>

#include <picket/base/build_info.h>

#include "app.h"

namespace {

constexpr const char* kHelp =
    "picketd: the gate. Answers every open of a watched file; started by picketd.service.\n"
    "\n"
    "Usage: picketd [OPTIONS]\n"
    "  --root DIR            configuration and state below DIR (default /)\n"
    "  --run-directory DIR   sockets (default /run/picket)\n"
    "  --engine-user USER    who may connect as the engine: name or number (default picket-engine)\n"
    "  --only-mount PATH     watch only what is mounted there (repeatable; default: everything)\n"
    "  --version, --help\n"
    "\n"
    "Example: picketd --only-mount /srv\n"
    "picket.off on the kernel command line keeps the gate off.\n";

enum Option { kRoot = 1, kRunDirectory, kEngineUser, kOnlyMount, kVersion, kHelpOption };

} // namespace

int main(int argc, char** argv) {
    const option options[] = {{"root", required_argument, nullptr, kRoot},
                              {"run-directory", required_argument, nullptr, kRunDirectory},
                              {"engine-user", required_argument, nullptr, kEngineUser},
                              {"only-mount", required_argument, nullptr, kOnlyMount},
                              {"version", no_argument, nullptr, kVersion},
                              {"help", no_argument, nullptr, kHelpOption},
                              {nullptr, 0, nullptr, 0}};
    picket::daemon::AppOptions app;
    for (int choice = 0; (choice = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
        switch (choice) {
        case kRoot:
            app.root = optarg;
            break;
        case kRunDirectory:
            app.run_directory = optarg;
            break;
        case kEngineUser:
            app.engine_user = optarg;
            break;
        case kOnlyMount:
            app.only_mounts.emplace_back(optarg);
            break;
        case kVersion:
            std::printf("picketd %s\n", picket::build::version());
            return 0;
        case kHelpOption:
            std::fputs(kHelp, stdout);
            return 0;
        default:
            std::fputs("try picketd --help\n", stderr);
            return 2;
        }
    }
    if (optind < argc) {
        std::fprintf(stderr, "picketd: unexpected argument %s\n", argv[optind]);
        return 2;
    }
    if (geteuid() != 0) {
        std::fputs("picketd: only root can watch files\n", stderr);
        return 3;
    }
    return picket::daemon::App(std::move(app)).run();
}
