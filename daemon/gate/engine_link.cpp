#include "engine_link.h"

#include <picket/ipc/record.h>

namespace picket::daemon {
namespace {

constexpr Milliseconds kPingEvery{500};
constexpr Milliseconds kSilence{2'000};
constexpr Milliseconds kKillAfter{1'000}; ///< of silence being noticed
constexpr Milliseconds kGreetWithin{5'000};

template <typename Record>
std::optional<Record> valid_record_of(const std::string& content) {
    const auto record = ipc::record_of<Record>(content);
    return record && scan::is_valid(*record) ? record : std::nullopt;
}

} // namespace

EngineLink::EngineLink(UniqueFd listening, uid_t engine_uid, const Clock& clock, Watch watch)
    : listening_(std::move(listening)), engine_uid_(engine_uid), clock_(clock), watch_(std::move(watch)) {}

void EngineLink::on_listening_readable() {
    for (;;) {
        auto accepted = ipc::accept_one(listening_.get());
        if (!accepted)
            return;
        ipc::FileSocket connection(std::move(*accepted)); // whoever that is may have sent files
        const auto peer = ipc::peer_of(connection.get());
        if (!peer || peer->uid != engine_uid_ || connections_.size() >= kMaximumConnections)
            continue; // it is not our engine
        const int fd = connection.get();
        watch_(fd, true);
        connections_[fd] =
            Connection{std::move(connection), peer->pid, false, scan::ConnectionRole::control, 0, clock_.monotonic()};
    }
}

bool EngineLink::on_readable(int fd) {
    if (!connections_.contains(fd))
        return false;
    for (;;) {
        const auto found = connections_.find(fd);
        if (found == connections_.end())
            return true;
        const auto message = ipc::receive_content(fd, kibibytes(1));
        if (!message) {
            if (message.error().errno_value() != EAGAIN)
                close(fd);
            return true;
        }
        Connection& connection = found->second;
        bool good = false;
        if (!connection.greeted)
            good = greet(connection, *message);
        else if (connection.role == scan::ConnectionRole::control)
            good = on_status(*message);
        else
            good = on_reply(fd, *message);
        if (!good) {
            close(fd);
            return true;
        }
    }
}

bool EngineLink::greet(Connection& connection, const std::string& content) {
    const auto hello = valid_record_of<scan::EngineHello>(content);
    if (!hello)
        return false;
    connection.greeted = true;
    connection.role = hello->role;
    connection.worker_pid = static_cast<pid_t>(hello->worker_pid);
    state_.engine_version = hello->engine_version;
    unanswered_since_ = {};
    if (hello->role == scan::ConnectionRole::worker) {
        if (control_ < 0)
            return false;
        if (std::string_view(hello->definitions) == state_.definitions)
            state_.signatures = hello->signature_count;
        state_.sandbox = EngineState::Sandbox{hello->seccomp != 0, hello->landlock_abi};
        gate_->on_worker_ready(static_cast<gate::WorkerId>(connection.fd.get()), hello->definitions);
        return true;
    }
    if (control_ >= 0)
        close(control_); // the newer one counts: the older tree is dying
    control_ = connection.fd.get();
    state_.status = EngineState::Status::loading;
    silent_since_ = {};
    if (wanted_workers_ > 0)
        command(scan::EngineCommandKind::set_workers, workers_to_ask_for());
    return command(scan::EngineCommandKind::ping);
}

bool EngineLink::on_status(const std::string& content) {
    const auto status = valid_record_of<scan::EngineStatus>(content);
    if (!status)
        return false;
    unanswered_since_ = {};
    silent_since_ = {};
    state_.workers_killed = status->workers_killed;
    state_.workers_crashed = status->workers_crashed;
    state_.message = status->message;
    state_.reload_failed = status->state == scan::LoadState::reload_failed;
    gate_->on_engine_alive();
    switch (status->state) {
    case scan::LoadState::ready:
    case scan::LoadState::reload_failed:
        if (state_.status != EngineState::Status::ready || state_.definitions != status->definitions) {
            state_.status = EngineState::Status::ready;
            state_.definitions = status->definitions;
            gate_->on_engine_ready(state_.definitions, state_.engine_version);
        }
        break;
    case scan::LoadState::loading:
        if (state_.status != EngineState::Status::ready)
            state_.status = EngineState::Status::loading;
        break;
    case scan::LoadState::failed:
        if (state_.status == EngineState::Status::ready)
            gate_->on_engine_lost(state_.message);
        state_.status = EngineState::Status::failed;
        state_.definitions.clear();
        break;
    }
    if (status->sequence != 0 && status->sequence == trial_sequence_)
        end_trial(state_.message, true);
    return true;
}

bool EngineLink::on_reply(int fd, const std::string& content) {
    const auto reply = valid_record_of<scan::ScanReply>(content);
    if (!reply)
        return false;
    unanswered_since_ = {};
    gate_->on_worker_reply(static_cast<gate::WorkerId>(fd), *reply);
    return true;
}

void EngineLink::close(int fd) {
    const auto found = connections_.find(fd);
    if (found == connections_.end())
        return;
    Connection connection = std::move(found->second);
    connections_.erase(found);
    watch_(fd, false);
    if (!connection.greeted)
        return;
    if (connection.role == scan::ConnectionRole::worker) {
        gate_->on_worker_lost(static_cast<gate::WorkerId>(fd));
        return;
    }
    if (fd != control_)
        return;
    control_ = -1;
    const EngineState old = std::exchange(state_, EngineState{});
    state_.message = "the engine's connection closed";
    state_.engine_version = old.engine_version;
    silent_since_ = {};
    end_trial(state_.message, false);
    gate_->on_engine_lost(state_.message);
    // Its workers die with it. Who is not greeted yet, or is greeted just now, may be the next engine's.
    std::erase_if(connections_, [this](const auto& each) {
        const bool is_its = each.second.greeted && each.second.role == scan::ConnectionRole::worker;
        if (is_its)
            watch_(each.first, false);
        return is_its;
    });
}

void EngineLink::on_tick() {
    const MonotonicTime now = clock_.monotonic();
    for (auto connection = connections_.begin(); connection != connections_.end();) {
        const auto current = connection++;
        if (!current->second.greeted && now - current->second.since > kGreetWithin) {
            close(current->first);
            break; // the map has changed; the next tick looks again
        }
    }
    state_.workers = gate_->worker_count();
    if (control_ < 0)
        return;
    // From the question on: how long this thread itself was away is no sign of the engine.
    if (unanswered_since_ != MonotonicTime{} && now - unanswered_since_ > kSilence) {
        if (silent_since_ == MonotonicTime{})
            silent_since_ = now;
        gate_->on_engine_silent();
    }
    if (now - last_sent_ >= kPingEvery)
        command(scan::EngineCommandKind::ping);
}

pid_t EngineLink::stuck_engine() const {
    const auto control = connections_.find(control_);
    if (control == connections_.end())
        return 0;
    const bool silent = silent_since_ != MonotonicTime{} && clock_.monotonic() - silent_since_ > kKillAfter;
    // Workers that answer nobody, or none at all, while the supervisor still talks: the zygote hangs.
    return silent || gate_->engine_stopped() ? control->second.peer : 0;
}

bool EngineLink::command(scan::EngineCommandKind kind, std::uint32_t value) {
    if (control_ < 0)
        return false;
    scan::EngineCommand record;
    record.kind = kind;
    record.value = value;
    record.sequence = ++sequence_;
    last_sent_ = clock_.monotonic();
    if (unanswered_since_ == MonotonicTime{})
        unanswered_since_ = last_sent_;
    return ipc::send_record(control_, record).has_value();
}

void EngineLink::set_wanted_workers(unsigned workers) {
    if (workers == wanted_workers_)
        return;
    wanted_workers_ = workers;
    command(scan::EngineCommandKind::set_workers, workers_to_ask_for());
}

void EngineLink::set_least_workers(unsigned workers) {
    const unsigned before = workers_to_ask_for();
    least_workers_ = workers;
    if (workers_to_ask_for() != before)
        command(scan::EngineCommandKind::set_workers, workers_to_ask_for());
}

/// 0: as many as the engine takes by itself, which are two at least.
unsigned EngineLink::workers_to_ask_for() const {
    return wanted_workers_ == 0 ? 0 : std::max(wanted_workers_, least_workers_);
}

void EngineLink::request_reload() {
    command(scan::EngineCommandKind::reload);
}

void EngineLink::try_candidate(TrialDone done) {
    end_trial("another trial was begun", false);
    trial_done_ = std::move(done);
    if (command(scan::EngineCommandKind::try_candidate))
        trial_sequence_ = sequence_;
    else
        end_trial("no engine is connected", false);
}

void EngineLink::end_trial(const std::string& message, bool answered) {
    if (const TrialDone done = std::exchange(trial_done_, nullptr))
        done(answered ? state_.definitions : "", message, answered);
}

bool EngineLink::submit(gate::WorkerId worker, const scan::ScanRequest& request, int file) {
    const int fd = static_cast<int>(worker);
    if (!connections_.contains(fd))
        return false;
    if (ipc::send_record(fd, request, {file}))
        return true;
    const auto found = connections_.find(fd);
    connections_.erase(found); // without telling the gate: it asked
    watch_(fd, false);
    return false;
}

void EngineLink::kill_worker(gate::WorkerId worker) {
    const int fd = static_cast<int>(worker);
    const auto found = connections_.find(fd);
    if (found == connections_.end())
        return;
    command(scan::EngineCommandKind::kill_worker, static_cast<std::uint32_t>(found->second.worker_pid));
    watch_(fd, false);
    connections_.erase(found);
}

} // namespace picket::daemon
