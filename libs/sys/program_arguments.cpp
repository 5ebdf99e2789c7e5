#include "usage.h"

#include <string_view>

#include <fmt/format.h>
#include <picket/base/build_info.h>

namespace picket::daemon {

std::optional<int> answer_version_or_help(int argc, char** argv, const char* program, const char* usage) {
    const std::string_view argument = argc == 2 ? argv[1] : "";
    if (argument == "--version")
        fmt::print("{} {}\n", program, build::version());
    else if (argument == "--help")
        fmt::print("{}", usage);
    else
        return std::nullopt;
    return 0;
}

} // namespace picket::daemon
