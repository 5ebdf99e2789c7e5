#pragma once
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

/// For the programs that a service manager starts: no more than it needs to tell them.
namespace picket::sys {

/// Where the one argument is --version or --help, it is answered on standard output and the exit status returned.
std::optional<int> answer_version_or_help(int argc, char** argv, const char* program, const char* usage);

struct NamedOption {
    std::string_view name; ///< "--socket"
    std::string* value;
};
/// False where an argument is none of these, or is the last and lacks its value. The later of two of a name counts.
bool read_options(int argc, char** argv, std::initializer_list<NamedOption> options);

} // namespace picket::sys
