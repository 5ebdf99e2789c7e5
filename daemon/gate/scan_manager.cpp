#include "scan_manager.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/mounts.h>

#include "log.h"

namespace picket::daemon {
namespace {

/// What the kernel calls it, to find it again after a restart.
std::string name_of(int fd) {
    std::array<char, 4096> text{};
    const ssize_t length = readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), text.data(), text.size());
    return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : std::string();
}

/// Whether looking for a path may wait for a server.
bool lies_behind_server(const std::string& path) {
    const auto mounts = sys::mounts_now();
    return std::any_of(mounts.begin(), mounts.end(), [&](const sys::Mount& mount) {
        return sys::is_remote_filesystem(mount.type) && (path + "/").starts_with(mount.mount_point + "/");
    });
}

} // namespace

ScanManager::~ScanManager() {
    stop_all();
}

void ScanManager::on_finding(std::uint64_t job, const std::string& path, const std::string& threat,
                             const std::string& action) {
    std::vector<std::shared_ptr<ScanRun>> runs;
    {
        std::lock_guard lock(mutex_);
        for (const auto& [id, scan] : scans_)
            runs.push_back(scan.run);
    }
    for (const auto& run : runs)
        if (run->on_finding(job, path, threat, action))
            return;
}

Result<std::string> ScanManager::start(Request request) {
    reap();
    if (!ports_.gate.snapshot().engine_present)
        return Error(ErrorCode::unavailable, "no engine is ready: see the engine_status of `picket health`");
    ScanRecord record;
    record.id = store::new_id();
    record.kind = request.kind;
    record.origin = request.origin;
    record.path = request.path;
    record.started = ports_.clock.wall();
    record.ignore_exclusions = request.ignore_exclusions;
    record.low_priority = request.low_priority;
    if (request.kind == ScanKind::custom)
        record.place = name_of(request.start.get());
    std::lock_guard lock(mutex_);
    if (scans_.size() >= kMaximumScans)
        return Error(ErrorCode::exhausted, fmt::format("{} scans are running already", kMaximumScans));
    PICKET_TRY(ports_.store.save_scan(record));
    Event event;
    event.type = EventType::scan_started;
    event.origin = EventOrigin::scan;
    event.scan_id = record.id;
    event.path = record.path;
    event.message = fmt::format("{}, {}", to_string(record.kind), to_string(record.origin));
    ports_.aftermath.record(event);
    begin(record, std::move(request.start), std::move(request.watcher));
    return record.id;
}

/// With the lock held.
void ScanManager::begin(ScanRecord record, UniqueFd start, Watcher watcher) {
    const std::string id = record.id;
    auto run = std::make_shared<ScanRun>(ports_, std::move(record), std::move(start), std::move(watcher), next_job_);
    Running& scan = scans_[id];
    scan.run = run;
    scan.thread = std::thread([this, run, id] {
        run->run();
        std::lock_guard lock(mutex_);
        finished_.push_back(std::move(scans_.at(id).thread));
        scans_.erase(id);
        ended_.notify_all();
    });
}

void ScanManager::adopt(std::vector<ScanRecord> interrupted) {
    std::lock_guard lock(mutex_);
    for (ScanRecord& record : interrupted) {
        if (record.interruptions > kMaximumInterruptions)
            give_up(std::move(record), ScanStatus::failed, "interrupted too often");
        else
            waiting_.push_back(std::move(record));
    }
}

void ScanManager::on_tick() {
    reap();
    if (!ports_.gate.snapshot().engine_present)
        return;
    std::lock_guard lock(mutex_);
    while (!waiting_.empty() && scans_.size() < kMaximumScans) {
        ScanRecord record = std::move(waiting_.front());
        waiting_.erase(waiting_.begin());
        const std::string id = record.id;
        log(LogLevel::info,
            go_on(std::move(record)) ? fmt::format("scan {} goes on", id) : fmt::format("scan {} cannot go on", id));
    }
}

/// With the lock held.
bool ScanManager::go_on(ScanRecord record) {
    UniqueFd start;
    if (record.kind == ScanKind::custom) {
        if (lies_behind_server(record.place)) {
            give_up(std::move(record), ScanStatus::failed, "after a restart its server may not answer: start it again");
            return false;
        }
        start = UniqueFd(open(record.place.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (!start) {
            give_up(std::move(record), ScanStatus::failed, "after a restart its folder was not there any more");
            return false;
        }
    }
    record.status = ScanStatus::running;
    if (const auto saved = ports_.store.save_scan(record); !saved)
        log(LogLevel::warning, "state.db: " + saved.error().message());
    begin(std::move(record), std::move(start), {});
    return true;
}

void ScanManager::give_up(ScanRecord record, ScanStatus status, std::string message) {
    record.status = status;
    record.message = std::move(message);
    record.ended = ports_.clock.wall();
    (void)ports_.store.save_scan(record);
}

std::vector<std::string> ScanManager::cancel(const std::string& id) {
    std::vector<std::string> cancelled;
    std::lock_guard lock(mutex_);
    for (const auto& [scan_id, scan] : scans_) {
        if (!id.empty() && scan_id != id)
            continue;
        scan.run->stop(ScanStatus::cancelled);
        cancelled.push_back(scan_id);
    }
    std::erase_if(waiting_, [&](ScanRecord& record) {
        if (!id.empty() && record.id != id)
            return false;
        cancelled.push_back(record.id);
        give_up(record, ScanStatus::cancelled, "");
        return true;
    });
    return cancelled;
}

void ScanManager::scan_file(watch::EventFile file, const std::string& path, std::function<void(const Finding&)> done) {
    auto job = std::make_shared<gate::ScanJob>();
    job->id = next_job_++;
    job->file = std::move(file);
    job->path = path;
    job->report_only = true;
    job->done = [done](gate::ScanJob::Result&& result) { done(result.finding); };
    ports_.gate.post([job, done = std::move(done)](gate::Gate& gate, EngineLink&) {
        if (!gate.submit_job(std::move(*job)))
            done(Finding{Verdict::engine_error, ""});
    });
}

std::vector<ScanRecord> ScanManager::running() const {
    std::vector<ScanRecord> records;
    std::lock_guard lock(mutex_);
    for (const auto& [id, scan] : scans_)
        records.push_back(scan.run->record());
    return records;
}

void ScanManager::reap() {
    std::vector<std::thread> finished;
    {
        std::lock_guard lock(mutex_);
        finished.swap(finished_);
    }
    for (std::thread& thread : finished)
        thread.join();
}

void ScanManager::stop_all() {
    {
        std::unique_lock lock(mutex_);
        for (const auto& [id, scan] : scans_)
            scan.run->stop(ScanStatus::interrupted);
        ended_.wait(lock, [this] { return scans_.empty(); });
    }
    reap();
}

} // namespace picket::daemon
