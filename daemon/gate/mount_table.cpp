#include "mount_table.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <sys/sysmacros.h>
#include <utility>

#include <fmt/format.h>
#include <picket/ipc/record.h>
#include <picket/model/paths.h>
#include <picket/sys/mounts.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr std::chrono::seconds kProveEvery{15};
constexpr std::chrono::seconds kProveAgain{2}; ///< while one is in doubt
constexpr unsigned kMaximumMisses = 3;
constexpr Milliseconds kMarkWithin{500}; ///< then it is looked at again every second
constexpr std::chrono::seconds kMarkAgain{30};
constexpr std::chrono::seconds kLookAgain{5};
constexpr std::int64_t kEnded = -1;       ///< no keeper's state
constexpr unsigned kLeastWithServers = 2; ///< workers: a server may open a file before it answers who reads from it
constexpr std::size_t kShared = 2;        ///< keepers that are not for one file system
constexpr const char* kNotYet = "its server has not answered yet";

/// What the kernel opens behind an open of theirs is watched as well (keeper.h).
constexpr std::array kStacked{"overlay", "ecryptfs", "aufs"};
bool is_one_of(const auto& types, std::string_view type) {
    return std::any_of(types.begin(), types.end(), [&](const char* each) { return type.starts_with(each); });
}

void set_marked(FilesystemState& state, bool is_unproved) {
    state.status = is_unproved ? FilesystemState::Status::unproved : FilesystemState::Status::protected_;
    state.reason = is_unproved ? "an open of it did not reach the gate" : "";
}

} // namespace

const MountTable::Key MountTable::kOverlays{0, 0, -1};
const MountTable::Key MountTable::kRest{0, 0, -2};

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
        if (const auto flushed = gate_.group()->flush(tier_.scope); !flushed)
            log(LogLevel::error, flushed.error().message());
    watch::KeeperOrder order;
    order.drop_marks = true;
    order.scope = tier_.scope;
    for (auto& [name, keeper] : keepers_)
        if (ipc::send_record(keeper.process.orders.get(), order))
            keeper.awaited.push_back(kRest);
    (void)scout_.report_again();
}

/// They cost a second round trip: asked for only where they make a difference.
bool MountTable::wants_exec_events(const profile::Policy& policy) const {
    return tier_.exec_events && policy.exec_failure != policy.open_failure;
}

bool MountTable::on_readable() {
    patience_ = kMarkWithin;
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
        keeper_of_.erase(key);
        hung_.erase(key);
        end_keeper(key);
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
    } else if (const Marked marked = mark(key, report); marked && marked->empty()) {
        set_marked(state, misses_[key] >= kMaximumMisses);
    } else if (!marked && is_marked(key)) {
        return; // as it was, until its keeper says more or is seen to hang
    } else {
        state.reason = marked.value_or(kNotYet);
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

MountTable::Marked MountTable::mark(const Key& key, const watch::MountReport& report) {
    if (gate_.group() == nullptr)
        return "fanotify is not available";
    const bool is_stacked = is_one_of(kStacked, report.type);
    // Of those that the host does not see anybody can have made one, above a server of his.
    const bool put_away = sys::is_remote_filesystem(report.type) || (is_stacked && !report.host_namespace);
    if (put_away || is_stacked)
        return mark_by_keeper(key, report, put_away);
    const auto marked = gate_.group()->mark(report.directory.get(), {tier_.scope, exec_events_});
    return marked ? "" : marked.error().message();
}

MountTable::Marked MountTable::mark_by_keeper(const Key& key, const watch::MountReport& report, bool put_away) {
    if (const auto hung = hung_.find(key); hung != hung_.end()) {
        // Where the last keeper still hangs, another would only hang beside it.
        if (clock_.monotonic() < hung->second.until || *hung->second.state == hung->second.since) {
            mark_again_at_ = std::max(hung->second.until, clock_.monotonic() + kLookAgain);
            return hung->second.why;
        }
    }
    const auto keeper = keeper_for(key, put_away);
    if (!keeper)
        return keeper.error().message();
    watch::KeeperOrder order;
    order.scope = tier_.scope;
    order.exec_events = exec_events_;
    order.put_away = put_away;
    if (const auto sent = ipc::send_record((*keeper)->process.orders.get(), order, {report.directory.get()}); !sent)
        return sent.error().message();
    (*keeper)->awaited.push_back(key);
    const MonotonicTime before = clock_.monotonic();
    Marked marked = take_answer(**keeper, key, patience_);
    const auto waited = std::chrono::duration_cast<Milliseconds>(clock_.monotonic() - before);
    patience_ = std::max(Milliseconds(0), patience_ - waited);
    return marked;
}

Result<MountTable::Keeper*> MountTable::keeper_for(const Key& key, bool put_away) {
    const bool has_room = keepers_.size() + kShared < watch::MountScout::kMaximumKeepers;
    const Key name = !put_away ? kOverlays : (keepers_.contains(key) || has_room ? key : kRest);
    keeper_of_[key] = name;
    if (const auto known = keepers_.find(name); known != keepers_.end())
        return &known->second;
    watch::MountScout::Keeper process = PICKET_TRY(scout_.start_keeper());
    gate_.add_keeper(std::move(process.events), process.state, put_away ? kLeastWithServers : 0,
                     [lost = lost_, name, slot = process.slot](const std::string& why) {
                         std::lock_guard lock(lost->mutex);
                         lost->keepers.emplace_back(name, slot, why);
                     });
    return &keepers_.emplace(name, Keeper{std::move(process), {}}).first->second;
}

/// Answers come in the order of the orders. What becomes of this one, as far as it is known within that time; what
/// comes for others meanwhile is for them.
std::optional<std::string> MountTable::take_answer(Keeper& keeper, const Key& key, Milliseconds within) {
    const MonotonicTime until = clock_.monotonic() + within;
    std::optional<std::string> mine;
    while (!keeper.awaited.empty() && !mine) {
        const auto left = std::chrono::duration_cast<Milliseconds>(until - clock_.monotonic()).count();
        (void)ipc::wait_readable(keeper.process.orders.get(), static_cast<int>(std::max<std::int64_t>(0, left)));
        const auto message = ipc::receive_message(keeper.process.orders.get());
        if (!message && message.error().errno_value() == EAGAIN)
            break;
        const auto answer = message ? ipc::record_of<watch::KeeperAnswer>(message->content) : std::nullopt;
        const int error = answer ? answer->error : ECONNRESET; // gone: what it kept is lost, which is said elsewhere
        const Key answered = keeper.awaited.front();
        keeper.awaited.pop_front();
        const std::string why = error == 0 ? "" : std::string("fanotify_mark: ") + std::strerror(error);
        if (answered == key) {
            mine = why;
            continue;
        }
        std::lock_guard lock(mutex_);
        const auto known = states_.find(answered);
        if (known == states_.end() || known->second.status == FilesystemState::Status::muted)
            continue;
        known->second.status = FilesystemState::Status::unmarked;
        known->second.reason = why;
        if (why.empty())
            set_marked(known->second, misses_[answered] >= kMaximumMisses);
    }
    return mine;
}

bool MountTable::is_marked(const Key& key) const {
    std::lock_guard lock(mutex_);
    const auto known = states_.find(key);
    return known != states_.end() && (known->second.status == FilesystemState::Status::protected_ ||
                                      known->second.status == FilesystemState::Status::unproved);
}

void MountTable::take_late_answers() {
    for (auto& [name, keeper] : keepers_)
        (void)take_answer(keeper, kOverlays, Milliseconds(0));
}

void MountTable::end_keeper(const Key& name) {
    const auto found = keepers_.find(name);
    if (found == keepers_.end())
        return;
    scout_.end_keeper(found->second.process.slot);
    keepers_.erase(found);
}

void MountTable::take_lost_keepers() {
    std::vector<std::tuple<Key, std::size_t, std::string>> lost;
    {
        std::lock_guard lock(lost_->mutex);
        lost.swap(lost_->keepers);
    }
    for (const auto& [name, slot, why] : lost)
        if (const auto known = keepers_.find(name); known != keepers_.end() && known->second.process.slot == slot)
            on_lost(name, why);
}

/// Nothing stands still for a server that does: its files are opened unasked until it answers again.
void MountTable::on_lost(const Key& name, const std::string& why) {
    const watch::KeeperState* const last = keepers_.at(name).process.state;
    const std::int64_t since = *last;
    end_keeper(name);
    const MonotonicTime until = clock_.monotonic() + kMarkAgain;
    std::vector<FilesystemState> unwatched;
    {
        std::lock_guard lock(mutex_);
        for (auto& [key, state] : states_) {
            const auto keeper = keeper_of_.find(key);
            if (keeper == keeper_of_.end() || keeper->second != name || state.status == FilesystemState::Status::muted)
                continue;
            state.status = FilesystemState::Status::unmarked;
            state.reason = why;
            hung_[key] = {until, why, last, since == 0 ? kEnded : since};
            unwatched.push_back(state);
        }
    }
    for (const FilesystemState& state : unwatched)
        report_unwatched(state, "filesystem_unmarked");
    mark_again_at_ = until;
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
    take_late_answers();
    take_lost_keepers();
    if (mark_again_at_ && clock_.monotonic() >= *mark_again_at_) {
        mark_again_at_.reset();
        (void)scout_.report_again();
    }
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
        set_marked(known->second, is_unproved);
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
    auto ids = std::make_shared<std::unordered_set<int>>();
    for (const sys::Mount& mount : sys::mounts_now())
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
