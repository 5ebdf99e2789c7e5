#include "gate_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <unordered_map>

#include <picket/ipc/seqpacket.h>
#include <picket/watch/heartbeat.h>

#include "gate_filter.h"

namespace picket::daemon {
namespace {

constexpr Milliseconds kTurnAtLeastEvery{250};
constexpr Milliseconds kTickEvery{100};
constexpr Milliseconds kPublishEvery{20};
constexpr Milliseconds kBeatEvery{250};
constexpr Milliseconds kReadAtMost{3'000};
constexpr int kReadsPerTurn = 8; ///< then the engine's answers have their turn

} // namespace

/// Answers go to the group; one that the kernel does not take belongs to an event it has forgotten.
class GateLoop::Answerer final : public gate::Responder, public gate::IgnoreMarks {
  public:
    explicit Answerer(std::optional<watch::FanotifyGroup>& group) : group_(group) {}
    /// The event came by another group than the first.
    void note_group(int event_fd, watch::FanotifyGroup& group) { others_[event_fd] = &group; }
    void forget_others() { others_.clear(); }
    void respond(int event_fd, Decision decision) override {
        if (const auto other = others_.extract(event_fd); other)
            (void)other.mapped()->respond(event_fd, decision);
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
    std::unordered_map<int, watch::FanotifyGroup*> others_; ///< of events that are not answered yet
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
    if (options.stacked_group)
        stacked_ = std::make_unique<GroupReader>(std::move(*options.stacked_group), clock);
    if (options.remote_group)
        remote_ = std::make_unique<GroupReader>(std::move(*options.remote_group), clock);
    for (GroupReader* const reader : {stacked_.get(), remote_.get()})
        if (reader != nullptr)
            watch_fd(reader->fd(), true);
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
    for (GroupReader* const reader : {stacked_.get(), remote_.get()})
        if (reader != nullptr)
            reader->start();
    closer_.start();
    thread_ = std::thread([this] { run(); });
}

void GateLoop::stop() {
    if (!thread_.joinable())
        return;
    for (GroupReader* const reader : {remote_.get(), stacked_.get()})
        if (reader != nullptr)
            reader->stop(); // while the loop still answers what they may wait for
    stopping_ = true;
    post([](gate::Gate&, EngineLink&) {});
    thread_.join();
    closer_.stop();
    answerer_->forget_others();
    remote_.reset();
    stacked_.reset();
    group_.reset(); // the kernel lets go of whatever was still queued
}

void GateLoop::run() {
    prctl(PR_SET_NAME, "picket-gate");
    confine_gate_thread();
    close_through(&closer_);
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
        else if (stacked_ && fd == stacked_->fd())
            take_from(*stacked_);
        else if (remote_ && fd == remote_->fd())
            take_from(*remote_);
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
    }
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
            gate_.on_event({watch::EventKind::overflow, UniqueFd(), 0});
            return;
        }
        if (events_.empty())
            return;
    }
}

void GateLoop::take_from(GroupReader& reader) {
    for (watch::KernelEvent& event : reader.take()) {
        if (event.kind == watch::EventKind::open_permission || event.kind == watch::EventKind::exec_permission)
            answerer_->note_group(event.file.get(), reader.group());
        watch::FileFacts facts;
        if (&reader == remote_.get() && event.file)
            closer_.note(event.file.get());
        if (&reader == remote_.get() && inspector_.facts(event.file.get(), facts))
            inspector_.know(facts.key.device, watch::FilesystemKind::opaque); // its server may wait for us by now
        gate_.on_event(std::move(event));
    }
}

/// A server that does not answer holds the readers of its like: no longer than an open may wait.
bool GateLoop::readers_turn() const {
    for (const GroupReader* const reader : {stacked_.get(), remote_.get()})
        if (reader != nullptr && reader->reading_for() > kReadAtMost)
            return false;
    return true;
}

watch::FanotifyGroup* GateLoop::group_for(std::string_view filesystem_type) {
    constexpr std::array kStacked{"overlay", "ecryptfs", "aufs"};
    constexpr std::array kRemote{"fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "virtiofs", "glusterfs"};
    const auto begins = [&](const char* name) { return filesystem_type.starts_with(name); };
    if (stacked_ && std::any_of(kStacked.begin(), kStacked.end(), begins))
        return &stacked_->group();
    if (remote_ && std::any_of(kRemote.begin(), kRemote.end(), begins))
        return &remote_->group();
    return group();
}

Result<void> GateLoop::flush_marks(watch::MarkScope scope) {
    Result<void> flushed;
    for (GroupReader* const reader : {stacked_.get(), remote_.get()})
        if (reader != nullptr)
            if (auto done = reader->group().flush(scope); !done)
                flushed = std::move(done);
    if (group_)
        if (auto done = group_->flush(scope); !done)
            flushed = std::move(done);
    return flushed;
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
    if (!guard_ || now - last_beat_ < kBeatEvery || !gate_.is_healthy() || !readers_turn())
        return;
    watch::Heartbeat heartbeat;
    heartbeat.kill_engine_pid = static_cast<std::uint32_t>(engine_.stuck_engine());
    const auto sent = ipc::send_message(guard_.get(), {reinterpret_cast<const char*>(&heartbeat), sizeof heartbeat});
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
