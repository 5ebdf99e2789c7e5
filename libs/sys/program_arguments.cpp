#include <picket/sys/program_arguments.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/build_info.h>

namespace picket::sys {

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

bool read_options(int argc, char** argv, std::initializer_list<NamedOption> options) {
    for (int i = 1; i < argc; i += 2) {
        const auto option = std::find_if(options.begin(), options.end(),
                                         [&](const NamedOption& known) { return known.name == argv[i]; });
        if (option == options.end() || i + 1 >= argc)
            return false;
        *option->value = argv[i + 1];
    }
    return true;
}

} // namespace picket::sys
