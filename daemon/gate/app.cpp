#include "app.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/base/time_text.h>
#include <picket/data/json.h>
#include <picket/host/fanotify_users.h>
#include <picket/model/paths.h>
#include <picket/profile/watcher.h>
#include <picket/sandbox/privileges.h>
#include <picket/sys/mounts.h>
#include <picket/sys/notify.h>

#include "../common/capabilities.h"
#include "approved_files.h"
#include "build_expiry.h"
#include "closer.h"
#include "definitions_keeper.h"
#include "engine_probe.h"
#include "errands.h"
#include "event_log.h"
#include "file_taker.h"
#include "gate_filter.h"
#include "host_identity.h"
#include "log.h"
#include "metrics.h"
#include "mirror_state.h"
#include "scan_scheduler.h"
#include "verbs.h"
#include "verdict_keeper.h"

namespace picket::daemon {
namespace {

constexpr Milliseconds kGateMayRest{2'000};
constexpr std::chrono::seconds kMetricsEvery{15};
constexpr std::chrono::hours kRetentionEvery{1};
constexpr const char* kGatesKilled = "guard.gates_killed"; ///< a named value of state.db
constexpr std::chrono::minutes kConflictsEvery{5};
constexpr std::chrono::minutes kExpiryEvery{1};
constexpr int kBacklog = 512; ///< a burst of clients waits here instead of being turned away
constexpr rlim_t kDescriptors = 65'536;

void make_directory(const sys::Root& root, const char* path, mode_t mode) {
    if (const auto made = root.make_directories(path, mode); !made)
        log(LogLevel::warning, made.error().message());
}

/// What the installer wrote when it took the programs away; it is gone once `os-upgrade finish` has proved them.
std::optional<Event> os_upgrade_gap(const sys::Root& root) {
    const auto text = root.read(paths::kOsUpgrade, kibibytes(64));
    const auto record = text ? data::parse_json(*text) : Result<data::Json>(text.error());
    if (!record)
        return std::nullopt;
    Event event;
    event.type = EventType::protection_weakened;
    event.reason = "os_upgrade";
    event.path = paths::kOsUpgrade;
    event.message = fmt::format("no protection from {} until now, for an upgrade of the operating system ({}) that {} "
                                "had prepared",
                                data::string_or(*record, "since", "?"), data::string_or(*record, "from", "?"),
                                data::string_or(*record, "by", "?"));
    return event;
}

constexpr unsigned kLooksWithoutSocket = 2;

} // namespace

/// Every long-lived object, in the order of its making; the destructor of the whole runs the other way round.
struct App::Parts {
    SystemClock clock;
    UniqueFd signals;
    std::optional<sys::Root> root;
    std::unique_ptr<store::Store> store;
    std::vector<std::string> store_files; ///< state.db and what is beside it
    std::unique_ptr<EventLog> events;
    std::unique_ptr<BuildExpiry> expiry;
    GateFacts facts;
    Conflicts conflicts;
    MonotonicTime looked_for_conflicts{};
    MonotonicTime next_metrics{};
    MonotonicTime next_expiry{};
    std::string metrics_failure;
    std::optional<std::uint64_t> gates_killed; ///< as the guard counted when it was looked at last
    MonotonicTime next_retention{};
    std::unique_ptr<PolicyKeeper> policy;
    std::unique_ptr<profile::Watcher> profile_watcher;
    std::optional<Errands> errands;
    std::unique_ptr<Closer> closer;
    std::optional<watch::MountScout> scout;
    std::optional<watch::FanotifyGroup> group;
    OutcomeQueue outcomes;
    std::unique_ptr<GateLoop> gate;
    std::unique_ptr<Allowances> allowances;
    std::unique_ptr<RemedyClient> remedy;
    SelfTests selftests;
    std::unique_ptr<Brake> brake;
    std::unique_ptr<PackageGuard> packages;
    std::unique_ptr<Remediation> remediation;
    std::unique_ptr<Aftermath> aftermath;
    std::unique_ptr<VaultKeeper> vault;
    std::unique_ptr<DefinitionsKeeper> definitions_keeper;
    std::unique_ptr<VerdictKeeper> verdicts;
    std::unique_ptr<ScanManager> scans;
    std::unique_ptr<ScanScheduler> scheduler;
    std::unique_ptr<EngineProbe> probe;
    std::unique_ptr<MountTable> mounts;
    TaskQueue<std::function<void()>> main_tasks;
    std::optional<HealthSources> health;
    std::unique_ptr<FileTaker> files;
    std::unique_ptr<Verbs> verbs;
    std::unique_ptr<ipc::RpcServer> server;
    std::thread server_thread;
    std::vector<ipc::BoundPath> sockets; ///< by which others find us
    unsigned looks_without_socket = 0;
    std::optional<std::string> definitions; ///< what `current` named last; none before the first look
    bool ready = false;
    int exit_code = 0;
};

App::App(AppOptions options) : options_(std::move(options)), parts_(std::make_unique<Parts>()) {}
App::~App() = default;

const std::vector<App::Step>& App::start_up() {
    static const std::vector<Step> kSteps{
        {"confine the process", &App::confine_process},
        {"take signals", &App::block_signals},
        {"open the root", &App::open_root},
        {"open state.db", &App::open_store},
        {"load the profile", &App::load_profile},
        {"start the errands", &App::start_errands},
        {"start the mount scout", &App::start_scout}, // the last fork: from here on the group may exist
        {"open the fanotify group", &App::open_group},
        {"start the gate", &App::start_gate},
        {"start the aftermath", &App::start_aftermath},
        {"mark file systems", &App::start_marking},
        {"serve the control socket", &App::start_control},
    };
    return kSteps;
}

int App::run() {
    for (const Step& step : start_up()) {
        const auto done = (this->*step.run)();
        if (!done) {
            log(LogLevel::error, fmt::format("{}: {}", step.name, done.error().message()));
            parts_->exit_code = 1;
            tear_down();
            return parts_->exit_code;
        }
    }
    main_loop();
    tear_down();
    return parts_->exit_code;
}

std::string App::socket_path(const char* fixed) const {
    const std::string_view name(fixed);
    return options_.run_directory + std::string(name.substr(name.rfind('/')));
}

Result<void> App::confine_process() {
    umask(0077);
    // A core handler would be opened while the dying gate still holds its group, and freeze the host.
    PICKET_TRY(sandbox::become_undumpable());
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = std::min(limit.rlim_max, kDescriptors);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    limit = {1, 1}; // for the gate's thread: gate_loop.cpp, hurry()
    setrlimit(RLIMIT_RTPRIO, &limit);
    return keep_only_capabilities({CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH, CAP_LEASE, CAP_SYS_PTRACE});
}

Result<void> App::block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&set, number);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGIO, SIG_IGN); // a lease that is broken tells so; nobody here waits for it
    if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
        return Error::from_errno(errno, "sigprocmask");
    parts_->signals = UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!parts_->signals)
        return Error::from_errno(errno, "signalfd");
    return {};
}

Result<void> App::open_root() {
    parts_->root = PICKET_TRY(sys::Root::open(options_.root));
    const sys::Root& root = *parts_->root;
    make_directory(root, paths::kStateDirectory, 0755);
    make_directory(root, paths::kManagedDirectory, 0755);
    make_directory(root, paths::kQuarantineDirectory, 0700);
    if (const auto made = ensure_machine_id(root); !made)
        log(LogLevel::warning, made.error().message());
    return {};
}

/// A disk that is full or broken takes the records, never the protection.
Result<void> App::open_store() {
    std::string path = parts_->root->label() + paths::kStateDatabase;
    auto opened = store::Store::open(path);
    if (!opened) {
        log(LogLevel::error, fmt::format("{}: {}; records go to {} until the next start", path,
                                         opened.error().message(), options_.run_directory));
        parts_->facts.store_fallback = opened.error().message();
        path = options_.run_directory + "/state.db";
        opened = store::Store::open(path);
    }
    parts_->store_files = {path, path + "-wal", path + "-shm"};
    parts_->store = PICKET_TRY(std::move(opened));
    parts_->facts.store_recovered = parts_->store->recovered_from_corruption();
    parts_->events = std::make_unique<EventLog>(EventLog::Ports{
        *parts_->store, parts_->clock, read_host_identity(*parts_->root).machine_id, parts_->root->label()});
    parts_->expiry =
        std::make_unique<BuildExpiry>(*parts_->store, parts_->clock, build::built_at(), build::expiration());
    return {};
}

Result<void> App::load_profile() {
    parts_->policy = std::make_unique<PolicyKeeper>(*parts_->root, *parts_->events, parts_->clock);
    parts_->profile_watcher = PICKET_TRY(profile::Watcher::create(*parts_->root));
    return {};
}

bool App::is_switched_off() const {
    const auto line = sys::read_kernel_file("/proc/cmdline", kibibytes(64));
    if (line)
        for (const std::string_view word : split(trim(*line), ' '))
            if (word == "picket.off" || word == "picket.off=1")
                return true;
    return false;
}

Result<void> App::start_errands() {
    parts_->errands.emplace(PICKET_TRY(Errands::start()));
    parts_->closer = std::make_unique<Closer>(*parts_->errands);
    parts_->files = std::make_unique<FileTaker>(*parts_->errands, parts_->clock);
    return {};
}

Result<void> App::start_scout() {
    parts_->facts.switched_off = is_switched_off();
    if (parts_->facts.switched_off)
        return {};
    // A group of its own, gone before the scout is forked, says what this kernel can mark.
    {
        auto trial = watch::FanotifyGroup::create();
        if (!trial) {
            parts_->facts.why_unavailable = trial.error().message();
            return {};
        }
        const UniqueFd directory(open(options_.run_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        parts_->facts.tier = directory ? trial->probe(directory.get()) : watch::KernelTier::lowest();
    }
    const bool by_filesystem = parts_->facts.tier.scope == watch::MarkScope::filesystem;
    const auto granularity =
        by_filesystem ? watch::ScoutGranularity::per_filesystem : watch::ScoutGranularity::per_mount;
    auto scout = watch::MountScout::start(granularity, options_.only_mounts, parts_->store_files, confine_keeper);
    if (!scout)
        return scout.error();
    parts_->scout.emplace(std::move(*scout));
    return {};
}

Result<void> App::open_group() {
    if (!parts_->scout)
        return {};
    auto group = watch::FanotifyGroup::create();
    if (!group) {
        parts_->facts.why_unavailable = group.error().message();
        log(LogLevel::error, "no real-time protection: " + group.error().message());
        return {};
    }
    parts_->group.emplace(std::move(*group));
    parts_->facts.available = true;
    return {};
}

Result<void> App::start_gate() {
    GateLoop::Options options;
    for (const std::string& file : parts_->store_files)
        if (parts_->group)
            parts_->group->never_ask(file);
    options.group = std::move(parts_->group);
    options.engine_listening =
        PICKET_TRY(ipc::listen_at(socket_path(paths::kEngineSocket), 0666)); // who connects is checked
    const auto engine = sandbox::find_identity(options_.engine_user);
    if (!engine)
        return engine.error().with_context("the engine's user");
    options.engine_uid = engine->uid;
    options.policy = parts_->policy->policy();
    parts_->gate = std::make_unique<GateLoop>(std::move(options), parts_->outcomes, parts_->clock);
    approve_own_files();
    parts_->gate->start();
    return {};
}

Result<void> App::start_aftermath() {
    Parts& p = *parts_;
    p.allowances = std::make_unique<Allowances>(*p.store, p.clock);
    p.gate->post([any = p.allowances->any()](gate::Gate& gate, EngineLink&) { gate.set_has_allowances(any); });
    p.remedy = std::make_unique<RemedyClient>(socket_path(paths::kRemedySocket));
    p.brake = std::make_unique<Brake>(*p.store, p.clock);
    p.packages = std::make_unique<PackageGuard>(package_records_of(*p.root, *p.remedy));
    p.remediation = std::make_unique<Remediation>(
        Remediation::Ports{*p.store, *p.events, *p.remedy, p.selftests, *p.policy, *p.brake, *p.packages,
                           p.root->label() + paths::kDefinitionsDirectory + "/"});
    p.aftermath =
        std::make_unique<Aftermath>(Aftermath::Ports{p.outcomes, *p.gate, *p.store, *p.events, *p.allowances,
                                                     p.selftests, *p.brake, *p.remediation, *p.errands, p.clock});
    p.vault = std::make_unique<VaultKeeper>(VaultKeeper::Ports{*p.policy, *p.remedy, *p.store, *p.aftermath, p.clock});
    p.definitions_keeper = std::make_unique<DefinitionsKeeper>(
        DefinitionsKeeper::Ports{*p.gate, *p.aftermath, *p.policy, *p.root, socket_path(paths::kDefinitionsSocket),
                                 p.clock, [this] { approve_own_files(); }});
    p.verdicts = std::make_unique<VerdictKeeper>(VerdictKeeper::Ports{*p.gate, *p.store, *p.policy, *p.root, p.clock});
    p.verdicts->start();
    p.events->on_event([&p](const Event& event) {
        if (p.verbs)
            p.verbs->tell_followers(event);
    });
    p.scans =
        std::make_unique<ScanManager>(ScanRun::Ports{*p.gate, *p.store, *p.policy, *p.aftermath, *p.errands, p.clock});
    p.remediation->on_scan_finding([&scans = *p.scans](auto&&... finding) { scans.on_finding(finding...); });
    if (auto interrupted = p.store->interrupt_scans())
        p.scans->adopt(std::move(*interrupted));
    p.scheduler = std::make_unique<ScanScheduler>(*p.scans, *p.store, *p.policy, read_host_identity(*p.root).machine_id,
                                                  p.root->is_running_host(), p.clock);
    p.probe = std::make_unique<EngineProbe>(*p.gate, *p.scans, p.clock);
    if (p.scout)
        p.mounts = std::make_unique<MountTable>(std::move(*p.scout), p.facts.tier, *p.gate, *p.events, p.clock);
    p.health.emplace(HealthSources{.facts = p.facts,
                                   .conflicts = p.conflicts,
                                   .gate = *p.gate,
                                   .mounts = p.mounts.get(),
                                   .policy = *p.policy,
                                   .events = *p.events,
                                   .aftermath = *p.aftermath,
                                   .brake = *p.brake,
                                   .packages = *p.packages,
                                   .outcomes = p.outcomes,
                                   .probe = *p.probe,
                                   .expiry = *p.expiry,
                                   .root = *p.root,
                                   .clock = p.clock});
    p.verbs = std::make_unique<Verbs>(Verbs::Ports{*p.health, *p.gate, *p.store, *p.policy, *p.aftermath, *p.allowances,
                                                   *p.remedy, p.selftests, *p.scans, *p.files, *p.brake, *p.vault,
                                                   *p.definitions_keeper, *p.verdicts, *p.root, p.clock});
    p.remediation->start();
    p.aftermath->start();
    p.vault->start();
    p.definitions_keeper->start();
    Event event;
    event.type = EventType::daemon_started;
    event.message = fmt::format("picketd {}", build::version());
    p.aftermath->record(event);
    if (const auto gap = os_upgrade_gap(*p.root))
        p.aftermath->record(*gap);
    return {};
}

Result<void> App::start_marking() {
    Parts& p = *parts_;
    p.policy->on_change([&p](const profile::PolicySnapshot& policy) {
        p.gate->post([policy](gate::Gate& gate, EngineLink& engine) {
            gate.set_policy(policy);
            engine.set_wanted_workers(policy->engine_workers);
        });
        p.main_tasks.post([&p, policy] {
            if (p.mounts)
                p.mounts->set_policy(policy);
        });
        p.vault->look_soon();
    });
    if (p.mounts)
        p.mounts->set_policy(p.policy->policy());
    return {};
}

Result<void> App::start_control() {
    Parts& p = *parts_;
    UniqueFd listening = PICKET_TRY(ipc::listen_at(socket_path(paths::kControlSocket), 0666, kBacklog));
    for (const char* const path : {paths::kControlSocket, paths::kEngineSocket})
        p.sockets.emplace_back(socket_path(path));
    p.server = std::make_unique<ipc::RpcServer>(
        std::move(listening), [&p](ipc::RpcRequest& request) { return p.verbs->handle(request); },
        ipc::RpcServerOptions{.descriptors_of = Verbs::descriptors_of});
    p.server_thread = std::thread([&p] {
        prctl(PR_SET_NAME, "picket-control");
        p.server->run();
    });
    return {};
}

void App::main_loop() {
    Parts& p = *parts_;
    MonotonicTime next_second = p.clock.monotonic();
    for (;;) {
        std::array<pollfd, 5> fds{pollfd{p.signals.get(), POLLIN, 0}, pollfd{p.profile_watcher->fd(), POLLIN, 0},
                                  pollfd{p.main_tasks.fd(), POLLIN, 0},
                                  pollfd{p.mounts ? p.mounts->fd() : -1, POLLIN, 0}, pollfd{p.files->fd(), POLLIN, 0}};
        const auto wait = std::chrono::duration_cast<Milliseconds>(next_second - p.clock.monotonic()).count();
        poll(fds.data(), fds.size(), static_cast<int>(std::clamp<std::int64_t>(wait, 0, 1'000)));
        if (fds[0].revents != 0) {
            signalfd_siginfo info{};
            if (read(p.signals.get(), &info, sizeof info) == sizeof info && info.ssi_signo != SIGHUP)
                return;
            p.policy->reload();
        }
        if (fds[1].revents != 0 && p.profile_watcher->on_readable())
            p.policy->reload();
        if (fds[2].revents != 0)
            for (const auto& task : p.main_tasks.take())
                task();
        if (fds[3].revents != 0 && !p.mounts->on_readable()) {
            p.exit_code = 1; // the scout cannot be forked again under a living group: start afresh
            return;
        }
        if (fds[4].revents != 0)
            p.files->on_readable();
        if (p.clock.monotonic() >= next_second) {
            next_second = p.clock.monotonic() + std::chrono::seconds(1);
            every_second();
        }
        if (p.exit_code != 0)
            return;
    }
}

void App::every_second() {
    Parts& p = *parts_;
    look_at_sockets();
    p.policy->on_tick();
    connect_guard();
    look_at_guard();
    look_at_brake();
    look_at_expiry();
    look_for_conflicts();
    look_at_definitions();
    if (p.mounts)
        p.mounts->on_tick();
    p.probe->on_tick();
    p.scans->on_tick();
    p.files->on_tick();
    p.closer->on_tick();
    if (!p.errands->can_begin()) { // as with the scout: none can be forked under a living group
        log(LogLevel::error, "the process that starts errands is gone: starting afresh");
        p.exit_code = 1;
    }
    p.scheduler->on_tick();
    const bool gate_turns = p.gate->age() < kGateMayRest;
    if (gate_turns)
        sys::notify_service_manager("WATCHDOG=1");
    if (!p.ready && gate_turns && (!p.mounts || p.mounts->complete())) {
        p.ready = true;
        sys::notify_service_manager("READY=1");
    }
    const MonotonicTime now = p.clock.monotonic();
    if (now >= p.next_metrics) {
        p.next_metrics = now + kMetricsEvery;
        publish_metrics();
    }
    if (now >= p.next_retention) {
        p.next_retention = now + kRetentionEvery;
        const profile::PolicySnapshot policy = p.policy->policy();
        const auto oldest = p.clock.wall() - std::chrono::hours(24 * policy->scan_results_retention_days);
        (void)p.store->apply_retention(oldest, policy->scan_history_maximum_items);
    }
}

/// Somebody has emptied the run directory: neither a new engine nor an administrator would find the gate again. The
/// service manager starts another one at once, which binds its own.
void App::look_at_sockets() {
    Parts& p = *parts_;
    for (const ipc::BoundPath& socket : p.sockets) {
        if (socket.is_there())
            continue;
        if (++p.looks_without_socket < kLooksWithoutSocket)
            return;
        log(LogLevel::error, fmt::format("{} is gone: starting afresh, to be found again", socket.path()));
        p.exit_code = 1;
        return;
    }
    p.looks_without_socket = 0;
}

/// The guard opens nothing after its start, so it can only count; the event is ours to write, after it ended us.
void App::look_at_guard() {
    Parts& p = *parts_;
    const auto text = sys::read_kernel_file(options_.run_directory + "/guard.json", kibibytes(4));
    const auto counters = text ? data::parse_json(*text) : Result<data::Json>(text.error());
    if (!counters)
        return;
    const auto killed =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, data::integer_or(*counters, "gates_killed", 0)));
    if (!p.gates_killed) {
        const auto stored = p.store->value(kGatesKilled);
        p.gates_killed = stored && *stored ? parse_unsigned(**stored).value_or(0) : 0;
    }
    const std::uint64_t known = std::exchange(*p.gates_killed, killed);
    if (killed == known)
        return;
    (void)p.store->set_value(kGatesKilled, std::to_string(killed));
    const std::uint64_t fresh = killed > known ? killed - known : killed; // a new guard begins at 0
    if (fresh == 0)
        return;
    Event event;
    event.type = EventType::gate_killed;
    event.reason = "gate_killed";
    event.count = fresh;
    event.message = "the guard ended a gate that sent no heartbeat";
    p.events->record(std::move(event));
}

void App::publish_metrics() {
    Parts& p = *parts_;
    const std::string directory = p.policy->policy()->metrics_directory;
    if (directory.empty())
        return;
    if (directory == paths::kMetricsDirectory) // another one is somebody else's to make
        make_directory(*p.root, paths::kMetricsDirectory, 0755);
    const auto written = write_metrics(p.root->label() + directory,
                                       metrics_text(health(*p.health), p.gate->snapshot().statistics, p.clock.wall()));
    const std::string failure = written ? "" : written.error().message();
    if (!failure.empty() && failure != p.metrics_failure)
        log(LogLevel::warning, "no metrics: " + failure);
    p.metrics_failure = failure;
}

void App::connect_guard() {
    if (!parts_->gate->wants_guard())
        return;
    if (auto connection = ipc::connect_to(socket_path(paths::kGuardSocket)))
        parts_->gate->set_guard(std::move(*connection));
}

void App::look_at_brake() {
    const auto why = parts_->brake->release_itself(parts_->policy->policy()->quarantine_maximum_per_minute);
    if (!why)
        return;
    Event event;
    event.type = EventType::quarantine_brake_released;
    event.reason = *why;
    parts_->aftermath->record(event);
}

void App::look_at_expiry() {
    Parts& p = *parts_;
    const MonotonicTime now = p.clock.monotonic();
    if (now < p.next_expiry)
        return;
    p.next_expiry = now + kExpiryEvery;
    const auto mark = p.expiry->on_tick(parse_time(read_mirror_state(*p.root).issued));
    if (!mark)
        return;
    const BuildExpiry::State state = p.expiry->state();
    Event event;
    event.type = *mark > 0 ? EventType::build_expires_soon : EventType::build_expired;
    event.reason = *mark > 0 ? "build_expires_soon" : "build_expired";
    event.count = state.days_left;
    event.message =
        *mark > 0 ? fmt::format("picketd {} is meant to be used until {}", build::version(), to_rfc3339(state.end))
                  : fmt::format("picketd {} was meant to be used until {}; protection goes on", build::version(),
                                to_rfc3339(state.end));
    p.aftermath->record(std::move(event));
}

/// Looks at every process's descriptors, so not often.
void App::look_for_conflicts() {
    const MonotonicTime now = parts_->clock.monotonic();
    if (parts_->looked_for_conflicts != MonotonicTime{} && now - parts_->looked_for_conflicts < kConflictsEvery)
        return;
    parts_->looked_for_conflicts = now;
    const auto host = sys::Root::open("/");
    const auto mounts = sys::mounts_now();
    if (!host || mounts.empty())
        return;
    const auto found = host::find_fanotify_users(*host, mounts);
    std::vector<std::string> products;
    if (found)
        for (const host::FanotifyUser& user : found->users)
            if (user.pid != getpid())
                products.push_back(user.describe());
    parts_->conflicts.set(std::move(products));
}

void App::look_at_definitions() {
    const std::string link = parts_->root->label() + paths::kCurrentDefinitions;
    std::array<char, 512> target{};
    const ssize_t length = readlink(link.c_str(), target.data(), target.size());
    const std::string current = length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : "";
    if (current == parts_->definitions)
        return;
    const bool first = !parts_->definitions.has_value();
    parts_->definitions = current;
    approve_own_files();
    if (first)
        return; // the engine finds them by itself
    parts_->gate->post([](gate::Gate&, EngineLink& engine) { engine.request_reload(); });
    Event event;
    event.type = EventType::definitions_changed;
    event.message = current;
    parts_->aftermath->record(event);
}

void App::approve_own_files() {
    auto files = std::make_shared<ApprovedFiles>(find_approved_files(*parts_->root));
    parts_->gate->post([files](gate::Gate& gate, EngineLink&) { gate.set_preapproved(files); });
}

void App::tear_down() {
    Parts& p = *parts_;
    sys::notify_service_manager("STOPPING=1");
    if (p.server)
        p.server->stop();
    if (p.server_thread.joinable())
        p.server_thread.join();
    p.server.reset();
    if (p.scans)
        p.scans->stop_all();
    if (p.definitions_keeper)
        p.definitions_keeper->stop();
    if (p.gate && p.gate->group() != nullptr)
        (void)p.gate->group()->flush(p.facts.tier.scope); // no new event: then the last held ones are answered
    if (p.gate)
        p.gate->stop();
    if (p.verdicts && p.exit_code == 0)
        p.verdicts->save();
    if (p.vault)
        p.vault->stop();
    if (p.expiry)
        p.expiry->save();
    if (p.aftermath) {
        Event event;
        event.type = EventType::daemon_stopped;
        event.message = p.exit_code == 0 ? "stopped" : "stopped by a failure";
        p.aftermath->record(event);
        p.aftermath->stop();
        p.remediation->stop();
    }
    p.verbs.reset();
}

} // namespace picket::daemon
