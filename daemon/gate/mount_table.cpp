#include "mount_table.h"

#include <sys/sysmacros.h>
#include <utility>

#include <fmt/format.h>
#include <picket/model/paths.h>
#include <picket/sys/file.h>
#include <picket/sys/mounts.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr std::chrono::seconds kProveEvery{15};
constexpr std::chrono::seconds kProveAgain{2}; ///< while one is in doubt
constexpr unsigned kMaximumMisses = 3;

} // namespace

MountTable::MountTable(watch::MountScout scout, watch::KernelTier tier, GateLoop& gate, EventLog& events,
                       const Clock& clock)
    : scout_(std::move(scout)), tier_(tier), gate_(gate), events_(events), clock_(clock) {}

void MountTable::set_policy(profile::PolicySnapshot policy) {
    const bool first = policy_ == nullptr;
    const bool marks_change = first || policy->real_time_active() != policy_->real_time_active() ||
                              policy->unmonitored_filesystems != policy_->unmonitored_filesystems ||
                              policy->mute_noexec_mounts != policy_->mute_noexec_mounts ||
                              wants_exec_events(*policy) != exec_events_;
    policy_ = std::move(policy);
    exec_events_ = wants_exec_events(*policy_);
    refresh_host_mounts();
    if (first || !marks_change)
        return;
    {
        std::lock_guard lock(mutex_);
        states_.clear();
    }
    swept_ = false;
    if (gate_.group() != nullptr)
        if (const auto flushed = gate_.flush_marks(tier_.scope); !flushed)
            log(LogLevel::error, flushed.error().message());
    (void)scout_.report_again();
}

/// They cost a second round trip: asked for only where they make a difference.
bool MountTable::wants_exec_events(const profile::Policy& policy) const {
    return tier_.exec_events && policy.exec_failure != policy.open_failure;
}

bool MountTable::on_readable() {
    for (int i = 0; i < 256; ++i) {
        auto report = scout_.next_report();
        if (!report) {
            log(LogLevel::error, report.error().message());
            return false;
        }
        if (!report->has_value())
            return true;
        apply(std::move(**report));
    }
    return true;
}

std::string MountTable::reason_to_mute(const watch::MountReport& report) const {
    if (report.host_namespace && report.mount_point == paths::kEngineTemporaryDirectory)
        return "the engine's own temporary files";
    if (!policy_->real_time_active())
        return "real-time protection is off";
    if (policy_->mute_noexec_mounts && report.noexec)
        return "nonExecMountPolicy of the profile";
    if (policy_->is_unmonitored(report.type))
        return "unmonitoredFilesystems of the profile";
    return {};
}

void MountTable::apply(watch::MountReport&& report) {
    using State = watch::MountReport::State;
    if (report.state == State::swept) {
        swept_ = true;
        if (std::exchange(host_mounts_changed_, false))
            refresh_host_mounts();
        return;
    }
    if (report.state == State::canary)
        return on_canary(report);
    const Key key = key_of(report);
    if (report.state == State::gone) {
        std::lock_guard lock(mutex_);
        states_.erase(key);
        misses_.erase(key);
        gate_.forget_filesystems();                              // its device number may come back as something else
        if (major(report.device) != 0 || report.type == "btrfs") // a medium, which may be changed elsewhere
            gate_.post([device = report.device](gate::Gate& gate, EngineLink&) { gate.forget_device(device); });
        host_mounts_changed_ = true;
        return;
    }
    FilesystemState state{report.mount_point,   report.type, report.device, FilesystemState::Status::unmarked, "",
                          report.host_namespace};
    if (std::string muted = reason_to_mute(report); !muted.empty()) {
        state.status = FilesystemState::Status::muted;
        state.reason = std::move(muted);
    } else if (report.state == State::failed) {
        state.reason = report.reason;
    } else if (watch::FanotifyGroup* const group = gate_.group_for(report.type); group == nullptr) {
        state.reason = "fanotify is not available";
    } else if (const auto marked = group->mark(report.directory.get(), {tier_.scope, exec_events_}); marked) {
        state.status =
            misses_[key] >= kMaximumMisses ? FilesystemState::Status::unproved : FilesystemState::Status::protected_;
    } else {
        state.reason = marked.error().message();
    }
    host_mounts_changed_ = true;
    const bool unmarked = state.status == FilesystemState::Status::unmarked;
    bool news = false;
    {
        std::lock_guard lock(mutex_);
        const auto before = states_.find(key);
        news = before == states_.end() || before->second.status != state.status;
        states_[key] = state;
    }
    if (unmarked && news)
        report_unwatched(state, "filesystem_unmarked");
}

void MountTable::report_unwatched(const FilesystemState& state, const char* reason) {
    gate_.post([](gate::Gate& gate, EngineLink&) { gate.forget_verdicts(); });
    Event event;
    event.type = EventType::filesystem_unmarked;
    event.reason = reason;
    event.path = state.mount_point;
    event.message = fmt::format("{} on {}: {}", state.type, state.mount_point, state.reason);
    events_.record(std::move(event));
}

void MountTable::on_tick() {
    std::vector<std::pair<Key, bool>> answers;
    {
        std::lock_guard lock(proofs_->mutex);
        answers.swap(proofs_->answers);
    }
    for (const auto& [key, seen] : answers)
        on_proof(key, seen);
    const MonotonicTime now = clock_.monotonic();
    if (!swept_ || now < next_proofs_ || !policy_->real_time_active() || gate_.group() == nullptr)
        return;
    asked_for_proofs_ = now;
    next_proofs_ = now + kProveEvery;
    (void)scout_.prove();
}

/// The open has returned, so the gate has been asked by now or never will be.
void MountTable::on_canary(const watch::MountReport& report) {
    const Key key = key_of(report);
    {
        std::lock_guard lock(mutex_);
        const auto known = states_.find(key);
        if (known == states_.end() || known->second.status == FilesystemState::Status::muted ||
            known->second.status == FilesystemState::Status::unmarked)
            return;
    }
    if (report.error == ENOENT || report.error == ESTALE)
        return; // no file to open, or no longer there: nothing is proved, and nothing refuted
    if (report.error != 0)
        return on_proof(key, false);
    gate_.post([proofs = proofs_, key, device = report.canary_device, inode = report.canary_inode,
                since = asked_for_proofs_](gate::Gate& gate, EngineLink&) {
        std::lock_guard lock(proofs->mutex);
        proofs->answers.emplace_back(key, gate.is_canary_seen(device, inode, since));
    });
}

void MountTable::on_proof(const Key& key, bool seen) {
    unsigned& misses = misses_[key];
    const bool was_unproved = misses >= kMaximumMisses;
    misses = seen ? 0 : misses + 1;
    if (misses > 0)
        next_proofs_ = std::min(next_proofs_, clock_.monotonic() + kProveAgain);
    const bool is_unproved = misses >= kMaximumMisses;
    if (was_unproved == is_unproved)
        return;
    FilesystemState state;
    {
        std::lock_guard lock(mutex_);
        const auto known = states_.find(key);
        if (known == states_.end())
            return;
        known->second.status = is_unproved ? FilesystemState::Status::unproved : FilesystemState::Status::protected_;
        known->second.reason = is_unproved ? "an open of it did not reach the gate" : "";
        state = known->second;
    }
    if (!is_unproved)
        return;
    report_unwatched(state, "protection_unproved");
    (void)scout_.report_again(); // whatever took the mark away: it is set again
}

MountTable::Key MountTable::key_of(const watch::MountReport& report) const {
    return {report.device, tier_.scope == watch::MarkScope::mount ? report.mount_namespace : 0, report.mount_id};
}

/// Exclusions by path are believed only on mounts of the host's own namespace.
void MountTable::refresh_host_mounts() {
    const auto text = sys::read_kernel_file("/proc/self/mountinfo", mebibytes(16));
    auto ids = std::make_shared<std::unordered_set<int>>();
    if (text)
        for (const sys::Mount& mount : sys::parse_mountinfo(*text))
            ids->insert(mount.id);
    gate_.post([ids](gate::Gate& gate, EngineLink&) { gate.set_host_mounts(ids); });
}

std::vector<FilesystemState> MountTable::states() const {
    std::lock_guard lock(mutex_);
    std::vector<FilesystemState> states;
    for (const auto& [key, state] : states_)
        states.push_back(state);
    return states;
}

} // namespace picket::daemon
