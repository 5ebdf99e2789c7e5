#include "formats.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/time_text.h>

#include "pattern.h"

namespace picket::profile {
namespace {

/// Excluded as a whole, each of these would let malware in where it lands, stays or starts. What lies below may be
/// excluded folder by folder, unless it is listed too.
constexpr std::array<std::string_view, 33> kProtectedDirectories = {"/",
                                                                    "/usr",
                                                                    "/etc",
                                                                    "/bin",
                                                                    "/sbin",
                                                                    "/lib",
                                                                    "/lib32",
                                                                    "/lib64",
                                                                    "/boot",
                                                                    "/dev",
                                                                    "/dev/shm",
                                                                    "/proc",
                                                                    "/sys",
                                                                    "/run",
                                                                    "/var",
                                                                    "/home",
                                                                    "/root",
                                                                    "/tmp",
                                                                    "/var/tmp",
                                                                    "/opt",
                                                                    "/srv",
                                                                    "/usr/bin",
                                                                    "/usr/sbin",
                                                                    "/usr/lib",
                                                                    "/usr/lib64",
                                                                    "/usr/libexec",
                                                                    "/usr/local",
                                                                    "/usr/local/bin",
                                                                    "/usr/local/sbin",
                                                                    "/var/lib",
                                                                    "/var/spool/cron",
                                                                    "/etc/systemd",
                                                                    "/etc/picket"};

constexpr std::size_t kLongestName = 255;

bool has_control_characters(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
}

bool is_plain(std::string_view text, std::string_view also) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != std::string_view::npos;
    });
}

std::optional<std::string> path_problem(std::string_view path) {
    if (path.empty() || path[0] != '/')
        return "is not absolute: it must begin with /";
    for (const std::string_view component : split(path, '/')) {
        if (component == "..")
            return "has \"..\" in it: name the path itself";
        if (component.size() > kLongestName)
            return fmt::format("has a component longer than {} bytes, which no file can have", kLongestName);
    }
    return std::nullopt;
}

std::optional<std::string> name_problem(std::string_view name) {
    if (name.find('/') != std::string_view::npos)
        return "has a / in it: a name is compared with the last component only";
    if (name.find('*') != std::string_view::npos)
        return "has a * in it: names are compared as they are";
    if (name == "." || name == "..")
        return "is not the name of a file";
    return std::nullopt;
}

std::optional<std::string> extension_problem(std::string_view extension) {
    if (extension.starts_with('.'))
        extension.remove_prefix(1);
    if (extension.empty())
        return "is empty";
    if (extension.find_first_of("/*.") != std::string_view::npos)
        return "has a /, * or . in it: an extension is what follows the last dot, as in \"log\"";
    return std::nullopt;
}

std::optional<std::string> process_problem(std::string_view process) {
    if (process.find('/') == std::string_view::npos)
        return name_problem(process);
    if (auto problem = path_problem(process))
        return problem;
    if (process.find('*') != std::string_view::npos)
        return "has a * in it: programs are compared as they are";
    if (process.ends_with('/'))
        return "is a folder: name the program";
    return std::nullopt;
}

std::optional<std::string> syslog_target_problem(std::string_view target) {
    constexpr std::string_view kPrefix = "unix:";
    constexpr std::size_t kLongestSocket = 107; // sun_path
    if (target.empty())
        return std::nullopt;
    if (!target.starts_with(kPrefix))
        return "is neither empty nor a socket of this host, such as unix:/dev/log: the gate has no network";
    target.remove_prefix(kPrefix.size());
    if (target.size() > kLongestSocket)
        return fmt::format("is longer than {} bytes, which no socket's name can be", kLongestSocket);
    return path_problem(target);
}

/// Without components at the end that any name matches: "/home/*" excludes what "/home" does.
std::string without_trailing_stars(std::string path) {
    for (;;) {
        const auto slash = path.rfind('/');
        const std::string_view last = std::string_view(path).substr(slash + 1);
        if (slash == 0 && last.empty())
            return path;
        if (last.empty() || last.find_first_not_of('*') != std::string_view::npos)
            return path;
        path.resize(std::max<std::size_t>(slash, 1));
    }
}

} // namespace

std::optional<std::string> format_problem(std::string_view format, std::string_view value) {
    if (has_control_characters(value))
        return "has control characters in it";
    if (format == "path")
        return path_problem(value);
    if (format == "optional_path")
        return value.empty() ? std::nullopt : path_problem(value);
    if (format == "name")
        return name_problem(value);
    if (format == "extension")
        return extension_problem(value);
    if (format == "process")
        return process_problem(value);
    if (format == "filesystem" && !is_plain(value, "._-"))
        return "is not a type of file system as mount prints it, such as nfs4 (one a list element, lower case)";
    if (format == "threat" && (value.find(' ') != std::string_view::npos || escape_for_display(value) != value))
        return "is not the name of a threat, such as Eicar-Test-Signature";
    if (format == "expiry" && !expiry_time(value))
        return "is neither a day that there is, such as 2027-03-31, nor a moment in UTC, such as 2027-03-31T12:00:00Z";
    if (format == "syslog_target")
        return syslog_target_problem(value);
    return std::nullopt;
}

std::optional<WallTime> expiry_time(std::string_view text) {
    constexpr std::size_t kDay = 10; // YYYY-MM-DD
    const auto time = parse_time(text);
    return time && text.size() == kDay ? *time + std::chrono::hours(24) : time;
}

std::string normal_path(std::string_view path) {
    std::string normal;
    for (const std::string_view component : split(path, '/')) {
        if (component.empty() || component == ".")
            continue;
        normal += '/';
        normal += component;
    }
    return normal.empty() ? "/" : normal;
}

std::optional<std::string> excluded_path_problem(std::string_view path, bool is_directory) {
    if (!is_directory && path.ends_with('/'))
        return "ends in / as only a folder does: exclude it as a folder (isDirectory: true)";
    const std::string rule = without_trailing_stars(normal_path(path));
    for (const std::string_view directory : kProtectedDirectories)
        if (directory_rule_covers(rule, directory))
            return fmt::format("covers {}, which would switch protection off where malware starts; "
                               "exclude single folders below it",
                               directory == "/" ? "the whole system" : directory);
    return std::nullopt;
}

} // namespace picket::profile
