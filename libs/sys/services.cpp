#include <picket/sys/services.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/process.h>

namespace picket::sys {
namespace {

constexpr Milliseconds kQueryTimeout{15'000};
constexpr std::array<const char*, 2> kUnitDirectories{"/usr/lib/systemd/system/", "/lib/systemd/system/"};
constexpr const char* kWantsDirectory = "/etc/systemd/system/multi-user.target.wants";

class Systemd final : public ServiceManager {
  public:
    std::string_view name() const override { return "systemd"; }

    Result<std::vector<UnitStatus>> status(const std::vector<std::string>& units) override {
        std::vector<UnitStatus> all;
        for (const std::string& unit : units) {
            const RunOutcome outcome =
                PICKET_TRY(run({"systemctl", "show", "-p", "LoadState,ActiveState,SubState,UnitFileState", unit},
                               limited(kQueryTimeout)));
            if (!outcome.ok())
                return failure("show", outcome);
            all.push_back(parse(unit, outcome.output));
        }
        return all;
    }
    Result<void> enable(const std::vector<std::string>& units) override {
        return control("enable", units, kQueryTimeout);
    }
    Result<void> disable(const std::vector<std::string>& units) override {
        const auto disabled = control("disable", units, kQueryTimeout);
        // A unit that is not there any more is disabled.
        return !disabled && disabled.error().message().find("does not exist") == std::string::npos ? disabled
                                                                                                   : Result<void>();
    }
    Result<void> start(const std::vector<std::string>& units, Milliseconds timeout) override {
        PICKET_TRY(control("daemon-reload", {}, kQueryTimeout));
        // A failed unit counts its failures; fails harmlessly where there is none.
        (void)control("reset-failed", units, kQueryTimeout);
        return control("start", units, timeout);
    }
    Result<void> stop(const std::vector<std::string>& units, Milliseconds timeout) override {
        std::vector<std::string> known;
        for (const UnitStatus& unit : PICKET_TRY(status(units)))
            if (unit.known)
                known.push_back(unit.unit);
        if (known.empty() || control("stop", known, timeout))
            return {};
        std::vector<std::string> arguments{"-s", "SIGKILL"};
        arguments.insert(arguments.end(), known.begin(), known.end());
        (void)control("kill", arguments, kQueryTimeout);
        return control("stop", known, timeout);
    }

    std::optional<Milliseconds> last_restart(const std::string& unit) override {
        const auto outcome =
            run({"systemctl", "show", "-p", "ActiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic", unit},
                limited(kQueryTimeout));
        if (!outcome || !outcome->ok())
            return std::nullopt;
        auto values = fields_of(outcome->output);
        const auto exit = parse_unsigned(values["ActiveExitTimestampMonotonic"]); // microseconds
        const auto enter = parse_unsigned(values["ActiveEnterTimestampMonotonic"]);
        if (!exit || !enter || *exit == 0 || *enter <= *exit)
            return std::nullopt;
        return Milliseconds((*enter - *exit + 999) / 1000);
    }

  private:
    static RunOptions limited(Milliseconds timeout) {
        RunOptions options;
        options.timeout = timeout;
        options.environment = {{"SYSTEMD_PAGER", ""}, {"SYSTEMD_COLORS", "0"}};
        return options;
    }
    static Error failure(std::string_view verb, const RunOutcome& outcome) {
        const std::string reason =
            outcome.timed_out ? "it did not end in time" : std::string(trim(outcome.error_output));
        return Error(outcome.timed_out ? ErrorCode::unavailable : ErrorCode::internal,
                     fmt::format("systemctl {}: {}", verb, escape_for_display(reason)));
    }
    static Result<void> control(const std::string& verb, const std::vector<std::string>& arguments,
                                Milliseconds timeout) {
        std::vector<std::string> all{"systemctl", "--no-ask-password", verb};
        all.insert(all.end(), arguments.begin(), arguments.end());
        const RunOutcome outcome = PICKET_TRY(run(all, limited(timeout)));
        return outcome.ok() ? Result<void>() : failure(verb, outcome);
    }
    static std::map<std::string_view, std::string_view> fields_of(std::string_view text) {
        std::map<std::string_view, std::string_view> values;
        for (const std::string_view line : split(text, '\n'))
            if (const auto equals = line.find('='); equals != std::string_view::npos)
                values[line.substr(0, equals)] = line.substr(equals + 1);
        return values;
    }
    static UnitStatus parse(const std::string& unit, std::string_view text) {
        auto values = fields_of(text);
        const std::string_view file_state = values["UnitFileState"];
        return UnitStatus{unit, values["LoadState"] == "loaded",
                          file_state == "enabled" || file_state == "static" || file_state == "indirect",
                          values["ActiveState"] == "active",
                          fmt::format("{}/{}", values["ActiveState"], values["SubState"])};
    }
};

/// An image that does not run: enabling is a link, and nothing can be started.
class ImageUnits final : public ServiceManager {
  public:
    explicit ImageUnits(const Root& root) : root_(root) {}
    std::string_view name() const override { return "image"; }

    Result<std::vector<UnitStatus>> status(const std::vector<std::string>& units) override {
        std::vector<UnitStatus> all;
        for (const std::string& unit : units)
            all.push_back(UnitStatus{unit, !unit_file(unit).empty(), root_.exists(link_of(unit)), false, "image"});
        return all;
    }
    Result<void> enable(const std::vector<std::string>& units) override {
        for (const std::string& unit : units) {
            const std::string file = unit_file(unit);
            if (file.empty())
                return Error(ErrorCode::not_found, fmt::format("no unit {} in {}", unit, root_.label()));
            PICKET_TRY(root_.make_directories(kWantsDirectory, 0755));
            const auto parent = PICKET_TRY(root_.open_parent(link_of(unit)));
            if (symlinkat(file.c_str(), parent.directory.get(), parent.name.c_str()) != 0 && errno != EEXIST)
                return Error::from_errno(errno, fmt::format("link {}", link_of(unit)));
        }
        return {};
    }
    Result<void> disable(const std::vector<std::string>& units) override {
        for (const std::string& unit : units)
            PICKET_TRY(root_.remove(link_of(unit)));
        return {};
    }
    Result<void> start(const std::vector<std::string>&, Milliseconds) override { return {}; }
    Result<void> stop(const std::vector<std::string>&, Milliseconds) override { return {}; }

  private:
    std::string unit_file(const std::string& unit) const {
        for (const char* directory : kUnitDirectories)
            if (root_.exists(directory + unit))
                return directory + unit;
        return "";
    }
    static std::string link_of(const std::string& unit) { return fmt::format("{}/{}", kWantsDirectory, unit); }
    const Root& root_;
};

/// One supervising process stands for all units.
class Supervised final : public ServiceManager {
  public:
    Supervised(const Root& root, Supervisor supervisor) : root_(root), supervisor_(std::move(supervisor)) {}
    std::string_view name() const override { return "supervisor"; }

    Result<std::vector<UnitStatus>> status(const std::vector<std::string>& units) override {
        const bool known = access(supervisor_.start_command.front().c_str(), X_OK) == 0;
        const bool active = is_running();
        std::vector<UnitStatus> all;
        for (const std::string& unit : units) // nothing starts it at boot: whatever runs the host has to
            all.push_back(UnitStatus{unit, known, known, active, active ? "supervised" : "not running"});
        return all;
    }
    Result<void> enable(const std::vector<std::string>&) override { return {}; }
    Result<void> disable(const std::vector<std::string>&) override { return {}; }

    Result<void> start(const std::vector<std::string>&, Milliseconds timeout) override {
        return is_running() ? Result<void>() : command(supervisor_.start_command, timeout);
    }
    Result<void> stop(const std::vector<std::string>&, Milliseconds timeout) override {
        if (access(supervisor_.stop_command.front().c_str(), X_OK) == 0 && command(supervisor_.stop_command, timeout) &&
            left_over().empty())
            return {};
        const auto end = std::chrono::steady_clock::now() + Milliseconds(5'000);
        for (auto left = left_over(); !left.empty(); left = left_over()) {
            if (std::chrono::steady_clock::now() >= end)
                return Error(ErrorCode::unavailable, fmt::format("process {} does not end", left.front()));
            for (const pid_t pid : left)
                (void)kill(pid, SIGKILL);
            poll(nullptr, 0, 50); // no descriptor tells of another's child before pidfd_open
        }
        return {};
    }

  private:
    static Result<void> command(const std::vector<std::string>& arguments, Milliseconds timeout) {
        RunOptions options;
        options.timeout = timeout;
        const RunOutcome outcome = PICKET_TRY(run(arguments, options));
        if (outcome.ok())
            return {};
        const std::string_view reason = outcome.timed_out ? "it did not end in time" : trim(outcome.error_output);
        return Error(ErrorCode::internal, fmt::format("{}: {}", arguments.front(), escape_for_display(reason)));
    }

    bool is_running() const {
        const auto fd = root_.open_file(supervisor_.lock_file, O_RDONLY | O_NOCTTY);
        if (!fd || flock(fd->get(), LOCK_SH | LOCK_NB) == 0)
            return false;
        return errno == EWOULDBLOCK;
    }

    static std::string link_text(const std::string& path) {
        std::array<char, 4096> text{};
        const ssize_t length = readlink(path.c_str(), text.data(), text.size());
        return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : std::string();
    }

    /// Processes of our own pid namespace (not those of a container) that run one of the programs, the supervisor
    /// first: it would start the others again.
    std::vector<pid_t> left_over() const {
        const std::string own_namespace = link_text("/proc/self/ns/pid");
        std::vector<pid_t> found;
        for (const std::string& program : supervisor_.programs)
            for (const std::string& name : root_.list("/proc").value_or(std::vector<std::string>{})) {
                const auto pid = parse_unsigned(name);
                if (!pid || link_text(fmt::format("/proc/{}/ns/pid", name)) != own_namespace)
                    continue;
                const std::string executable = link_text(fmt::format("/proc/{}/exe", name));
                if (executable == program || executable == program + " (deleted)")
                    found.push_back(static_cast<pid_t>(*pid));
            }
        return found;
    }

    const Root& root_;
    Supervisor supervisor_;
};

} // namespace

std::unique_ptr<ServiceManager> service_manager_of(const Root& root, const Supervisor& supervisor) {
    if (!root.is_running_host())
        return std::make_unique<ImageUnits>(root);
    if (root.exists("/run/systemd/system")) // sd_booted(3)
        return std::make_unique<Systemd>();
    return std::make_unique<Supervised>(root, supervisor);
}

} // namespace picket::sys
