#include "vault_keeper.h"

#include <sys/prctl.h>

#include <fmt/format.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr std::chrono::minutes kFirstLook{10};
constexpr std::chrono::hours kEvery{1};

} // namespace

void VaultKeeper::start() {
    thread_ = std::thread([this] { run(); });
}

void VaultKeeper::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void VaultKeeper::look_soon() {
    {
        std::lock_guard lock(mutex_);
        look_ = true;
    }
    wake_.notify_all();
}

void VaultKeeper::run() {
    prctl(PR_SET_NAME, "picket-vault");
    std::chrono::minutes wait = kFirstLook;
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait_for(lock, wait, [this] { return stopping_ || look_; });
        if (stopping_)
            return;
        look_ = false;
        wait = kEvery;
        lock.unlock();
        try {
            destroy_expired();
        } catch (const std::exception& error) { // e.g. out of memory: again in an hour
            log(LogLevel::error, fmt::format("old copies in quarantine were not looked for: {}", error.what()));
        }
        lock.lock();
    }
}

void VaultKeeper::destroy_expired() const {
    const unsigned days = ports_.policy.policy()->quarantine_retention_days;
    if (days == 0)
        return;
    const auto items = ports_.remedy.list();
    if (!items)
        return; // remedy_absent shows where it matters: when a file is to be moved
    const std::string oldest = to_rfc3339(ports_.clock.wall() - std::chrono::hours(24 * days));
    for (const data::Json& item : *items) {
        const std::string quarantined = data::string_or(item, "quarantined", "");
        // One spelling of time, always UTC: its text sorts as time does. A damaged entry has none and is kept.
        if (quarantined.size() != oldest.size() || quarantined >= oldest)
            continue;
        if (const auto destroyed = destroy(item, EventType::quarantine_expired); !destroyed)
            log(LogLevel::warning, "an old copy stays in quarantine: " + destroyed.error().message());
    }
}

Result<void> VaultKeeper::destroy(const data::Json& item, EventType type) const {
    const std::string id = data::string_or(item, "quarantine_id", "");
    PICKET_TRY(ports_.remedy.remove(id));
    Event event;
    event.type = type;
    event.path = data::path_of(item, "path");
    event.threat_name = data::string_or(item, "threat_name", "");
    event.threat_id = data::string_or(item, "threat_id", "");
    event.sha256 = data::string_or(item, "sha256", "");
    event.message = id;
    ports_.aftermath.record(event);
    if (!event.threat_id.empty())
        (void)ports_.store.set_threat_status(event.threat_id, ThreatStatus::quarantined, "");
    return {};
}

} // namespace picket::daemon
