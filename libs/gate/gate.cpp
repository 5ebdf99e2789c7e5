#include <picket/gate/gate.h>

#include <algorithm>

#include "gate_scan.h"

namespace picket::gate {
namespace {

constexpr unsigned kReportsPerSecond = 20;
constexpr Milliseconds kKillGrace{5'000};

} // namespace

std::string_view to_string(FailureReason reason) {
    switch (reason) {
    case FailureReason::deadline:
        return "deadline";
    case FailureReason::no_engine:
        return "no_engine";
    case FailureReason::engine_stopped:
        return "engine_stopped";
    case FailureReason::engine_crashed:
        return "engine_crashed";
    case FailureReason::engine_error:
        return "engine_error";
    case FailureReason::overload:
        return "overload";
    case FailureReason::unreadable:
        return "unreadable";
    }
    return "unknown";
}

Gate::Gate(Ports ports, pid_t own_pid, profile::PolicySnapshot policy, GateLimits limits)
    : ports_(ports), own_processes_{own_pid}, policy_(std::move(policy)), limits_(limits) {
    PICKET_CHECK(policy_ != nullptr);
}
Gate::~Gate() = default;

void Gate::on_event(watch::KernelEvent&& event) {
    switch (event.kind) {
    case watch::EventKind::overflow:
        on_overflow();
        break;
    case watch::EventKind::close_write:
        on_close_write(std::move(event));
        break;
    case watch::EventKind::open_permission:
    case watch::EventKind::exec_permission:
        on_permission(std::move(event));
        break;
    }
}

void Gate::on_overflow() {
    forget_verdicts(); // a CLOSE_WRITE may be among what was lost
    ++statistics_.lost;
    Outcome outcome;
    outcome.kind = Outcome::Kind::events_lost;
    outcome.origin = EventOrigin::system;
    ports_.sink.take(std::move(outcome));
}

void Gate::allow(HeldOpen& held) {
    ++statistics_.allowed;
    held.answer(Decision::allow);
}

void Gate::on_permission(watch::KernelEvent&& event) {
    ++statistics_.events;
    const bool is_exec = event.kind == watch::EventKind::exec_permission;
    HeldOpen held(ports_.responder, std::move(event.file), is_exec ? policy_->exec_failure : policy_->open_failure);
    held.pid = event.pid;
    held.is_exec = is_exec;
    held.deadline = ports_.clock.monotonic() + policy_->open_deadline;
    if (own_processes_.contains(held.pid)) { // before anything else: our own open must never wait for ourselves
        ++statistics_.own;
        return allow(held);
    }
    watch::FileFacts facts;
    if (!ports_.inspector.facts(held.fd(), facts)) {
        (void)fail_open(std::move(held), FailureReason::unreadable, {});
        return;
    }
    note(held, facts);
    if (answer_from_policy(held, facts))
        return;
    const bool stable = is_stable(held.file(), facts);
    if (answer_from_cache(held, facts, stable))
        return;
    const auto crashes = crashes_.find(facts.key);
    std::optional<FailureReason> failure;
    if (!engine_ready_)
        failure = FailureReason::no_engine;
    else if (engine_stopped_)
        failure = FailureReason::engine_stopped;
    else if (held.owner = ports_.inspector.owner_of(held.pid); !has_room_for(held.owner))
        failure = FailureReason::overload;
    else if (crashes != crashes_.end() && crashes->second >= limits_.crashes_per_file)
        failure = FailureReason::engine_crashed;
    if (failure) {
        (void)fail_open(std::move(held), *failure, facts.key);
        return;
    }
    join_or_enqueue(std::move(held), facts, stable);
    dispatch();
}

void Gate::note(const HeldOpen& held, const watch::FileFacts& facts) {
    recent_opens_.note(facts.key.device, facts.key.inode, ports_.clock.monotonic());
    if (facts.regular && activity_.wants_next())
        activity_.note_open(ports_.inspector.executable(held.pid), ports_.inspector.path(held.fd()));
}

bool Gate::answer_from_policy(HeldOpen& held, const watch::FileFacts& facts) {
    // A size of 0 is no proof on file systems whose server makes up what stat says.
    const bool empty = facts.key.size == 0 && kind_of(held.file(), facts) != watch::FilesystemKind::opaque;
    const bool active = policy_->real_time_active();
    std::uint64_t* counter = nullptr;
    if (!facts.regular || empty)
        counter = &statistics_.not_content;
    else if (active && is_preapproved(facts))
        counter = &statistics_.preapproved;
    else if (!active || is_excluded(held.fd(), held.pid))
        counter = &statistics_.excluded;
    if (counter == nullptr)
        return false;
    ++*counter;
    allow(held);
    return true;
}

bool Gate::is_preapproved(const watch::FileFacts& facts) const {
    return preapproved_ != nullptr && facts.root_only_writable && preapproved_->contains(facts.key);
}

bool Gate::is_excluded(int fd, pid_t pid) const {
    const profile::ExclusionMatcher& exclusions = policy_->exclusions;
    if (exclusions.has_process_rules()) {
        const std::string executable = ports_.inspector.executable(pid);
        if (!executable.empty() && exclusions.excludes_process(executable))
            return true;
    }
    if (!exclusions.has_path_rules())
        return false;
    // Elsewhere than in the host's own mounts a path is whatever its maker likes to call it.
    if (host_mounts_ == nullptr || !host_mounts_->contains(ports_.inspector.mount_id(fd)))
        return false;
    const std::string path = ports_.inspector.path(fd);
    return !path.empty() && exclusions.excludes_path(path);
}

/// Whoever asks what a server's file system is, asks the server.
watch::FilesystemKind Gate::kind_of(const watch::EventFile& file, const watch::FileFacts& facts) {
    return file.is_put_away() ? watch::FilesystemKind::opaque : ports_.inspector.kind(file.fd(), facts);
}

bool Gate::is_stable(const watch::EventFile& file, const watch::FileFacts& facts) {
    const watch::FilesystemKind kind = kind_of(file, facts);
    if (kind == watch::FilesystemKind::opaque || (kind == watch::FilesystemKind::overlay && !facts.root_only_writable))
        return false;
    const std::int64_t now_ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(ports_.clock.wall().time_since_epoch()).count();
    const std::int64_t age_ns = now_ns - std::max(facts.key.ctime_ns, facts.key.mtime_ns);
    if (age_ns < std::chrono::nanoseconds(watch::timestamp_grain(kind)).count())
        return false; // also where a time stamp lies in the future
    return !ports_.inspector.has_writer(file.fd());
}

bool Gate::answer_from_cache(HeldOpen& held, const watch::FileFacts& facts, bool stable) {
    if (!stable)
        return false;
    const auto finding = find_verdict(held.fd(), facts.key);
    if (!finding)
        return answer_from_old_verdict(held, facts);
    if (has_allowances_ && finding->verdict != Verdict::clean)
        return false;
    ++statistics_.cache_hits;
    const bool would_deny = would_block(*finding) && !policy_->is_allowed_threat(finding->threat_name);
    const bool deny = would_deny && blocks(*finding);
    if (!deny) {
        allow(held);
        if (finding->verdict == Verdict::clean)
            stop_asking(held.fd(), facts);
        if (!would_deny || !is_audit())
            return true;
        ++statistics_.would_have_denied;
    } else {
        ++statistics_.denied;
        held.answer(Decision::deny);
    }
    Outcome outcome;
    outcome.kind = Outcome::Kind::repeated;
    outcome.origin = origin_of(facts.key, EventOrigin::real_time);
    outcome.finding = *finding;
    outcome.denied = deny;
    outcome.would_deny = !deny;
    outcome.key = facts.key;
    outcome.pid = held.pid;
    outcome.path = ports_.inspector.path(held.fd());
    ports_.sink.take(std::move(outcome));
    return true;
}

/// What an earlier process knew counts once the inode is seen to be the one that it was about.
std::optional<Finding> Gate::find_verdict(int fd, const watch::FileKey& key) {
    if (auto finding = cache_.find(key))
        return finding;
    const auto generation = cache_.restored_generation(key);
    if (!generation)
        return std::nullopt;
    if (ports_.inspector.generation(fd) != generation) {
        cache_.drop_restored(key);
        return std::nullopt;
    }
    cache_.confirm(key);
    ++statistics_.restored_hits;
    return Finding{};
}

void Gate::restore_verdicts(Restored restored) {
    if (restored.policy != policy_->generation)
        return;
    restored_ = std::move(restored);
    if (!definitions_.empty())
        take_restored();
}

/// Once, for the first engine and definitions that there are: what was said by others is nothing.
void Gate::take_restored() {
    if (restored_.definitions == definitions_ && restored_.engine == engine_version_)
        for (const CleanVerdict& verdict : restored_.verdicts)
            cache_.restore(verdict);
    restored_ = {};
}

/// New definitions must not make everybody wait for everything: what the ones before found clean is opened, and looked
/// at again behind it, so that what is used most comes first.
bool Gate::answer_from_old_verdict(HeldOpen& held, const watch::FileFacts& facts) {
    if (!definitions_changed_ || ports_.clock.monotonic() - *definitions_changed_ >= policy_->old_verdict_time ||
        !cache_.was_clean(facts.key))
        return false;
    ++statistics_.old_verdicts;
    allow(held);
    if (joinable_.contains(facts.key) || lane_of(Lane::old_verdict).size() >= limits_.queued_closes)
        return true; // on its way already, or at a later open
    auto scan = std::make_unique<Scan>();
    scan->lane = Lane::old_verdict;
    scan->key = facts.key;
    scan->stable = true;
    scan->first_pid = held.pid;
    scan->file = held.take_file();
    enqueue(std::move(scan), true);
    dispatch();
    return true;
}

watch::EventFile Gate::fail_open(HeldOpen&& held, FailureReason reason, const watch::FileKey& key) {
    ++statistics_.unscanned[static_cast<std::size_t>(reason)];
    ++(held.on_failure() == Decision::allow ? statistics_.allowed : statistics_.denied);
    held.answer(held.on_failure());
    const MonotonicTime now = ports_.clock.monotonic();
    if (now - report_window_ >= std::chrono::seconds(1)) {
        report_window_ = now;
        reported_in_window_ = 0;
    }
    if (reported_in_window_++ < kReportsPerSecond) { // every one is counted; these are the examples
        Outcome outcome;
        outcome.kind = Outcome::Kind::unscanned;
        outcome.reason = reason;
        outcome.decision = held.on_failure();
        outcome.key = key;
        outcome.pid = held.pid;
        outcome.path = ports_.inspector.path(held.fd());
        ports_.sink.take(std::move(outcome));
    }
    return held.take_file();
}

void Gate::on_close_write(watch::KernelEvent&& event) {
    ask_again(event.file.fd());
    if (own_processes_.contains(event.pid) || !policy_->real_time_active() || !engine_ready_)
        return;
    watch::FileFacts facts;
    if (!ports_.inspector.facts(event.file.fd(), facts) || !facts.regular || facts.deleted || facts.key.size == 0)
        return;
    ++statistics_.close_writes;
    if (joinable_.contains(facts.key) || is_preapproved(facts) || is_excluded(event.file.fd(), event.pid))
        return;
    auto scan = std::make_unique<Scan>();
    scan->lane = Lane::close_write;
    scan->key = facts.key;
    scan->stable = true; // looked at again before the verdict is remembered
    scan->file = std::move(event.file);
    scan->first_pid = event.pid;
    scan->owner = ports_.inspector.owner_of(event.pid);
    // A moment later its time stamps can be trusted, and the verdict is worth remembering.
    scan->not_before = ports_.clock.monotonic() + watch::timestamp_grain(kind_of(scan->file, facts)) + Milliseconds(5);
    need_wake(scan->not_before);
    if (lane_of(Lane::close_write).size() >= limits_.queued_closes) {
        (void)take_scan(lane_of(Lane::close_write).oldest_of_most());
        ++statistics_.close_writes_dropped;
    }
    enqueue(std::move(scan), true);
    dispatch();
}

void Gate::set_policy(profile::PolicySnapshot policy) {
    PICKET_CHECK(policy != nullptr);
    if (policy->generation != policy_->generation)
        forget_verdicts();
    policy_ = std::move(policy);
}

void Gate::set_host_mounts(std::shared_ptr<const std::unordered_set<int>> mount_ids) {
    host_mounts_ = std::move(mount_ids);
}

void Gate::set_preapproved(std::shared_ptr<const std::unordered_set<watch::FileKey, watch::FileKeyHash>> files) {
    preapproved_ = std::move(files);
}

void Gate::expect_selftest(std::uint64_t device, std::uint64_t inode, MonotonicTime until) {
    const MonotonicTime now = ports_.clock.monotonic();
    std::erase_if(selftests_, [&](const SelfTest& test) { return test.until < now; });
    if (selftests_.size() < 64)
        selftests_.push_back({device, inode, until});
}

EventOrigin Gate::origin_of(const watch::FileKey& key, EventOrigin otherwise) {
    const MonotonicTime now = ports_.clock.monotonic();
    const bool expected = std::any_of(selftests_.begin(), selftests_.end(), [&](const SelfTest& test) {
        return test.device == key.device && test.inode == key.inode && test.until >= now;
    });
    return expected ? EventOrigin::selftest : otherwise;
}

void Gate::need_wake(MonotonicTime when) {
    if (!wake_at_ || when < *wake_at_)
        wake_at_ = when;
}

std::optional<MonotonicTime> Gate::next_deadline() const {
    return wake_at_;
}

bool Gate::is_healthy() const {
    const MonotonicTime now = ports_.clock.monotonic();
    for (const auto& [id, scan] : scans_)
        for (const HeldOpen& held : scan->waiters)
            if (held.deadline + Milliseconds(1'000) < now)
                return false;
    return true;
}

void Gate::on_tick() {
    const MonotonicTime now = ports_.clock.monotonic();
    wake_at_.reset();
    expire_waiters(now);
    kill_overdue(now);
    dispatch();
    for (const auto& [id, scan] : scans_) {
        for (const HeldOpen& held : scan->waiters)
            need_wake(held.deadline);
        if (scan->worker == 0 && scan->not_before > now)
            need_wake(scan->not_before);
    }
}

void Gate::expire_waiters(MonotonicTime now) {
    std::vector<ScanId> unanswered_digests;
    for (auto& [id, scan] : scans_) {
        if (scan->awaiting_digest) {
            if (!scan->waiters.empty() && scan->waiters.front().deadline <= now)
                unanswered_digests.push_back(id);
            continue;
        }
        auto& waiters = scan->waiters;
        for (auto waiter = waiters.begin(); waiter != waiters.end(); ++waiter) {
            if (waiter->is_answered() || waiter->deadline > now)
                continue;
            // Was there an answer since it began, it waits for others, not for a dead engine.
            if (last_answer_ < waiter->deadline - policy_->open_deadline)
                ++deadlines_in_a_row_;
            let_go(*waiter);
            watch::EventFile file = fail_open(std::move(*waiter), FailureReason::deadline, scan->key);
            if (!scan->file)
                scan->file = std::move(file);
        }
        std::vector<HeldOpen> still_waiting;
        for (HeldOpen& waiter : waiters)
            if (!waiter.is_answered())
                still_waiting.push_back(std::move(waiter));
        waiters.swap(still_waiting);
    }
    for (const ScanId id : unanswered_digests)
        on_digest_checked(id, false); // found, and no exception known in time
    if (deadlines_in_a_row_ >= limits_.stalled_opens)
        set_stopped(true);
}

/// A file that has cost its deadline must not cost everybody else theirs: while opens wait and no worker is free, the
/// scan that is longest past its welcome loses its worker, and counts as one that the engine fails on.
void Gate::kill_overdue(MonotonicTime now) {
    const bool opens_wait = !lane_of(Lane::open).empty();
    for (auto& [worker_id, worker] : workers_) {
        if (worker.busy_with == 0)
            continue;
        const Scan& scan = *scans_.at(worker.busy_with);
        const auto running = now - scan.started;
        const bool in_the_way = opens_wait && scan.waiters.empty() && running > policy_->open_deadline;
        if (in_the_way || running > policy_->scan_time_limit + kKillGrace) {
            ports_.engine.kill_worker(worker_id);
            worker_gone(worker_id, FailureReason::engine_crashed);
            return; // the map has changed; the next tick looks again
        }
    }
}

void Gate::set_stopped(bool stopped) {
    if (stopped == engine_stopped_)
        return;
    engine_stopped_ = stopped;
    if (stopped)
        fail_everything(FailureReason::engine_stopped);
}

} // namespace picket::gate
