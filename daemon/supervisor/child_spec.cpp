#include "child_spec.h"

#include <picket/model/paths.h>

namespace picket::supervisor {

std::vector<ChildSpec> standard_children(const ProgramPaths& paths) {
    return {
        {.name = "guard",
         .arguments = {paths.libexec + "/picket-guard"},
         .start_wait = Milliseconds(5'000),
         .watchdog = Milliseconds(10'000)},
        {.name = "remedy",
         .arguments = {paths.libexec + "/picket-remedy", "--socket", paths::kRemedySocket},
         .start_wait = Milliseconds(5'000)},
        {.name = "link", .arguments = {paths.libexec + "/picket-link", "--socket", paths::kLinkSocket}},
        {.name = "definitions",
         .arguments = {paths.libexec + "/picket-definitions", "--socket", paths::kDefinitionsSocket}},
        {.name = "picketd",
         .arguments = {paths.sbin + "/picketd"},
         .start_wait = Milliseconds(10'000),
         .watchdog = Milliseconds(10'000)},
        {.name = "engine",
         .arguments = {paths.libexec + "/picket-engine"},
         .user = paths::kEngineUser,
         .temporary_directory = paths::kEngineTemporaryDirectory},
    };
}

} // namespace picket::supervisor
