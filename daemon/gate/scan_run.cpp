#include "scan_run.h"

#include <array>
#include <fcntl.h>
#include <set>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>
#include <picket/sys/mounts.h>
#include <picket/sys/statx.h>

namespace picket::daemon {
namespace {

constexpr std::size_t kFilesInFlight = 32;
constexpr Milliseconds kProgressEvery{250};
constexpr Milliseconds kCountAfter{1'000};
constexpr Milliseconds kSaveEvery{5'000};
constexpr std::size_t kFindingsWaiting = 256;   ///< to be taken away; the remedy is slower than the engine
constexpr Milliseconds kFindingsWithin{10'000}; ///< the aftermath may have lost one to a full queue
constexpr Milliseconds kEngineLookEvery{200};
constexpr std::chrono::seconds kServerAnswersWithin{10};

/// Where malware likes to lie.
constexpr std::array kQuickPlaces{
    "/tmp",       "/var/tmp", "/dev/shm", "/run",  "/root",           "/home",     "/etc",    "/opt",
    "/usr/local", "/srv",     "/var/www", "/boot", "/var/spool/cron", "/usr/sbin", "/usr/bin"};

/// The scan's own reads come last at the disk and at the processor (ioprio_set(2): class idle).
void become_background() {
    constexpr int kIoprioWhoProcess = 1;
    constexpr int kIdleClass = 3 << 13;
    syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIdleClass);
    setpriority(PRIO_PROCESS, 0, 10);
}

/// One mount point of each file system, in an order that the next start finds again.
std::vector<std::string> filesystems() {
    std::vector<std::string> found;
    std::set<std::pair<unsigned, unsigned>> devices;
    for (const sys::Mount& mount : sys::reachable(sys::mounts_now()))
        if (!sys::is_pseudo_filesystem(mount.type) && devices.insert({mount.major, mount.minor}).second)
            found.push_back(mount.mount_point);
    std::sort(found.begin(), found.end());
    return found;
}

/// The file systems whose server may not answer. What is mounted meanwhile is looked up when it is met.
class ServedDevices {
  public:
    bool contains(dev_t device) {
        if (const auto known = known_.find(device); known != known_.end())
            return known->second;
        for (const sys::Mount& mount : sys::mounts_now())
            known_[makedev(mount.major, mount.minor)] = sys::is_remote_filesystem(mount.type);
        return known_[device]; // not there: a btrfs subvolume
    }

  private:
    std::map<dev_t, bool> known_;
};

} // namespace

data::Json to_json(const ScanRecord& scan) {
    data::Json json{{"scan_id", scan.id},
                    {"kind", to_string(scan.kind)},
                    {"status", to_string(scan.status)},
                    {"origin", to_string(scan.origin)},
                    {"started", to_rfc3339(scan.started)},
                    {"files_scanned", scan.files_scanned},
                    {"bytes_scanned", scan.bytes_scanned},
                    {"files_failed", scan.files_failed},
                    {"threats_found", scan.threats_found}};
    if (!scan.path.empty())
        data::set_path(json, "path", scan.path);
    if (scan.ended)
        json["ended"] = to_rfc3339(*scan.ended);
    if (scan.interruptions > 0)
        json["interruptions"] = scan.interruptions;
    if (!scan.message.empty())
        json["message"] = scan.message;
    return json;
}

std::vector<std::string> ScanRun::place_paths() const {
    if (record_.kind == ScanKind::custom)
        return {record_.path};
    if (record_.kind == ScanKind::quick)
        return {kQuickPlaces.begin(), kQuickPlaces.end()};
    return filesystems();
}

std::vector<ScanRun::Place> ScanRun::open_places() {
    std::vector<Place> places;
    ServedDevices served;
    for (std::string& path : place_paths()) {
        UniqueFd fd = record_.kind == ScanKind::custom ? std::move(start_)
                                                       : UniqueFd(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat status {};
        if (fd && sys::stat_remembered(fd.get(), status) && (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)))
            places.push_back({std::move(path), std::move(fd), served.contains(status.st_dev)});
    }
    return places;
}

void ScanRun::run() {
    prctl(PR_SET_NAME, "picket-scan");
    become_background();
    std::vector<Place> places = open_places();
    std::string resume_from = record_.position;
    std::size_t first = 0;
    if (record_.kind != ScanKind::custom && !resume_from.empty()) {
        while (first < places.size() && places[first].path != record_.place)
            ++first;
        if (first == places.size()) { // it is not mounted any more: from the start
            first = 0;
            resume_from.clear();
        }
    }
    files_visited_ = record_.files_scanned + record_.files_failed;
    std::thread counter([&] { count(places); });
    try {
        for (std::size_t i = first; i < places.size() && !stopped(); ++i)
            walk(places[i], i == first ? resume_from : std::string());
    } catch (const std::exception& error) {
        std::lock_guard lock(mutex_);
        record_.status = ScanStatus::failed;
        record_.message = error.what();
    }
    finish();
    counter.join();
}

scan::WalkOptions ScanRun::options() const {
    scan::WalkOptions options;
    options.cross_devices = record_.kind == ScanKind::custom;
    const auto policy = record_.ignore_exclusions ? nullptr : ports_.policy.policy();
    options.is_excluded = [policy](const std::string& path) {
        if (path == paths::kEngineTemporaryDirectory || path == paths::kQuarantineDirectory || path == "/proc" ||
            path == "/sys")
            return true;
        return policy != nullptr && policy->exclusions.has_path_rules() && policy->exclusions.excludes_path(path);
    };
    options.is_served = [served = std::make_shared<ServedDevices>()](dev_t device) { return served->contains(device); };
    return options;
}

/// Beside the scan, for a bar that knows its end; opens directories only. A scan that is over at once needs none.
void ScanRun::count(const std::vector<Place>& places) {
    prctl(PR_SET_NAME, "picket-count");
    become_background();
    {
        std::unique_lock lock(mutex_);
        if (room_.wait_for(lock, kCountAfter, [&] { return stopped(); }))
            return;
    }
    std::uint64_t total = 0;
    for (const Place& place : places) {
        if (place.served)
            continue;
        const auto counted = scan::count_tree(place.fd.get(), options(), place.path, [this] { return !stopped(); });
        if (stopped())
            return;
        total += counted.value_or(0);
    }
    files_total_ = total;
}

void ScanRun::walk(Place& place, const std::string& resume_from) {
    scan::WalkOptions walk_options = options();
    walk_options.resume_from = resume_from;
    walk_options.is_known = [this](const std::string& path, const struct stat& status) {
        return is_known(path, status);
    };
    walk_options.on_served = [&](int directory, const std::string& name, const std::string& path) {
        return walk_served(directory, name, path, resume_from);
    };
    if (record_.kind != ScanKind::custom) {
        std::lock_guard lock(mutex_);
        record_.place = place.path;
    }
    if (place.served) {
        walk_served(place.fd.get(), "", place.path == "/" ? "" : place.path, resume_from);
        return;
    }
    const auto walked = scan::walk_tree(place.fd.get(), place.path, walk_options,
                                        [this](UniqueFd file, const std::string& path, const struct stat& status) {
                                            return visit(std::move(file), path, status);
                                        });
    if (walked)
        note_failure("", walked->failed);
    else if (walked.error().code() != ErrorCode::cancelled)
        note_failure(walked.error().message());
}

void ScanRun::note_failure(const std::string& message, std::uint64_t files) {
    std::lock_guard lock(mutex_);
    record_.files_failed += files;
    if (!message.empty())
        record_.message = message;
}

/// What the walker opens is not asked about from now on; then it begins.
void ScanRun::let_walk(const std::shared_ptr<ipc::FileSocket>& errand, pid_t walker) {
    ports_.gate.post([errand, walker](gate::Gate& gate, EngineLink&) {
        gate.add_own_process(walker);
        (void)ipc::send_message(errand->get(), "go");
    });
}

/// By an errand: this process keeps away from whoever may not answer. False where the scan ends.
bool ScanRun::walk_served(int directory, const std::string& name, const std::string& path,
                          const std::string& resume_from) {
    Errands::WalkOrder order{name, "", options().cross_devices};
    if (resume_from.starts_with(path + "/"))
        order.resume_from = resume_from.substr(path.size());
    auto begun = ports_.errands.begin(Errands::Kind::walk, directory, order);
    if (!begun) {
        note_failure(fmt::format("{}: {}", path, begun.error().message()));
        return !stopped();
    }
    const auto errand = std::make_shared<ipc::FileSocket>(std::move(*begun)); // a task must be copyable
    pid_t walker = 0;
    const bool goes_on = follow_walk(errand, path, walker);
    // The walker goes when the errand's socket is closed: its number is ours until it is taken back.
    ports_.gate.post([walker, errand](gate::Gate& gate, EngineLink&) { gate.remove_own_process(walker); });
    return goes_on;
}

bool ScanRun::follow_walk(const std::shared_ptr<ipc::FileSocket>& errand, const std::string& path, pid_t& walker) {
    const scan::WalkOptions rules = options();
    MonotonicTime heard = ports_.clock.monotonic();
    while (!stopped()) {
        if (!ipc::wait_readable(errand->get(), static_cast<int>(kProgressEvery.count()))) {
            if (ports_.clock.monotonic() - heard < kServerAnswersWithin)
                continue;
            note_failure(fmt::format("{}: its server does not answer", path));
            return !stopped();
        }
        auto message = ipc::receive_message(errand->get());
        if (!message) {
            note_failure(fmt::format("{}: too many walks wait for servers that do not answer", path));
            return !stopped();
        }
        const std::string_view text = std::string_view(message->content).substr(1);
        switch (message->content.front()) {
        case Errands::kWalker:
            walker = static_cast<pid_t>(parse_unsigned(text).value_or(0));
            let_walk(errand, walker);
            break;
        case Errands::kWalks:
            break;
        case Errands::kWalkedAll:
            note_failure("", parse_unsigned(text).value_or(1));
            return !stopped();
        default:
            if (!take_walked(std::move(*message), path, rules))
                return false;
        }
        heard = ports_.clock.monotonic();
    }
    return false;
}

bool ScanRun::take_walked(ipc::Message&& message, const std::string& path, const scan::WalkOptions& rules) {
    const std::string file = path + message.content.substr(1);
    if (message.descriptors.size() != 2) {
        note_failure(fmt::format("{}: no descriptor is free", file));
        return !stopped();
    }
    watch::EventFile opened(std::move(message.descriptors[0]), std::move(message.descriptors[1]));
    if (rules.is_excluded(file))
        return !stopped();
    {
        std::lock_guard lock(mutex_);
        ++files_visited_;
    }
    return submit(std::move(opened), file) && !stopped();
}

/// What was found clean and has not changed since is neither opened nor read.
bool ScanRun::is_known(const std::string& path, const struct stat& status) {
    if (stopped() || (status.st_size > 0 && !ports_.gate.knows_clean(watch::key_of(status))))
        return false;
    {
        std::lock_guard lock(mutex_);
        ++files_visited_;
        current_ = path;
        if (status.st_size > 0) {
            ++record_.files_scanned;
            record_.bytes_scanned += static_cast<std::uint64_t>(status.st_size);
        }
    }
    report_progress(false);
    return true;
}

bool ScanRun::visit(UniqueFd file, const std::string& path, const struct stat& status) {
    {
        std::lock_guard lock(mutex_);
        ++files_visited_;
    }
    if (status.st_size > 0 && !submit(std::move(file), path))
        return false;
    return !stopped();
}

/// Also while no engine is there: its files are not scanned, so they are not passed over either.
bool ScanRun::await_room(std::unique_lock<std::mutex>& lock) {
    for (;;) {
        room_.wait(lock, [&] { return in_flight_ < kFilesInFlight || stopped(); });
        room_.wait_for(lock, kFindingsWithin, [&] { return jobs_.size() < kFindingsWaiting || stopped(); });
        if (stopped())
            return false;
        if (ports_.gate.snapshot().engine_present)
            return true;
        room_.wait_for(lock, kEngineLookEvery, [&] { return stopped(); });
    }
}

bool ScanRun::submit(watch::EventFile file, const std::string& path) {
    const std::uint64_t job_id = next_job_++;
    {
        std::unique_lock lock(mutex_);
        if (!await_room(lock))
            return false;
        ++in_flight_;
        jobs_.emplace(job_id, path);
        current_ = path;
    }
    report_progress(false);
    auto job = std::make_shared<gate::ScanJob>();
    job->id = job_id;
    job->file = std::move(file);
    job->path = path;
    job->low_priority = record_.low_priority;
    job->done = [self = shared_from_this()](gate::ScanJob::Result&& result) { self->on_result(result); };
    ports_.gate.post([job, self = shared_from_this()](gate::Gate& gate, EngineLink&) {
        if (!gate.submit_job(std::move(*job))) // cannot be: in flight is bounded below the queue
            self->on_result({job->id, {Verdict::engine_error, ""}, 0, job->path});
    });
    return true;
}

void ScanRun::on_result(const gate::ScanJob::Result& result) {
    std::lock_guard lock(mutex_);
    --in_flight_;
    switch (result.finding.verdict) {
    case Verdict::malicious:
    case Verdict::potentially_unwanted:
        ++record_.threats_found;
        [[fallthrough]];
    case Verdict::clean:
    case Verdict::limit_exceeded:
        ++record_.files_scanned;
        record_.bytes_scanned += result.bytes;
        break;
    default:
        ++record_.files_failed;
    }
    if (result.finding.threat_name.empty())
        jobs_.erase(result.id);
    room_.notify_all();
}

bool ScanRun::on_finding(std::uint64_t job, const std::string& path, const std::string& threat,
                         const std::string& action) {
    std::lock_guard lock(mutex_);
    if (jobs_.erase(job) == 0)
        return false;
    room_.notify_all();
    data::Json found{{"scan_id", record_.id}, {"threat_name", threat}, {"action", action}};
    data::set_path(found, "path", path);
    if (watcher_)
        watcher_("scan.threat", found);
    return true;
}

void ScanRun::report_progress(bool force) {
    const MonotonicTime now = ports_.clock.monotonic();
    std::lock_guard lock(mutex_);
    if (force || now - last_saved_ >= kSaveEvery) {
        last_saved_ = now;
        record_.position = jobs_.empty() ? current_ : jobs_.begin()->second;
        (void)ports_.store.save_scan(record_);
    }
    if (!watcher_ || (!force && now - last_progress_ < kProgressEvery))
        return;
    last_progress_ = now;
    data::Json progress{{"scan_id", record_.id},
                        {"files_scanned", record_.files_scanned},
                        {"bytes_scanned", record_.bytes_scanned},
                        {"threats_found", record_.threats_found},
                        {"files_failed", record_.files_failed},
                        {"files_visited", files_visited_}};
    if (const std::uint64_t total = files_total_; total > 0)
        progress["files_total"] = total;
    data::set_path(progress, "current", current_);
    watcher_("scan.progress", progress);
}

void ScanRun::finish() {
    {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return in_flight_ == 0; }); // the gate answers every job, also when it stops
        room_.wait_for(lock, kFindingsWithin, [&] { return jobs_.empty(); });
        if (record_.status == ScanStatus::running)
            record_.status = stopped() ? stopped_as_ : ScanStatus::finished;
        if (record_.status != ScanStatus::interrupted)
            record_.ended = ports_.clock.wall();
        else
            ++record_.interruptions;
        if (record_.status == ScanStatus::finished)
            files_total_ = files_visited_;
        stopped_ = true; // the counter need not come to its end
        room_.notify_all();
    }
    report_progress(true);
    const ScanRecord ended = record();
    if (ended.status == ScanStatus::interrupted)
        return; // not its end
    Event event;
    event.type = EventType::scan_finished;
    event.origin = EventOrigin::scan;
    event.scan_id = ended.id;
    event.count = ended.threats_found;
    event.message =
        fmt::format("{} files, {} threats, {} failed", ended.files_scanned, ended.threats_found, ended.files_failed);
    ports_.aftermath.record(event);
    if (watcher_)
        watcher_("scan.finished", to_json(ended));
}

void ScanRun::stop(ScanStatus as) {
    std::lock_guard lock(mutex_);
    if (!stopped())
        stopped_as_ = as;
    stopped_ = true;
    room_.notify_all();
}

ScanRecord ScanRun::record() const {
    std::lock_guard lock(mutex_);
    return record_;
}

} // namespace picket::daemon
