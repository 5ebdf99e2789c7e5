#include "supervisor.h"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/sys/notify.h>

#include "confinement.h"
#include "scratch.h"
#include "worker.h"

namespace picket::engine {
namespace {

constexpr unsigned kMostWorkersByDefault = 5;
constexpr std::size_t kMostPendingReloads = 64;
constexpr int kTurnMs = 1'000;
constexpr std::int64_t kSignOfLifeEveryMs = 1'000;
constexpr std::int64_t kShutdownLimitMs = 3'000;

/// One more than there are processors: the gate keeps one free of scans on demand, for opens.
unsigned default_workers() {
    return std::clamp(std::thread::hardware_concurrency() + 1, 2U, kMostWorkersByDefault);
}

Options with_workers(Options options) {
    if (options.workers == 0)
        options.workers = default_workers();
    return options;
}

} // namespace

Supervisor::Supervisor(const Options& options, UniqueFd temporary_directory)
    : options_(with_workers(options)), temporary_directory_(std::move(temporary_directory)), link_(options_.socket),
      loader_(options_, temporary_directory_.get(), [this] {
          signals_.reset();
          link_ = GateLink("");
          temporary_directory_.reset();
      }) {
    loader_.set_workers(options_.workers);
}

Result<void> Supervisor::prepare() {
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int number : {SIGTERM, SIGINT, SIGCHLD})
        sigaddset(&blocked, number);
    sigprocmask(SIG_SETMASK, &blocked, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    signals_.reset(signalfd(-1, &blocked, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!signals_)
        return Error::from_errno(errno, "making a signal descriptor");
    PICKET_TRY(empty_directory(temporary_directory_.get())); // of an engine that was killed
    (void)PICKET_TRY(confine_supervisor(temporary_directory_.get()));
    return {};
}

int Supervisor::run() {
    if (const auto prepared = prepare(); !prepared) {
        fmt::print(stderr, "picket-engine: {}\n", prepared.error().message());
        return 1;
    }
    while (!ending_) {
        step();
        if (link_.hopeless())
            return shut_down(1);
        if (!ending_)
            wait();
    }
    return shut_down(0);
}

void Supervisor::step() {
    turn_link();
    loader_.turn();
    report();
    // Only here: a supervisor that does not turn is to be restarted.
    if (monotonic_ms() >= next_sign_of_life_ms_) {
        next_sign_of_life_ms_ = monotonic_ms() + kSignOfLifeEveryMs;
        sys::notify_service_manager("WATCHDOG=1");
    }
}

void Supervisor::wait() {
    std::vector<pollfd> waiting{{signals_.get(), POLLIN, 0}};
    if (link_.connected())
        waiting.push_back({link_.fd(), POLLIN, 0});
    for (const int channel : loader_.channels())
        waiting.push_back({channel, POLLIN, 0});
    poll(waiting.data(), waiting.size(), std::min(kTurnMs, link_.next_turn_ms()));
    take_signals();
}

void Supervisor::take_signals() {
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        if (info.ssi_signo != static_cast<std::uint32_t>(SIGCHLD))
            ending_ = true;
}

void Supervisor::turn_link() {
    while (const auto command = link_.receive())
        obey(*command);
    const GateLink::Change change = link_.turn();
    if (change == GateLink::Change::none)
        return;
    loader_.set_gate_present(change == GateLink::Change::connected);
    pending_reloads_.clear();
    if (change == GateLink::Change::connected)
        answer(0);
    else if (options_.once)
        ending_ = true;
}

void Supervisor::obey(const scan::EngineCommand& command) {
    switch (command.kind) {
    case scan::EngineCommandKind::ping:
        return answer(command.sequence);
    case scan::EngineCommandKind::set_workers:
        loader_.set_workers(command.value != 0 ? command.value : options_.workers);
        return answer(command.sequence);
    case scan::EngineCommandKind::kill_worker:
        loader_.kill_worker(command.value);
        return answer(command.sequence);
    case scan::EngineCommandKind::reload:
        // Answered when it is settled, so that the answer says how it went.
        if (pending_reloads_.size() < kMostPendingReloads)
            pending_reloads_.push_back(command.sequence);
        return loader_.reload();
    case scan::EngineCommandKind::try_candidate:
        if (pending_reloads_.size() < kMostPendingReloads)
            pending_reloads_.push_back(command.sequence);
        return loader_.try_candidate();
    }
}

void Supervisor::report() {
    const Loader::Status status = loader_.status();
    if (loader_.is_settled()) {
        for (const std::uint32_t sequence : std::exchange(pending_reloads_, {}))
            answer(sequence);
    }
    if (status == reported_)
        return;
    answer(0);
    tell_service_manager(status);
    reported_ = status;
}

void Supervisor::answer(std::uint32_t sequence) {
    link_.send(message_for(loader_.status(), sequence));
}

scan::EngineStatus Supervisor::message_for(const Loader::Status& status, std::uint32_t sequence) const {
    scan::EngineStatus message;
    message.state = status.state;
    message.sequence = sequence;
    message.workers = status.workers;
    message.workers_killed = status.workers_killed;
    message.workers_crashed = status.workers_crashed;
    scan::set_field(message.definitions, status.definitions);
    scan::set_field(message.message, status.message);
    return message;
}

void Supervisor::tell_service_manager(const Loader::Status& status) {
    const bool failed = status.state == scan::LoadState::failed;
    std::string text = failed ? "STATUS=no usable definitions: " + status.message
                              : fmt::format("STATUS={} workers, definitions {}", status.workers, status.definitions);
    // Without definitions it waits for some: that is running too, or the host's start would hang on it.
    if (!told_ready_ && (failed || (!status.definitions.empty() && status.workers > 0))) {
        told_ready_ = true;
        text += "\nREADY=1";
    }
    sys::notify_service_manager(text);
}

int Supervisor::shut_down(int exit_status) {
    sys::notify_service_manager("STOPPING=1");
    loader_.stop();
    const std::int64_t deadline = monotonic_ms() + kShutdownLimitMs;
    while (!loader_.is_stopped() && monotonic_ms() < deadline) {
        loader_.turn();
        pollfd waiting{signals_.get(), POLLIN, 0};
        poll(&waiting, 1, 50);
        take_signals();
    }
    return exit_status;
}

} // namespace picket::engine
