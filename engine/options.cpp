#include "options.h"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::engine {
namespace {

constexpr unsigned kMostWorkers = 64;

struct Switch {
    const char* name;
    const char* value; ///< what it is called in the help; nullptr = takes none
    const char* help;
    Result<void> (*apply)(Options&, const std::string&);
};

Result<void> absolute(std::string& target, const std::string& value) {
    if (!value.starts_with('/'))
        return Error(ErrorCode::invalid_input,
                     fmt::format("'{}' should be an absolute path", escape_for_display(value)));
    target = value;
    return {};
}

Result<void> set_workers(Options& options, const std::string& value) {
    const auto number = parse_unsigned(value);
    if (!number || *number < 1 || *number > kMostWorkers)
        return Error(ErrorCode::invalid_input,
                     fmt::format("'{}' should be a number from 1 to {}", escape_for_display(value), kMostWorkers));
    options.workers = static_cast<unsigned>(*number);
    return {};
}

template <bool Options::*Flag>
Result<void> set_flag(Options& options, const std::string& /*none*/) {
    options.*Flag = true;
    return {};
}

constexpr std::array<Switch, 10> kSwitches{{
    {"--socket", "PATH", "the gate's socket", [](Options& o, const std::string& v) { return absolute(o.socket, v); }},
    {"--definitions", "DIR", "holds generations/ and current",
     [](Options& o, const std::string& v) { return absolute(o.definitions, v); }},
    {"--temporary-directory", "DIR", "where archives unpack to; emptied at start",
     [](Options& o, const std::string& v) { return absolute(o.temporary_directory, v); }},
    {"--user", "NAME|UID", "whom to become where started as root",
     [](Options& o, const std::string& v) {
         o.user = v;
         return Result<void>();
     }},
    {"--workers", "N", "processes that scan; default by the number of processors", set_workers},
    {"--once", nullptr, "end when the gate goes", set_flag<&Options::once>},
    {"--sequential-reload", nullptr, "unload the old definitions before loading new ones",
     set_flag<&Options::sequential_reload>},
    {"--probe-sandbox", nullptr, "try to break out of a worker's sandbox and print what happened, as JSON",
     set_flag<&Options::probe_sandbox>},
    {"--version", nullptr, "print versions", set_flag<&Options::version>},
    {"--help", nullptr, "print this", set_flag<&Options::help>},
}};

} // namespace

Result<Options> parse_options(int count, const char* const* arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        const auto* const found =
            std::find_if(kSwitches.begin(), kSwitches.end(), [&](const Switch& s) { return s.name == name; });
        if (found == kSwitches.end())
            return Error(ErrorCode::invalid_input,
                         fmt::format("unknown option '{}'; see --help", escape_for_display(name)));
        if (found->value != nullptr && i + 1 >= count)
            return Error(ErrorCode::invalid_input, fmt::format("{} needs {}", name, found->value));
        const auto applied = found->apply(options, found->value != nullptr ? arguments[++i] : "");
        if (!applied)
            return applied.error().with_context(name);
    }
    return options;
}

std::string usage() {
    std::string text = "picket-engine: scans what the gate sends. Started by its own unit.\n\n";
    for (const Switch& entry : kSwitches)
        text += fmt::format("  {:<34}{}\n", fmt::format("{} {}", entry.name, entry.value != nullptr ? entry.value : ""),
                            entry.help);
    return text;
}

} // namespace picket::engine
