#include "gate_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sched.h>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <unordered_map>

#include <picket/ipc/record.h>
#include <picket/watch/heartbeat.h>

#include "gate_filter.h"
#include "log.h"

namespace picket::daemon {
namespace {

constexpr Milliseconds kTurnAtLeastEvery{250};
constexpr Milliseconds kTickEvery{100};
constexpr Milliseconds kPublishEvery{20};
constexpr Milliseconds kBeatEvery{250};
constexpr Milliseconds kKeeperHangs{3'000};
constexpr int kReadsPerTurn = 8; ///< then the engine's answers have their turn

/// The kernel wakes everybody who waits for an answer at each answer. Were they to run then, before the next one is
/// given, thousands of openers would cost each other seconds; so this thread goes first. It never computes for long,
/// and the kernel leaves the others a share. Where it may not (a real-time group without a budget), it is as fast as it
/// is.
void hurry() {
    const sched_param parameters{.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) != 0)
        log(LogLevel::info, std::string("the gate runs at ordinary priority: ") + std::strerror(errno));
}

} // namespace

/// Answers go to the group; one that the kernel does not take belongs to an event it has forgotten.
class GateLoop::Answerer final : public gate::Responder, public gate::IgnoreMarks {
  public:
    explicit Answerer(std::optional<watch::FanotifyGroup>& group) : group_(group) {}
    /// The event came by a keeper.
    void note_keeper(int event_fd, KeeperLink& link, std::int32_t number) { kept_[event_fd] = {&link, number}; }
    void forget_keeper(const KeeperLink& link) {
        std::erase_if(kept_, [&](const auto& each) { return each.second.link == &link; });
    }
    void respond(int event_fd, Decision decision) override {
        if (const auto kept = kept_.extract(event_fd); kept)
            kept.mapped().link->answer(kept.mapped().number, decision);
        else if (group_)
            (void)group_->respond(event_fd, decision);
    }
    bool ignore(int fd) override { return group_ && group_->ignore(fd); }
    void ask_again(int fd) override {
        if (group_)
            group_->ask_again(fd);
    }
    void ask_about_everything() override {
        if (group_)
            group_->ask_about_everything();
    }
    bool pins_memory() const override { return group_ && !group_->ignores_are_evictable(); }

  private:
    std::optional<watch::FanotifyGroup>& group_;
    struct Kept {
        KeeperLink* link = nullptr;
        std::int32_t number = -1;
    };
    std::unordered_map<int, Kept> kept_; ///< of events that are not answered yet
};

GateLoop::GateLoop(Options options, OutcomeQueue& outcomes, const Clock& clock)
    : group_(std::move(options.group)), outcomes_(outcomes), clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)),
      answerer_(std::make_unique<Answerer>(group_)), engine_(std::move(options.engine_listening), options.engine_uid,
                                                             clock, [this](int fd, bool on) { watch_fd(fd, on); }),
      gate_({*answerer_, engine_, outcomes_, inspector_, *answerer_, clock}, getpid(), options.policy) {
    PICKET_CHECK(epoll_);
    engine_.attach(gate_);
    engine_.set_wanted_workers(options.policy->engine_workers);
    watch_fd(tasks_.fd(), true);
    watch_fd(engine_.listening_fd(), true);
    if (group_)
        watch_fd(group_->fd(), true);
    events_.reserve(256);
}

GateLoop::~GateLoop() {
    stop();
}

void GateLoop::watch_fd(int fd, bool on) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_.get(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
}

void GateLoop::start() {
    turned_at_ms_ = std::chrono::duration_cast<Milliseconds>(clock_.monotonic().time_since_epoch()).count();
    thread_ = std::thread([this] { run(); });
}

void GateLoop::stop() {
    if (!thread_.joinable())
        return;
    stopping_ = true;
    post([](gate::Gate&, EngineLink&) {});
    thread_.join();
    for (const auto& [fd, keeper] : keepers_)
        answerer_->forget_keeper(keeper->link);
    keepers_.clear();
    group_.reset(); // the kernel lets go of whatever was still queued
}

void GateLoop::run() {
    prctl(PR_SET_NAME, "picket-gate");
    hurry();
    confine_gate_thread();
    while (!stopping_)
        turn();
    gate_.on_engine_lost("the daemon stops");
}

void GateLoop::turn() {
    std::array<epoll_event, 64> ready{};
    const int count = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), wait_ms());
    bool kernel_ready = false;
    unpublished_ = unpublished_ || count > 0;
    for (int i = 0; i < count; ++i) {
        const int fd = ready[static_cast<std::size_t>(i)].data.fd;
        if (group_ && fd == group_->fd())
            kernel_ready = true;
        else if (const auto keeper = keepers_.find(fd); keeper != keepers_.end())
            take_from(*keeper->second);
        else if (fd == tasks_.fd())
            run_tasks();
        else if (fd == engine_.listening_fd())
            engine_.on_listening_readable();
        else
            engine_.on_readable(fd);
    }
    if (kernel_ready)
        read_kernel();
    const MonotonicTime now = clock_.monotonic();
    if (now - last_tick_ >= kTickEvery || (gate_.next_deadline() && *gate_.next_deadline() <= now)) {
        last_tick_ = now;
        gate_.on_tick();
        engine_.on_tick();
        look_at_keepers(now);
    }
    for (const auto& [fd, keeper] : keepers_)
        keeper->link.flush();
    turned_at_ms_ = std::chrono::duration_cast<Milliseconds>(now.time_since_epoch()).count();
    beat();
    publish();
}

void GateLoop::read_kernel() {
    for (int i = 0; i < kReadsPerTurn; ++i) {
        events_.clear();
        const auto read = group_->read_events(events_);
        for (watch::KernelEvent& event : events_)
            gate_.on_event(std::move(event));
        if (!read) { // no descriptor was free, or an event could not be opened: something went by unseen
            gate_.on_event({watch::EventKind::overflow, {}, 0});
            return;
        }
        if (events_.empty())
            return;
    }
}

void GateLoop::add_keeper(UniqueFd events, const watch::KeeperState* state, unsigned least_workers,
                          std::function<void(const std::string&)> on_end) {
    // A task must be copyable: the keeper travels in a shared owner.
    auto shared =
        std::make_shared<std::unique_ptr<Keeper>>(new Keeper{KeeperLink(std::move(events), state), std::move(on_end)});
    post([this, shared, least_workers](gate::Gate&, EngineLink&) {
        const int fd = (*shared)->link.fd();
        watch_fd(fd, true);
        keepers_[fd] = std::move(*shared);
        if (least_workers != 0)
            engine_.set_least_workers(least_workers);
    });
}

void GateLoop::take_from(Keeper& keeper) {
    KeeperLink& link = keeper.link;
    kept_events_.clear();
    const bool goes_on = link.take(kept_events_);
    if (link.process() != 0)
        gate_.add_own_process(link.process());
    for (KeeperLink::Event& kept : kept_events_) {
        if (kept.number >= 0)
            answerer_->note_keeper(kept.event.file.fd(), link, kept.number);
        gate_.on_event(std::move(kept.event));
    }
    if (!goes_on)
        end_keeper(link.fd(), "the process that reads its events is gone");
}

/// What it has read and handed over is answered as ever, and heard by nobody. What it has not, waits until it ends; the
/// one who hangs with it is the one whose server does not answer anyway.
void GateLoop::end_keeper(int fd, const std::string& why) {
    const auto found = keepers_.find(fd);
    if (found == keepers_.end())
        return;
    const std::unique_ptr<Keeper> keeper = std::move(found->second);
    keepers_.erase(found);
    watch_fd(fd, false);
    keeper->link.drop_marks();
    gate_.remove_own_process(keeper->link.process());
    answerer_->forget_keeper(keeper->link);
    keeper->on_end(why);
}

void GateLoop::look_at_keepers(MonotonicTime now) {
    std::vector<int> hanging;
    for (const auto& [fd, keeper] : keepers_)
        if (keeper->link.hangs_for(now) > kKeeperHangs)
            hanging.push_back(fd);
    for (const int fd : hanging)
        end_keeper(fd, "its server does not answer");
}

void GateLoop::run_tasks() {
    for (Task& task : tasks_.take())
        task(gate_, engine_);
}

int GateLoop::wait_ms() const {
    const MonotonicTime now = clock_.monotonic();
    Milliseconds wait = kTurnAtLeastEvery;
    if (unpublished_)
        wait = kPublishEvery;
    if (const auto deadline = gate_.next_deadline())
        wait = std::min(wait, std::chrono::duration_cast<Milliseconds>(*deadline - now) + Milliseconds(1));
    return static_cast<int>(std::max<std::int64_t>(0, wait.count()));
}

void GateLoop::beat() {
    const MonotonicTime now = clock_.monotonic();
    if (!guard_ || now - last_beat_ < kBeatEvery || !gate_.is_healthy())
        return;
    watch::Heartbeat heartbeat;
    heartbeat.kill_engine_pid = static_cast<std::uint32_t>(engine_.stuck_engine());
    const auto sent = ipc::send_record(guard_.get(), heartbeat);
    last_beat_ = now;
    if (!sent && sent.error().errno_value() != EAGAIN) {
        guard_.reset();
        guard_connected_ = false;
    }
}

void GateLoop::set_guard(UniqueFd connection) {
    guard_connected_ = true;
    // A task must be copyable: the descriptor travels in a shared owner.
    auto shared = std::make_shared<UniqueFd>(std::move(connection));
    post([this, shared](gate::Gate&, EngineLink&) {
        guard_ = std::move(*shared);
        last_beat_ = {};
    });
}

void GateLoop::publish() {
    const MonotonicTime now = clock_.monotonic();
    if (now - last_publish_ < kPublishEvery)
        return;
    last_publish_ = now;
    unpublished_ = false;
    GateSnapshot snapshot;
    snapshot.statistics = gate_.statistics();
    snapshot.engine = engine_.state();
    snapshot.held_opens = gate_.held_opens();
    snapshot.cached_verdicts = gate_.cached_verdicts();
    snapshot.engine_present = gate_.engine_present();
    snapshot.engine_stopped = gate_.engine_stopped();
    snapshot.guarded = guard_connected_;
    std::lock_guard lock(snapshot_mutex_);
    snapshot_ = std::move(snapshot);
}

GateSnapshot GateLoop::snapshot() const {
    std::lock_guard lock(snapshot_mutex_);
    return snapshot_;
}

Milliseconds GateLoop::age() const {
    const auto now = std::chrono::duration_cast<Milliseconds>(clock_.monotonic().time_since_epoch());
    return now - Milliseconds(turned_at_ms_.load());
}

void GateLoop::forget_filesystems() {
    post([this](gate::Gate&, EngineLink&) { inspector_.forget_filesystems(); });
}

} // namespace picket::daemon
