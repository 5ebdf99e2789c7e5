#include "zygote.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/sandbox/privileges.h>

#include "channel.h"
#include "sample_check.h"
#include "scratch.h"
#include "worker_pool.h"

namespace picket::engine {
namespace {

constexpr Milliseconds kSampleCheckTimeLimit{120'000};
constexpr std::int64_t kAliveEveryMs = 1'000;

class Zygote {
  public:
    explicit Zygote(ZygoteSetup setup) : setup_(std::move(setup)) {}

    /// Returns when it is to end.
    void run() {
        const auto prepared = prepare();
        if (!prepared)
            return report_failure(prepared.error());
        report(ZygoteEventKind::loaded);
        while (!channel_closed_ && !(stopping_ && pool_->size() == 0)) {
            pool_->turn();
            report_alive();
            wait();
        }
    }

  private:
    Result<void> prepare() {
        PICKET_TRY(sandbox::die_with_parent(setup_.supervisor));
        PICKET_TRY(sandbox::become_undumpable());
        PICKET_TRY(take_signals());
        PICKET_TRY(engine_core::initialise_library());
        const std::vector<engine_core::TrustedFile> own_files = engine_core::open_own_files();
        statm_.reset(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
        const UniqueFd generation = PICKET_TRY(open_directory(setup_.directory));
        (void)PICKET_TRY(confine_zygote(generation.get(), setup_.scratch.get()));
        engine_.emplace(PICKET_TRY(load()));
        // Unpacked containers are done with.
        PICKET_TRY(empty_directory(setup_.scratch.get()));
        usage_ = PICKET_TRY(read_memory_usage(statm_.get()));
        PICKET_TRY(check_in_child(*engine_, own_files, setup_.scratch.get(), setup_.scratch_path, usage_,
                                  kSampleCheckTimeLimit));
        make_pool();
        return {};
    }

    Result<engine_core::Engine> load() {
        const MemoryUsage before = PICKET_TRY(read_memory_usage(statm_.get()));
        PICKET_TRY(limit_load(before));
        auto engine = engine_core::Engine::load({setup_.directory, setup_.files, setup_.scratch_path});
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        const std::uint64_t peak = static_cast<std::uint64_t>(usage.ru_maxrss) << 10U;
        if (!engine && peak > kLoadMemory.count / 10 * 9)
            return engine.error().with_context(fmt::format("needs more than {} of memory", to_human(kLoadMemory)));
        PICKET_TRY(lift_load_limit());
        return engine;
    }

    Result<void> take_signals() {
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGTERM);
        sigaddset(&blocked, SIGCHLD);
        sigprocmask(SIG_SETMASK, &blocked, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
        signals_.reset(signalfd(-1, &blocked, SFD_NONBLOCK | SFD_CLOEXEC));
        return signals_ ? Result<void>() : Result<void>(Error::from_errno(errno, "making a signal descriptor"));
    }

    void make_pool() {
        pool_ = std::make_unique<WorkerPool>(WorkerPool::Setup{.generation = setup_.generation,
                                                               .gate_socket = setup_.gate_socket,
                                                               .scratch = setup_.scratch.get(),
                                                               .scratch_path = setup_.scratch_path,
                                                               .usage = usage_,
                                                               .engine = &*engine_,
                                                               .close_in_child = [this] {
                                                                   setup_.channel.reset();
                                                                   setup_.scratch.reset();
                                                                   signals_.reset();
                                                                   statm_.reset();
                                                               }});
    }

    void wait() {
        std::array<pollfd, 2> waiting{{{setup_.channel.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}}};
        poll(waiting.data(), waiting.size(), pool_->next_turn_ms());
        signalfd_siginfo info{};
        while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
            if (info.ssi_signo == SIGTERM)
                stop();
        take_commands();
    }

    void take_commands() {
        ChannelState state = ChannelState::empty;
        while (const auto received = receive_record<ZygoteCommand>(setup_.channel.get(), state)) {
            switch (received->record.kind) {
            case ZygoteCommandKind::serve:
                if (!stopping_)
                    pool_->set_wanted(received->record.value);
                break;
            case ZygoteCommandKind::kill_worker:
                pool_->kill_worker(static_cast<pid_t>(received->record.value));
                break;
            case ZygoteCommandKind::stop:
                stop();
                break;
            }
        }
        channel_closed_ = state != ChannelState::empty;
    }

    void stop() {
        stopping_ = true;
        pool_->set_wanted(0);
    }

    ZygoteEvent event(ZygoteEventKind kind) const {
        ZygoteEvent event;
        event.kind = kind;
        if (pool_) {
            event.workers = pool_->size();
            event.workers_killed = pool_->killed();
            event.workers_crashed = pool_->crashed();
        }
        if (engine_)
            event.signatures = engine_->signature_count();
        event.resident_bytes = usage_.resident;
        return event;
    }

    void report(ZygoteEventKind kind) {
        last_event_ = event(kind);
        last_report_ms_ = monotonic_ms();
        (void)send_record(setup_.channel.get(), last_event_).has_value();
    }

    /// Each second, and at each change.
    void report_alive() {
        const ZygoteEvent now = event(ZygoteEventKind::alive);
        const bool changed = now.workers != last_event_.workers || now.workers_killed != last_event_.workers_killed ||
                             now.workers_crashed != last_event_.workers_crashed;
        if (changed || monotonic_ms() - last_report_ms_ >= kAliveEveryMs)
            report(ZygoteEventKind::alive);
    }

    void report_failure(const Error& error) {
        ZygoteEvent failure = event(ZygoteEventKind::failed);
        scan::set_field(failure.message, error.message());
        (void)send_record(setup_.channel.get(), failure).has_value();
    }

    ZygoteSetup setup_;
    UniqueFd signals_;
    UniqueFd statm_;
    MemoryUsage usage_;
    std::optional<engine_core::Engine> engine_;
    std::unique_ptr<WorkerPool> pool_;
    ZygoteEvent last_event_;
    std::int64_t last_report_ms_ = 0;
    bool stopping_ = false;
    bool channel_closed_ = false;
};

} // namespace

void run_zygote(ZygoteSetup setup) {
    prctl(PR_SET_NAME, "picket-zygote", 0, 0, 0);
    Zygote(std::move(setup)).run();
    _exit(0);
}

} // namespace picket::engine
