#pragma once
#include <optional>

namespace picket::daemon {

/// Where the one argument is --version or --help, it is answered on standard output and the exit status returned.
std::optional<int> answer_version_or_help(int argc, char** argv, const char* program, const char* usage);

} // namespace picket::daemon
