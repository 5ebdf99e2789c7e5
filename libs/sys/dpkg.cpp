#include <array>
#include <map>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "package_managers.h"

namespace picket::sys {
namespace {

/// Lines of dpkg and apt-get (LC_ALL=C) that mean "somebody else is at work".
constexpr std::array<std::string_view, 4> kLockPhrases{
    "frontend lock was locked by another process",
    "status database is locked by another process",
    "Could not get lock",
    "Unable to acquire the dpkg frontend lock",
};

PackageStatus status_from(std::string_view word, std::string_view error_flag) {
    if (error_flag == "reinstreq")
        return PackageStatus::broken;
    static const std::map<std::string_view, PackageStatus> kWords{
        {"not-installed", PackageStatus::absent},       {"config-files", PackageStatus::config_files},
        {"half-installed", PackageStatus::broken},      {"unpacked", PackageStatus::broken},
        {"half-configured", PackageStatus::broken},     {"triggers-awaited", PackageStatus::installed},
        {"triggers-pending", PackageStatus::installed}, {"installed", PackageStatus::installed},
    };
    const auto found = kWords.find(word);
    return found == kWords.end() ? PackageStatus::broken : found->second;
}

class Dpkg final : public PackageManager {
  public:
    explicit Dpkg(std::string label) : label_(std::move(label)) {}

    std::string_view name() const override { return "dpkg"; }

    Result<PackageState> state(const std::string& package) override {
        const RunOutcome outcome = PICKET_TRY(query(
            {"-W", "-f", "${db:Status-Status}\\n${db:Status-Eflag}\\n${Version}\\n${db:Status-Want}\\n", package}));
        if (!outcome.ok()) {
            if (outcome.error_output.find("no packages found") != std::string::npos)
                return PackageState{};
            return failure("dpkg-query", outcome);
        }
        const auto lines = split(outcome.output, '\n');
        if (lines.size() < 4)
            return Error(ErrorCode::internal, "dpkg-query gave no state");
        PackageState state{status_from(lines[0], lines[1]), std::string(lines[2]), std::string(lines[0]),
                           lines[3] == "hold" ? "apt-mark hold" : ""};
        if (state.status == PackageStatus::absent)
            state.version.clear();
        return state;
    }

    Result<PackageFile> inspect(const std::string& file) override {
        const auto fields = PICKET_TRY(control_fields(file, {"Package", "Version", "Architecture"}));
        return PackageFile{fields.at("Package"), fields.at("Version"), fields.at("Architecture")};
    }

    /// dpkg itself where nothing is left for apt to resolve: its hooks (needrestart, snapshots, update notifiers)
    /// then have no chance to ask, restart services or reach for a network.
    Result<void> install(const std::string& file) override {
        const auto missing = PICKET_TRY(missing_dependencies(file));
        if (missing.empty())
            return dpkg({"--force-confold", "-i", file});
        if (label_.empty() && apt(file))
            return {};
        return Error(ErrorCode::not_found,
                     fmt::format("packages that it depends on are not installed: {}", join(missing, ", ")));
    }

    Result<void> remove(const std::string& package, PackageRemoval removal) override {
        const PackageState now = PICKET_TRY(state(package));
        if (now.status == PackageStatus::absent ||
            (now.status == PackageStatus::config_files && removal == PackageRemoval::keep_configuration))
            return {};
        const char* action = removal == PackageRemoval::purge ? "--purge" : "--remove";
        return dpkg({"--force-remove-reinstreq", action, package});
    }

    Result<void> finish(const std::string& package) override {
        return dpkg({"--force-confold", "--configure", package});
    }

  private:
    static Error failure(std::string_view program, const RunOutcome& outcome) {
        return package_failure(program, outcome, kLockPhrases);
    }

    static RunOptions quiet(Milliseconds timeout) {
        RunOptions options;
        options.timeout = timeout;
        options.environment = {{"DEBIAN_FRONTEND", "noninteractive"},
                               {"DEBCONF_NONINTERACTIVE_SEEN", "true"},
                               {"APT_LISTCHANGES_FRONTEND", "none"},
                               {"NEEDRESTART_SUSPEND", "1"},
                               {"HOME", "/root"}};
        return options;
    }

    Result<RunOutcome> query(const std::vector<std::string>& arguments) const {
        std::vector<std::string> all{"dpkg-query", "--admindir=" + label_ + "/var/lib/dpkg"};
        all.insert(all.end(), arguments.begin(), arguments.end());
        return run(all, quiet(kQueryTimeout));
    }

    Result<void> dpkg(const std::vector<std::string>& arguments) const {
        std::vector<std::string> all{"dpkg"};
        if (!label_.empty())
            all.push_back("--root=" + label_);
        all.insert(all.end(), arguments.begin(), arguments.end());
        const RunOutcome outcome = PICKET_TRY(run(all, quiet(kPackageTimeout)));
        return outcome.ok() ? Result<void>() : failure("dpkg", outcome);
    }

    /// True where apt-get found what is missing in its cache, without a download, and installed all of it.
    bool apt(const std::string& file) const {
        const auto outcome =
            run({"apt-get", "-y", "--no-download", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold",
                 "-o", "APT::Sandbox::User=root", "-o", "Dpkg::Use-Pty=0", "install", file},
                quiet(kPackageTimeout));
        return outcome && outcome->ok();
    }

    Result<std::map<std::string, std::string>> control_fields(const std::string& file,
                                                              const std::vector<std::string>& names) const {
        std::map<std::string, std::string> fields;
        for (const std::string& field : names) {
            const RunOutcome outcome = PICKET_TRY(run({"dpkg-deb", "-f", file, field}, quiet(kQueryTimeout)));
            if (!outcome.ok())
                return Error(ErrorCode::corrupt, fmt::format("not a Debian package: {}", reason_of(outcome)));
            fields[field] = trim(outcome.output);
        }
        return fields;
    }

    Result<bool> is_satisfied(const Dependency& dependency) const {
        const RunOutcome outcome =
            PICKET_TRY(query({"-W", "-f", "${db:Status-Status}\\n${Version}\\n", dependency.name}));
        const auto lines = split(outcome.output, '\n');
        if (!outcome.ok() || lines.size() < 2 || lines[0] != "installed")
            return false;
        if (dependency.relation.empty())
            return true;
        static const std::map<std::string_view, const char*> kRelations{
            {"<<", "lt"}, {"<=", "le"}, {"=", "eq"}, {">=", "ge"}, {">>", "gt"}};
        const auto relation = kRelations.find(dependency.relation);
        if (relation == kRelations.end())
            return false;
        const RunOutcome compared =
            PICKET_TRY(run({"dpkg", "--compare-versions", std::string(lines[1]), relation->second, dependency.version},
                           quiet(kQueryTimeout)));
        return compared.ok();
    }

    /// Real packages only: what a virtual package provides is apt's business.
    Result<std::vector<std::string>> missing_dependencies(const std::string& file) const {
        const auto fields = PICKET_TRY(control_fields(file, {"Depends", "Pre-Depends"}));
        std::vector<std::string> missing;
        for (const auto& [field, text] : fields) {
            for (const auto& alternatives : parse_depends(text)) {
                bool satisfied = false;
                for (const Dependency& dependency : alternatives)
                    satisfied = satisfied || PICKET_TRY(is_satisfied(dependency));
                if (!satisfied)
                    missing.push_back(describe(alternatives.front()));
            }
        }
        return missing;
    }

    static std::string describe(const Dependency& dependency) {
        return dependency.relation.empty()
                   ? dependency.name
                   : fmt::format("{} ({} {})", dependency.name, dependency.relation, dependency.version);
    }

    std::string label_; ///< "" = the running host
};

} // namespace

std::unique_ptr<PackageManager> make_dpkg(std::string label) {
    return std::make_unique<Dpkg>(std::move(label));
}

std::vector<std::vector<Dependency>> parse_depends(std::string_view field) {
    std::vector<std::vector<Dependency>> all;
    for (const std::string_view group : split(field, ',')) {
        std::vector<Dependency> alternatives;
        for (const std::string_view alternative : split(group, '|')) {
            const std::string_view text = trim(alternative);
            const auto bracket = text.find('(');
            Dependency dependency;
            std::string_view name = trim(text.substr(0, bracket));
            dependency.name = name.substr(0, name.find_first_of(": [")); // :any, [arch]
            if (bracket != std::string_view::npos) {
                const auto inside = trim(text.substr(bracket + 1, text.find(')') - bracket - 1));
                const auto end = inside.find_first_not_of("<>=");
                dependency.relation = inside.substr(0, end);
                if (end != std::string_view::npos)
                    dependency.version = trim(inside.substr(end));
            }
            if (!dependency.name.empty())
                alternatives.push_back(std::move(dependency));
        }
        if (!alternatives.empty())
            all.push_back(std::move(alternatives));
    }
    return all;
}

} // namespace picket::sys
