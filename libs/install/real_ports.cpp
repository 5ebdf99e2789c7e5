#include <picket/install/real_ports.h>

#include <algorithm>
#include <fcntl.h>
#include <poll.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/host/check.h>
#include <picket/host/facts.h>
#include <picket/host/os_release.h>
#include <picket/host/package_manager.h>
#include <picket/install/files.h>
#include <picket/ipc/rpc.h>
#include <picket/model/paths.h>
#include <picket/profile/authored.h>
#include <picket/sys/process.h>

#include "network_checks.h"
#include "real_parts.h"

namespace picket::install {
namespace {

constexpr Milliseconds kSelfTestTimeout{60'000};
constexpr Milliseconds kHealthTimeout{5'000};
constexpr Milliseconds kLogTimeout{10'000};

class RealDaemon final : public DaemonPort {
  public:
    Result<data::Json> health() override {
        auto client = PICKET_TRY(ipc::RpcClient::connect(paths::kControlSocket, kHealthTimeout));
        auto answer = PICKET_TRY(client.call("health", data::Json::object(), {}, kHealthTimeout));
        if (answer.error)
            return Error(ErrorCode::unavailable, answer.error->message);
        return std::move(answer.value);
    }

    Result<SelfTest> self_test() override {
        sys::RunOptions options;
        options.timeout = kSelfTestTimeout;
        const auto outcome = PICKET_TRY(sys::run({files::kPicket, "selftest", "--output", "json"}, options));
        return SelfTest{outcome.ok(), describe(outcome)};
    }

    std::string recent_log() override {
        sys::RunOptions options;
        options.timeout = kLogTimeout;
        std::vector<std::string> command{"journalctl", "--no-pager", "-q", "-o", "short-precise", "-n", "2000"};
        for (const char* unit : {"picketd", "picket-engine", "picket-guard", "picket-remedy", "picket-definitions"})
            command.insert(command.end(), {"-u", unit});
        const auto outcome = sys::run(command, options);
        return outcome && outcome->ok() ? outcome->output : std::string();
    }

    void pause(Milliseconds time) override { poll(nullptr, 0, static_cast<int>(time.count())); }

  private:
    /// What did not pass, or how much did: one line.
    static std::string describe(const sys::RunOutcome& outcome) {
        if (outcome.timed_out)
            return "it did not end in time";
        const auto document = data::parse_json(trim(outcome.output));
        const data::Json answer = document ? data::member(*document, "data") : data::Json();
        std::vector<std::string> failed;
        std::size_t steps = 0;
        for (const data::Json& step : data::member(answer, "steps")) {
            ++steps;
            if (data::string_or(step, "status", "") == "failed")
                failed.push_back(data::string_or(step, "name", "?") + ": " + data::string_or(step, "detail", ""));
        }
        if (!failed.empty())
            return escape_for_display(join(failed, "; "));
        if (outcome.ok())
            return fmt::format("{} steps passed at level {}", steps,
                               escape_for_display(data::string_or(answer, "enforcement_level", "?")));
        const std::string message = data::string_or(answer, "message", trim(outcome.error_output));
        return message.empty() ? fmt::format("exit status {}", outcome.exit_status) : escape_for_display(message);
    }
};

class RealHost final : public HostPort {
  public:
    RealHost(const sys::Root& root, const Clock& clock, const std::atomic<bool>& stop)
        : root_(root), clock_(clock), stop_(stop) {}

    CheckAnswer check(const CheckRequest& request) override {
        host::CheckOptions options{.root = root_, .clock = clock_};
        options.accepted = request.accepted;
        options.support_matrix = request.support_matrix;
        options.lock_timeout = request.lock_timeout;
        options.waiting = [this](const host::LockHolder&) { return !stop_.load(); };
        supply(options, "bundle.trusted", request.bundle);
        supply(options, "bundle.expiry", request.bundle_expiry);
        supply(options, "onboarding.valid", request.onboarding);
        supply_network(options, request.onboarding_document);
        const auto results = host::run_checks(options);
        if (!results)
            return {.failure = failure_from(InstallerExit::usage, results.error())};
        CheckAnswer answer{.checks = host::to_json(*results)};
        if (const host::CheckResult* failed = host::first_failure(*results))
            answer.failure = Failure{failed->exit_code, describe(*failed), failed->fix};
        return answer;
    }

    Result<void> wait_for_package_manager(Milliseconds timeout) override {
        const auto holder =
            host::wait_for_package_manager(root_, timeout, [this](const host::LockHolder&) { return !stop_.load(); });
        if (!holder)
            return {};
        if (stop_.load())
            return Error(ErrorCode::cancelled, "stopped by a signal");
        return Error(ErrorCode::unavailable, holder->describe());
    }

    std::string distribution() override {
        const auto release = host::read_os_release(root_);
        return release ? release->label() : "";
    }

  private:
    static void supply(host::CheckOptions& options, const char* id, const std::optional<CheckRequest::Input>& input) {
        if (!input)
            return;
        host::CheckResult result{.id = id};
        result.observed = escape_for_display(input->observed);
        if (!input->advice.empty()) {
            result.status = host::CheckStatus::warn;
            result.fix = input->advice;
        }
        if (input->failure) {
            result.status = host::CheckStatus::fail;
            result.observed = escape_for_display(input->failure->message);
            result.fix =
                input->failure->fix.empty() ? std::string(general_fix(input->failure->exit)) : input->failure->fix;
            result.exit_code = input->failure->exit;
        }
        options.supplied.push_back(std::move(result));
    }
    /// Once for each document: a way that does not answer takes its time.
    void supply_network(host::CheckOptions& options, std::string document) {
        if (!root_.is_running_host())
            return;
        if (document.empty())
            document = root_.read(paths::kOnboarding, mebibytes(1)).value_or("");
        if (document.empty())
            return;
        if (network_document_ != document)
            network_ = run_network_checks(document, root_);
        network_document_ = std::move(document);
        options.supplied.insert(options.supplied.end(), network_.begin(), network_.end());
    }
    static std::string describe(const host::CheckResult& check) {
        return check.required.empty() ? fmt::format("{}: {}", check.id, check.observed)
                                      : fmt::format("{}: {} (required: {})", check.id, check.observed, check.required);
    }

    const sys::Root& root_;
    const Clock& clock_;
    const std::atomic<bool>& stop_;
    std::string network_document_;
    std::vector<host::CheckResult> network_;
};

class RealProfiles final : public ProfilePort {
  public:
    Result<std::string> render(const std::string& path) override {
        const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
        if (!fd)
            return Error::from_errno(errno, escape_for_display(path));
        const auto text = sys::read_all(fd.get(), Bytes{profile::kMaximumFileBytes});
        if (!text)
            return text.error().with_context(escape_for_display(path));
        const auto rendering = profile::render(*text, path);
        if (rendering.ok())
            return data::to_pretty_text(rendering.document) + "\n";
        std::vector<std::string> lines;
        for (const profile::Problem& problem : rendering.problems)
            lines.push_back(profile::to_text(problem));
        return Error(ErrorCode::invalid_input, join(lines, "; "));
    }
};

sys::Supervisor supervisor() {
    const std::string program = files::kSupervisor;
    return {.start_command = {program, "--background"},
            .stop_command = {program, "--stop"},
            .lock_file = files::kSupervisorLock,
            .programs = {program, "/usr/libexec/picket/picket-guard", "/usr/sbin/picketd",
                         "/usr/libexec/picket/picket-engine", "/usr/libexec/picket/picket-remedy",
                         "/usr/libexec/picket/picket-definitions", "/usr/libexec/picket/picket-link"}};
}

/// By what the distribution is, not by what happens to be installed.
sys::PackageSystem package_system_of(const sys::Root& root) {
    const auto facts = host::collect_facts(root);
    if (!facts || facts->family == host::PackageFamily::unknown)
        return sys::PackageSystem::unknown;
    return facts->family == host::PackageFamily::rpm ? sys::PackageSystem::rpm : sys::PackageSystem::dpkg;
}

std::unique_ptr<sys::RepositoryClient> repository_client_of(const sys::Root& root, const std::atomic<bool>& stop) {
    if (!root.is_running_host())
        return nullptr;
    const auto facts = host::collect_facts(root);
    switch (facts ? facts->package_manager : host::PackageManager::none) {
    case host::PackageManager::apt:
        return sys::make_apt_client(stop);
    case host::PackageManager::dnf:
        return sys::make_dnf_client(sys::DnfKind::dnf, stop);
    case host::PackageManager::yum:
        return sys::make_dnf_client(sys::DnfKind::yum, stop);
    case host::PackageManager::zypper:
        return sys::make_zypper_client(stop);
    default:
        return nullptr;
    }
}

} // namespace

std::unique_ptr<DaemonPort> make_daemon_port() {
    return std::make_unique<RealDaemon>();
}
std::unique_ptr<HostPort> make_host_port(const sys::Root& root, const Clock& clock,
                                         const std::atomic<bool>& stop_requested) {
    return std::make_unique<RealHost>(root, clock, stop_requested);
}
std::unique_ptr<ProfilePort> make_profile_port() {
    return std::make_unique<RealProfiles>();
}

struct RealPorts::Impl {
    std::unique_ptr<sys::PackageManager> packages;
    std::unique_ptr<sys::ServiceManager> services;
    std::unique_ptr<TrustPort> trust;
    std::unique_ptr<DefinitionsPort> definitions;
    std::unique_ptr<DaemonPort> daemon;
    std::unique_ptr<HostPort> host;
    std::unique_ptr<ProfilePort> profiles;
    std::unique_ptr<sys::RepositoryClient> repositories;
    std::optional<Ports> ports;
};

RealPorts::RealPorts(const sys::Root& root, const Clock& clock, const std::atomic<bool>& stop_requested,
                     RealOptions options)
    : impl_(std::make_unique<Impl>()) {
    const sys::PackageSystem system = package_system_of(root);
    if (auto packages = sys::package_manager_of(root, system))
        impl_->packages = std::move(*packages);
    impl_->services = sys::service_manager_of(root, supervisor());
    impl_->trust = make_trust_port(root, clock, std::move(options.release_keys),
                                   system == sys::PackageSystem::rpm ? ".rpm" : ".deb");
    impl_->definitions = make_definitions_port(root, clock);
    impl_->daemon = make_daemon_port();
    impl_->host = make_host_port(root, clock, stop_requested);
    impl_->profiles = make_profile_port();
    impl_->repositories = repository_client_of(root, stop_requested);
    impl_->ports.emplace(Ports{root, impl_->packages.get(), *impl_->services, *impl_->trust, *impl_->definitions,
                               *impl_->daemon, *impl_->host, *impl_->profiles, clock, !root.is_running_host(),
                               impl_->repositories.get()});
}
RealPorts::~RealPorts() = default;
const Ports& RealPorts::get() const {
    return *impl_->ports;
}

} // namespace picket::install
