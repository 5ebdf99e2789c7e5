#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "package_managers.h"

namespace picket::sys {
namespace {

constexpr std::string_view kTwice = "installed twice";

/// Lines of rpm (LC_ALL=C) that mean "somebody else is at work".
constexpr std::array<std::string_view, 3> kLockPhrases{
    "can't create transaction lock",
    "cannot get exclusive lock",
    "database is locked",
};

/// "\tlibfoo.so.1 is needed by picket-0.1.0-1.x86_64" → "libfoo.so.1"
std::vector<std::string> missing_dependencies(std::string_view errors) {
    constexpr std::string_view kNeeded = " is needed by ";
    std::vector<std::string> missing;
    for (const std::string_view line : split(errors, '\n'))
        if (const auto end = line.find(kNeeded); end != std::string_view::npos)
            missing.push_back(escape_for_display(trim(line.substr(0, end))));
    return missing;
}

/// The first program or data file that is not as it was packed. Folders, documentation and what an administrator may
/// change do not count.
std::string damage_in(std::string_view verification) {
    for (const std::string_view line : split(verification, '\n')) {
        const auto path = line.find(" /usr/");
        if (path == std::string_view::npos)
            continue;
        const bool missing = line.starts_with("missing ");
        const bool changed = line.size() > 2 && line[2] == '5';
        const std::string_view mark = trim(line.substr(9, path - 9)); // c, d, g, l
        if ((missing || changed) && mark.empty())
            return fmt::format("{} is {}", escape_for_display(line.substr(path + 1)), missing ? "missing" : "changed");
    }
    return {};
}

/// Where the programs above rpm keep what they were told not to touch, and what a line about one package begins with.
struct LockList {
    const char* path;
    const char* command;
    std::string_view prefix;
    std::string_view after; ///< of the name; "" = the line's end
};
constexpr std::array kLockLists{
    LockList{"/etc/dnf/plugins/versionlock.list", "dnf versionlock add", "", "-"},
    LockList{"/etc/yum/pluginconf.d/versionlock.list", "yum versionlock add", "0:", "-"},
    LockList{"/etc/zypp/locks", "zypper addlock", "solvable_name: ", ""},
};

bool names(const LockList& list, std::string_view line, std::string_view package) {
    line = trim(line);
    if (line.starts_with(list.prefix))
        line.remove_prefix(list.prefix.size());
    if (!line.starts_with(package))
        return false;
    line.remove_prefix(package.size());
    return list.after.empty() ? line.empty() : line.starts_with(list.after);
}

/// Works inside the tree with the tree's own rpm, so that its database has that rpm's format.
class Rpm final : public PackageManager {
  public:
    explicit Rpm(const Root& root) : root_(root) {}

    std::string_view name() const override { return "rpm"; }

    /// rpm has no word for half-done: a killed upgrade leaves two of one name, or files that are not its own.
    Result<PackageState> state(const std::string& package) override {
        const RunOutcome outcome = PICKET_TRY(rpm({"-q", "--qf", "%{VERSION}\\n", package}, kQueryTimeout));
        if (!outcome.ok() && outcome.output.find("is not installed") != std::string::npos)
            return has_purge(package) ? PackageState{PackageStatus::config_files, "", "removed"} : PackageState{};
        if (!outcome.ok())
            return failure("rpm", outcome);
        std::vector<std::string_view> versions = split(trim(outcome.output), '\n');
        const std::string version(versions.back());
        if (versions.size() > 1)
            return PackageState{PackageStatus::broken, version, std::string(kTwice)};
        // What it exits with says only that there is something to tell.
        const RunOutcome verified = PICKET_TRY(rpm({"-V", "--nodeps", "--noscripts", package}, kQueryTimeout));
        if (verified.timed_out)
            return failure("rpm -V", verified);
        if (const std::string damage = damage_in(verified.output); !damage.empty())
            return PackageState{PackageStatus::broken, version, damage};
        return PackageState{PackageStatus::installed, version, "installed", held_by(package)};
    }

    Result<PackageFile> inspect(const std::string& file) override {
        const RunOutcome outcome =
            PICKET_TRY(rpm({"-qp", "--qf", "%{NAME}\\n%{VERSION}\\n%{ARCH}\\n", inside(file)}, kQueryTimeout));
        const auto lines = split(outcome.output, '\n');
        if (!outcome.ok() || lines.size() < 3)
            return Error(ErrorCode::corrupt, fmt::format("not an rpm package: {}", reason_of(outcome)));
        return PackageFile{std::string(lines[0]), std::string(lines[1]), std::string(lines[2])};
    }

    /// rpm itself where nothing is left to resolve: plugins and hooks of what is above it then have no chance to ask or
    /// to reach for a network.
    Result<void> install(const std::string& file) override {
        const std::string path = inside(file);
        RunOutcome outcome = PICKET_TRY(rpm({"-U", "--replacepkgs", "--oldpackage", path}, kPackageTimeout));
        // A former version whose own script does not let it go stays beside the new one; in an upgrade that script has
        // nothing to do.
        if (!outcome.ok() && is_there_twice(path))
            outcome = PICKET_TRY(rpm({"-U", "--replacepkgs", "--oldpackage", "--nopreun", path}, kPackageTimeout));
        if (outcome.ok())
            return {};
        const auto missing = missing_dependencies(outcome.error_output);
        if (missing.empty())
            return failure("rpm", outcome);
        if (from_cache(path))
            return {};
        return Error(ErrorCode::not_found,
                     fmt::format("packages that it depends on are not installed: {}", join(missing, ", ")));
    }

    Result<void> remove(const std::string& package, PackageRemoval removal) override {
        const PackageState now = PICKET_TRY(state(package));
        if (now.status == PackageStatus::installed || now.status == PackageStatus::broken) {
            const RunOutcome outcome = PICKET_TRY(rpm({"-e", "--allmatches", package}, kPackageTimeout));
            if (!outcome.ok())
                return failure("rpm", outcome);
        }
        return removal == PackageRemoval::purge ? purge(package) : Result<void>();
    }

    Result<void> finish(const std::string& package) override {
        const PackageState now = PICKET_TRY(state(package));
        if (now.status == PackageStatus::installed)
            return {};
        return Error(ErrorCode::internal, fmt::format("rpm cannot finish it ({}): it has to be installed anew",
                                                      now.detail.empty() ? "not installed" : now.detail));
    }

  private:
    bool is_there_twice(const std::string& path) {
        const auto file = inspect(path);
        const auto now = file ? state(file->name) : Result<PackageState>(file.error());
        return now && now->detail == kTwice;
    }

    std::string held_by(const std::string& package) const {
        for (const LockList& list : kLockLists) {
            const std::string text = root_.read(list.path, mebibytes(1)).value_or("");
            for (const std::string_view line : split(text, '\n'))
                if (names(list, line, package))
                    return list.command;
        }
        return "";
    }

    static Error failure(std::string_view program, const RunOutcome& outcome) {
        return package_failure(program, outcome, kLockPhrases);
    }

    RunOptions quiet(Milliseconds timeout) const {
        RunOptions options;
        options.timeout = timeout;
        options.environment = {{"HOME", "/root"}};
        options.chroot_directory = root_.label();
        return options;
    }

    Result<RunOutcome> rpm(std::vector<std::string> arguments, Milliseconds timeout) const {
        arguments.insert(arguments.begin(), "rpm");
        return run(arguments, quiet(timeout));
    }

    /// As the tree itself calls that file.
    std::string inside(const std::string& file) const {
        return file.starts_with(root_.label() + "/") ? file.substr(root_.label().size()) : file;
    }

    /// True where dnf, yum, tdnf or zypper had what is missing at hand, without a download, and installed all of it.
    bool from_cache(const std::string& path) const {
        static const std::array<std::vector<std::string>, 5> kTools{{
            {"dnf", "-y", "-C", "--setopt=exit_on_lock=1", "--setopt=install_weak_deps=0", "install"},
            {"yum", "-y", "-C", "--setopt=exit_on_lock=1", "install"},
            {"tdnf", "-y", "-C", "install"},
            // The bundle's signature was checked; zypper of SLES 12 does not know how to be told so, and does not ask.
            {"zypper", "--non-interactive", "--no-refresh", "--no-remote", "install", "--allow-unsigned-rpm"},
            {"zypper", "--non-interactive", "--no-refresh", "--no-remote", "install"},
        }};
        for (std::vector<std::string> command : kTools) {
            command.push_back(path);
            if (const auto outcome = run(command, quiet(kPackageTimeout)); outcome && outcome->ok())
                return true;
        }
        return false;
    }

    static std::string purge_of(const std::string& package) { return "/var/lib/" + package + "/purge"; }

    bool has_purge(const std::string& package) const {
        const auto status = root_.status(purge_of(package));
        return status && S_ISREG(status->st_mode) && status->st_uid == 0 && (status->st_mode & 022) == 0;
    }

    Result<void> purge(const std::string& package) const {
        if (!has_purge(package))
            return {};
        const RunOutcome outcome = PICKET_TRY(run({"/bin/sh", purge_of(package)}, quiet(kPackageTimeout)));
        return outcome.ok() ? Result<void>() : failure("purge", outcome);
    }

    const Root& root_;
};

} // namespace

std::unique_ptr<PackageManager> make_rpm(const Root& root) {
    return std::make_unique<Rpm>(root);
}

} // namespace picket::sys
