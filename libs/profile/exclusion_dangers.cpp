#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/profile/exclusions.h>

#include "formats.h"
#include "pattern.h"

namespace picket::profile {
namespace {

/// Below these anybody may make a file.
constexpr std::array<std::string_view, 5> kOpenToAll = {"/tmp", "/var/tmp", "/dev/shm", "/run/user", "/run/lock"};
constexpr std::array<std::string_view, 2> kHomes = {"/home/*", "/root"};

enum class Trade { shell, interpreter, carrier };
struct Program {
    std::string_view name; ///< `*` at the end: with whatever version follows
    Trade trade;
};
constexpr std::array<Program, 47> kPrograms = {
    {{"sh", Trade::shell},          {"bash", Trade::shell},          {"dash", Trade::shell},
     {"ash", Trade::shell},         {"zsh", Trade::shell},           {"ksh*", Trade::shell},
     {"csh", Trade::shell},         {"tcsh", Trade::shell},          {"fish", Trade::shell},
     {"busybox", Trade::shell},     {"sudo", Trade::shell},          {"su", Trade::shell},
     {"env", Trade::shell},         {"xargs", Trade::shell},         {"find", Trade::shell},
     {"systemd", Trade::shell},     {"cron", Trade::shell},          {"crond", Trade::shell},
     {"sshd*", Trade::shell},       {"python*", Trade::interpreter}, {"perl*", Trade::interpreter},
     {"ruby*", Trade::interpreter}, {"php*", Trade::interpreter},    {"node*", Trade::interpreter},
     {"lua*", Trade::interpreter},  {"java", Trade::interpreter},    {"awk", Trade::interpreter},
     {"gawk", Trade::interpreter},  {"mawk", Trade::interpreter},    {"tclsh*", Trade::interpreter},
     {"pwsh", Trade::interpreter},  {"curl", Trade::carrier},        {"wget*", Trade::carrier},
     {"scp", Trade::carrier},       {"sftp*", Trade::carrier},       {"rsync", Trade::carrier},
     {"git*", Trade::carrier},      {"tar", Trade::carrier},         {"unzip", Trade::carrier},
     {"cp", Trade::carrier},        {"mv", Trade::carrier},          {"cat", Trade::carrier},
     {"dd", Trade::carrier},        {"dpkg*", Trade::carrier},       {"rpm", Trade::carrier},
     {"smbd", Trade::carrier},      {"vsftpd", Trade::carrier}}};

constexpr std::array<std::string_view, 26> kRunnableExtensions = {
    "sh",  "bash", "py",  "pl",  "rb",  "php", "js",  "jar",  "class", "so",  "ko",  "elf", "bin",
    "run", "exe",  "dll", "ps1", "deb", "rpm", "zip", "docm", "xlsm",  "vbs", "bat", "com", "appimage"};

std::string_view last_component(std::string_view path) {
    return path.substr(path.rfind('/') + 1); // npos + 1 is 0
}

std::string parent_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return std::string(slash == 0 || slash == std::string_view::npos ? "/" : path.substr(0, slash));
}

/// The folder under which all that a pattern matches lies.
std::string fixed_part(const std::string& path) {
    const auto star = path.find('*');
    return star == std::string::npos ? path : parent_of(std::string_view(path).substr(0, star));
}

class Dangers {
  public:
    explicit Dangers(const PathLookup& lookup) : lookup_(lookup) {}

    void add(std::string sentence) { found.push_back(std::move(sentence)); }

    /// Somebody other than root may put a file there, or change it.
    void look_at(const std::string& path, std::string_view what) {
        const auto facts = lookup_ ? lookup_(path) : std::nullopt;
        if (!facts)
            return;
        if (facts->owner != 0)
            add(fmt::format("{} {} belongs to uid {}, who may put malware there", what, escape_for_display(path),
                            facts->owner));
        else if (facts->others_write)
            add(fmt::format("{} {} may be written to by others than root", what, escape_for_display(path)));
    }

    std::vector<std::string> found;

  private:
    const PathLookup& lookup_;
};

void look_at_path(const std::string& path, bool is_folder, Dangers& dangers) {
    if (const auto refused = excluded_path_problem(path, is_folder))
        dangers.add(*refused);
    for (const std::string_view open : kOpenToAll)
        if (directory_rule_covers(open, path))
            dangers.add(fmt::format("it lies below {}, where anybody may make a file", open));
    const auto is_home = [&](std::string_view home) { return file_rule_matches(home, path); };
    if (is_folder && std::any_of(kHomes.begin(), kHomes.end(), is_home))
        dangers.add("it is a whole home: what its owner downloads and runs would not be looked at");
    const std::string fixed = fixed_part(path);
    dangers.look_at(fixed, is_folder || fixed != path ? "the folder" : "the file");
    if (!is_folder && fixed == path)
        dangers.look_at(parent_of(path), "its folder");
}

bool is_named(std::string_view pattern, std::string_view name) {
    return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
}

void look_at_process(const std::string& process, Dangers& dangers) {
    const std::string_view name = last_component(process);
    const auto* known = std::find_if(kPrograms.begin(), kPrograms.end(),
                                     [&](const Program& program) { return is_named(program.name, name); });
    if (known != kPrograms.end() && known->trade == Trade::shell)
        dangers.add("it starts whatever it is told to: nothing that is run through it would be looked at");
    else if (known != kPrograms.end() && known->trade == Trade::interpreter)
        dangers.add("it is an interpreter: no script that it runs would be looked at");
    else if (known != kPrograms.end())
        dangers.add("it brings in files from elsewhere, which is how malware comes");
    if (process.find('/') == std::string::npos)
        return dangers.add("a bare name is whoever's: any user may give it to a program; name the path");
    dangers.look_at(process, "the program");
    dangers.look_at(parent_of(process), "its folder");
}

} // namespace

std::vector<std::string> exclusion_dangers(std::string_view type, std::string_view value, const PathLookup& lookup) {
    Dangers dangers(lookup);
    const std::string text(value);
    if (type == "file" || type == "folder") {
        look_at_path(normal_path(text), type == "folder", dangers);
    } else if (type == "process") {
        look_at_process(text, dangers);
    } else if (type == "extension" || type == "name") {
        const std::string extension = to_lower(type == "name" ? text.substr(text.rfind('.') + 1) : text);
        if (std::find(kRunnableExtensions.begin(), kRunnableExtensions.end(), extension) != kRunnableExtensions.end())
            dangers.add("files of that kind can be run, or hold what can: malware comes as such");
        dangers.add("it holds in every folder, and whoever makes a file chooses its name");
    }
    return std::move(dangers.found);
}

} // namespace picket::profile
