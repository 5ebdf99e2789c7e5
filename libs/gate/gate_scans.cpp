#include <picket/gate/gate.h>

#include <algorithm>

#include "gate_scan.h"

namespace picket::gate {

bool Gate::has_room_for(uid_t owner) const {
    const auto own = held_by_.find(owner);
    return held_count_ < limits_.held_opens && (own == held_by_.end() || own->second < limits_.held_opens_of_one);
}

void Gate::hold(const HeldOpen& held) {
    ++held_count_;
    ++held_by_[held.owner];
}

void Gate::let_go(const HeldOpen& held) {
    --held_count_;
    const auto own = held_by_.find(held.owner);
    if (--own->second == 0)
        held_by_.erase(own);
}

void Gate::join_or_enqueue(HeldOpen&& held, const watch::FileFacts& facts, bool stable) {
    hold(held);
    need_wake(held.deadline);
    // An unstable file may be joined only while nobody has begun to read it.
    const auto known = joinable_.find(facts.key);
    if (known != joinable_.end()) {
        Scan& scan = *scans_.at(known->second);
        if (scan.worker == 0 || (stable && scan.stable)) {
            ++statistics_.joined;
            const uid_t owner = held.owner;
            scan.waiters.push_back(std::move(held));
            if (scan.worker != 0)
                return;
            FairQueue& opens = lane_of(Lane::open);
            const bool is_awaited = scan.lane == Lane::open;
            if (!is_awaited || opens.size_of(owner) < opens.size_of(scan.owner)) { // it is his turn earlier
                lane_of(scan.lane).erase(scan.owner, scan.id);
                scan.lane = Lane::open;
                scan.owner = owner;
                scan.not_before = {};
                opens.push_back(owner, scan.id);
            }
            return;
        }
    }
    auto scan = std::make_unique<Scan>();
    scan->lane = Lane::open;
    scan->key = facts.key;
    scan->stable = stable;
    scan->first_pid = held.pid;
    scan->owner = held.owner;
    scan->waiters.push_back(std::move(held));
    enqueue(std::move(scan), known == joinable_.end());
}

void Gate::enqueue(std::unique_ptr<Scan> scan, bool joinable) {
    scan->id = next_scan_id_++;
    scan->joinable = joinable;
    if (joinable)
        joinable_[scan->key] = scan->id;
    lane_of(scan->lane).push_back(scan->owner, scan->id);
    scans_.emplace(scan->id, std::move(scan));
}

/// Out of every table but the workers'.
std::unique_ptr<Gate::Scan> Gate::take_scan(ScanId id) {
    const auto found = scans_.find(id);
    PICKET_CHECK(found != scans_.end());
    std::unique_ptr<Scan> scan = std::move(found->second);
    scans_.erase(found);
    if (scan->joinable)
        joinable_.erase(scan->key);
    if (scan->worker == 0 && !scan->awaiting_digest)
        lane_of(scan->lane).erase(scan->owner, id);
    return scan;
}

/// One worker is kept from what never ends by itself (background) and one from what may wait for us: a server may open
/// a file, whose scan somebody must do, before it answers the worker that reads from it.
Gate::Scan* Gate::next_scan() {
    const std::size_t share = workers_.size() > 1 ? workers_.size() - 1 : 1;
    const bool background_allowed =
        running_background_ < std::min<std::size_t>(share, policy_->maximum_on_demand_scan_threads);
    const bool put_away_allowed = running_put_away_ < share;
    const MonotonicTime now = ports_.clock.monotonic();
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        if (is_background(static_cast<Lane>(lane)) && !background_allowed)
            continue;
        const auto may_go = [&](ScanId id) {
            const Scan& scan = *scans_.at(id);
            return scan.not_before <= now && (put_away_allowed || !scan.opened().is_put_away());
        };
        if (const auto id = lanes_[lane].take(may_go))
            return scans_.at(*id).get();
    }
    return nullptr;
}

void Gate::dispatch() {
    if (!engine_ready_)
        return;
    for (auto worker = workers_.begin(); worker != workers_.end();) {
        const auto current = worker++; // a worker that fails is erased
        if (current->second.busy_with != 0)
            continue;
        Scan* const scan = next_scan();
        if (scan == nullptr)
            return;
        if (!send_to(current->first, *scan)) {
            lane_of(scan->lane).push_front(scan->owner, scan->id);
            workers_.erase(current);
        }
    }
}

bool Gate::send_to(WorkerId worker, Scan& scan) {
    scan::ScanRequest request;
    request.id = scan.id;
    request.flags = scan::kScanHeuristics;
    if (policy_->scan_archives)
        request.flags |= scan::kScanArchives;
    if (scan.job.low_priority)
        request.flags |= scan::kScanLowPriority;
    if (policy_->potentially_unwanted != profile::ThreatAction::off)
        request.flags |= scan::kScanPotentiallyUnwanted;
    if (scan.opened().is_put_away())
        request.flags |= scan::kScanPutAway;
    request.time_limit_ms = static_cast<std::uint32_t>(policy_->scan_time_limit.count());
    if (!ports_.engine.submit(worker, request, scan.opened().to_hand_on()))
        return false;
    ++statistics_.scans;
    scan.worker = worker;
    scan.started = ports_.clock.monotonic();
    workers_.at(worker).busy_with = scan.id;
    if (is_background(scan.lane))
        ++running_background_;
    scan.runs_put_away = scan.opened().is_put_away();
    if (scan.runs_put_away)
        ++running_put_away_;
    return true;
}

void Gate::note_off_worker(const Scan& scan) {
    if (is_background(scan.lane))
        --running_background_;
    if (scan.runs_put_away)
        --running_put_away_;
}

void Gate::on_engine_ready(const std::string& definitions, const std::string& version) {
    if (!engine_ready_) {
        Outcome outcome;
        outcome.kind = Outcome::Kind::engine_connected;
        outcome.origin = EventOrigin::system;
        outcome.message = "ready with definitions " + definitions;
        ports_.sink.take(std::move(outcome));
    }
    engine_ready_ = true;
    engine_silent_ = false;
    deadlines_in_a_row_ = 0;
    set_stopped(false);
    if (definitions != definitions_ || version != engine_version_) {
        definitions_ = definitions;
        engine_version_ = version;
        definitions_changed_ = ports_.clock.monotonic();
        cache_.age();
        take_restored();
        ask_about_everything();
        crashes_.clear();
    }
    dispatch();
}

void Gate::on_engine_lost(const std::string& why) {
    deadlines_in_a_row_ = 0; // the next one is not to answer for this one
    engine_silent_ = false;
    engine_stopped_ = false;
    if (!engine_ready_ && workers_.empty())
        return;
    engine_ready_ = false;
    std::vector<WorkerId> gone;
    for (const auto& [id, worker] : workers_)
        gone.push_back(id);
    fail_everything(FailureReason::no_engine);
    for (const WorkerId id : gone)
        workers_.erase(id);
    running_background_ = 0;
    running_put_away_ = 0;
    Outcome outcome;
    outcome.kind = Outcome::Kind::engine_lost;
    outcome.origin = EventOrigin::system;
    outcome.message = why;
    ports_.sink.take(std::move(outcome));
}

void Gate::on_engine_alive() {
    engine_silent_ = false;
    if (deadlines_in_a_row_ < limits_.stalled_opens)
        set_stopped(false);
}

void Gate::on_engine_silent() {
    engine_silent_ = true;
    set_stopped(true);
}

void Gate::on_worker_ready(WorkerId worker, const std::string& definitions) {
    workers_[worker] = Worker{0, definitions};
    if (!engine_silent_) { // a new worker is a way out of "every worker is stuck"
        deadlines_in_a_row_ = 0;
        set_stopped(false);
    }
    dispatch();
}

void Gate::on_worker_reply(WorkerId worker, const scan::ScanReply& reply) {
    const auto found = workers_.find(worker);
    if (found == workers_.end())
        return;
    const ScanId id = found->second.busy_with;
    if (id == 0 || id != reply.id) { // an engine that answers what it was not asked is not to be trusted
        ports_.engine.kill_worker(worker);
        worker_gone(worker, FailureReason::engine_error);
        return;
    }
    found->second.busy_with = 0;
    deadlines_in_a_row_ = 0;
    last_answer_ = ports_.clock.monotonic();
    set_stopped(engine_silent_);
    const Finding finding{reply.verdict, reply.threat_name};
    Scan& scan = *scans_.at(id);
    note_off_worker(scan);
    note_duration(scan);
    scan.definitions = found->second.definitions;
    remember(scan, finding, scan.definitions);
    conclude(id, finding);
    dispatch();
}

void Gate::note_duration(const Scan& scan) {
    const auto took = std::chrono::duration_cast<Milliseconds>(ports_.clock.monotonic() - scan.started);
    if (activity_.is_slow(took))
        activity_.note_slow({ports_.inspector.path(scan.fd()), took, scan.key.size});
}

void Gate::remember(Scan& scan, const Finding& finding, const std::string& definitions) {
    watch::FileFacts facts;
    if (definitions != definitions_ || !scan.stable || !ports_.inspector.facts(scan.fd(), facts) ||
        facts.key != scan.key)
        return;
    if (!is_stable(scan.opened(), facts)) // somebody came to write while it was read
        return;
    cache_.store(scan.key, finding, ports_.inspector.generation(scan.fd()));
    scan.remembered = finding.verdict == Verdict::clean;
}

bool Gate::blocks(const Finding& finding) const {
    return policy_->enforcement_level == profile::EnforcementLevel::real_time && would_block(finding);
}

bool Gate::would_block(const Finding& finding) const {
    switch (finding.verdict) {
    case Verdict::malicious:
        return true;
    case Verdict::potentially_unwanted:
        return policy_->potentially_unwanted == profile::ThreatAction::block;
    case Verdict::limit_exceeded:
        return policy_->archive_bomb == profile::ThreatAction::block;
    default:
        return false;
    }
}

bool Gate::reports(const Finding& finding) const {
    switch (finding.verdict) {
    case Verdict::malicious:
        return true;
    case Verdict::potentially_unwanted:
        return policy_->potentially_unwanted != profile::ThreatAction::off;
    case Verdict::limit_exceeded:
        return policy_->archive_bomb == profile::ThreatAction::block;
    default:
        return false;
    }
}

void Gate::conclude(ScanId id, const Finding& finding) {
    Scan& scan = *scans_.at(id);
    if (finding.verdict == Verdict::engine_error)
        return fail_scan(id, FailureReason::engine_error);
    if (finding.verdict == Verdict::unreadable)
        return fail_scan(id, FailureReason::unreadable);
    if (!reports(finding)) {
        const auto taken = take_scan(id);
        answer_waiters(*taken, Decision::allow);
        watch::FileFacts facts;
        if (taken->remembered && ports_.inspector.facts(taken->fd(), facts) && facts.key == taken->key)
            stop_asking(taken->fd(), facts);
        const bool ignored = finding.verdict == Verdict::potentially_unwanted; // switched off
        finish_job(*taken, ignored ? Finding{} : finding);
        return;
    }
    const bool is_selftest = origin_of(scan.key, EventOrigin::real_time) == EventOrigin::selftest;
    if (has_allowances_ && !scan.waiters.empty() && !is_selftest) {
        watch::EventFile copy = scan.opened().duplicate();
        scan.finding = finding;
        scan.awaiting_digest = true;
        if (copy && ports_.sink.check_digest(id, std::move(copy)))
            return;
        scan.awaiting_digest = false;
    }
    conclude_threat(take_scan(id), finding, false);
}

void Gate::on_digest_checked(std::uint64_t scan, bool allowed) {
    const auto found = scans_.find(scan);
    if (found == scans_.end() || !found->second->awaiting_digest)
        return;
    const Finding finding = found->second->finding;
    auto taken = take_scan(scan);
    conclude_threat(std::move(taken), finding, allowed);
}

void Gate::conclude_threat(std::unique_ptr<Scan> scan, const Finding& finding, bool allowed_by_digest) {
    const bool allowed = allowed_by_digest || policy_->is_allowed_threat(finding.threat_name);
    const bool refuse = blocks(finding) && !allowed;
    Outcome outcome;
    outcome.denied = refuse && !scan->waiters.empty();
    outcome.would_deny = is_audit() && would_block(finding) && !allowed && !scan->waiters.empty();
    if (outcome.would_deny)
        statistics_.would_have_denied += scan->waiters.size();
    answer_waiters(*scan, refuse ? Decision::deny : Decision::allow); // first of all; everything else can wait
    outcome.path = ports_.inspector.path(scan->fd());
    outcome.kind = Outcome::Kind::detection;
    const EventOrigin lane_origin = scan->lane == Lane::job           ? scan->job.origin
                                    : scan->lane == Lane::close_write ? EventOrigin::close_write
                                                                      : EventOrigin::real_time;
    outcome.origin = origin_of(scan->key, lane_origin);
    outcome.finding = finding;
    outcome.definitions = std::move(scan->definitions);
    outcome.allowed = allowed;
    outcome.key = scan->key;
    outcome.pid = scan->first_pid;
    outcome.scan_job = scan->lane == Lane::job ? scan->job.id : 0;
    const bool level_acts =
        policy_->enforcement_level == profile::EnforcementLevel::real_time ||
        (scan->lane == Lane::job && policy_->enforcement_level == profile::EnforcementLevel::on_demand);
    outcome.act = level_acts && policy_->quarantine && !allowed && finding.verdict != Verdict::limit_exceeded &&
                  (finding.verdict != Verdict::potentially_unwanted ||
                   policy_->potentially_unwanted == profile::ThreatAction::block);
    if (outcome.path.empty())
        outcome.path = scan->job.path;
    const bool report_only = scan->lane == Lane::job && scan->job.report_only;
    watch::FileFacts facts;
    // Taken away since it was written (by us, as a rule): there is nothing left to block or to move.
    const bool is_gone = scan->lane == Lane::close_write && ports_.inspector.facts(scan->fd(), facts) && facts.deleted;
    finish_job(*scan, finding);
    outcome.file = std::move(scan->file);
    if (!report_only && !is_gone)
        ports_.sink.take(std::move(outcome));
}

void Gate::answer_waiters(Scan& scan, Decision decision) {
    for (HeldOpen& held : scan.waiters) {
        let_go(held);
        ++(decision == Decision::allow ? statistics_.allowed : statistics_.denied);
        held.answer(decision);
        if (!scan.file)
            scan.file = held.take_file();
    }
    scan.waiters.clear();
}

void Gate::finish_job(Scan& scan, const Finding& finding) {
    if (scan.lane != Lane::job || !scan.job.done)
        return;
    scan.job.done({scan.job.id, finding, scan.key.size, scan.job.path});
    scan.job.done = nullptr;
}

void Gate::fail_scan(ScanId id, FailureReason reason) {
    auto scan = take_scan(id);
    for (HeldOpen& held : scan->waiters) {
        let_go(held);
        (void)fail_open(std::move(held), reason, scan->key);
    }
    scan->waiters.clear();
    finish_job(*scan, Finding{reason == FailureReason::unreadable ? Verdict::unreadable : Verdict::engine_error, ""});
}

void Gate::fail_everything(FailureReason reason) {
    std::vector<ScanId> ids;
    for (const auto& [id, scan] : scans_)
        if (!scan->awaiting_digest)
            ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    for (const ScanId id : ids) {
        Scan& scan = *scans_.at(id);
        if (reason == FailureReason::engine_stopped) { // it may yet answer: only those who wait are let go
            for (HeldOpen& held : scan.waiters) {
                let_go(held);
                watch::EventFile file = fail_open(std::move(held), reason, scan.key);
                if (!scan.file)
                    scan.file = std::move(file);
            }
            scan.waiters.clear();
        } else {
            fail_scan(id, reason);
        }
    }
}

void Gate::on_worker_lost(WorkerId worker) {
    worker_gone(worker, FailureReason::engine_crashed);
}

void Gate::worker_gone(WorkerId worker, FailureReason reason) {
    const auto found = workers_.find(worker);
    if (found == workers_.end())
        return;
    const ScanId id = found->second.busy_with;
    workers_.erase(found);
    if (id == 0)
        return; // it had done its share
    Outcome outcome;
    outcome.kind = Outcome::Kind::worker_lost;
    outcome.origin = EventOrigin::system;
    outcome.reason = reason;
    outcome.path = ports_.inspector.path(scans_.at(id)->fd());
    ports_.sink.take(std::move(outcome));
    requeue_or_fail(id, reason);
    dispatch();
}

void Gate::requeue_or_fail(ScanId id, FailureReason reason) {
    Scan& scan = *scans_.at(id);
    note_off_worker(scan);
    if (crashes_.size() > 10'000)
        crashes_.clear();
    if (++crashes_[scan.key] >= limits_.crashes_per_file)
        return fail_scan(id, reason);
    scan.worker = 0;
    if (scan.lane == Lane::open && scan.waiters.empty())
        scan.lane = Lane::close_write; // nobody waits for it any more
    lane_of(scan.lane).push_front(scan.owner, id);
}

bool Gate::submit_job(ScanJob&& job) {
    PICKET_CHECK(job.id != 0 && job.file && job.done);
    if (lane_of(Lane::job).size() >= limits_.queued_jobs)
        return false;
    watch::FileFacts facts;
    const bool readable = ports_.inspector.facts(job.file.fd(), facts);
    if (!readable || !facts.regular || facts.key.size == 0 || !engine_ready_) {
        const Verdict verdict = !readable                         ? Verdict::unreadable
                                : !engine_ready_ && facts.regular ? Verdict::engine_error
                                                                  : Verdict::clean;
        auto done = std::move(job.done);
        done({job.id, {verdict, ""}, 0, job.path});
        return true;
    }
    auto scan = std::make_unique<Scan>();
    scan->lane = Lane::job;
    scan->key = facts.key;
    scan->stable = is_stable(job.file, facts);
    scan->file = std::move(job.file);
    scan->job = std::move(job);
    if (scan->stable)
        if (const auto finding = find_verdict(scan->fd(), scan->key); finding && finding->verdict == Verdict::clean) {
            ++statistics_.cache_hits;
            finish_job(*scan, *finding);
            return true;
        }
    enqueue(std::move(scan), false);
    dispatch();
    return true;
}

} // namespace picket::gate
