#include "policy_keeper.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/profile/exclusions.h>
#include <picket/profile/in_force.h>
#include <picket/profile/weakening.h>

#include "log.h"

namespace picket::daemon {

PolicyKeeper::PolicyKeeper(const sys::Root& root, EventLog& events, const Clock& clock)
    : root_(root), events_(events), clock_(clock), profile_(profile::load(root, profile::LoadMode::remember, now())) {
    put_to_use(*profile_.policy);
    for (const profile::Problem& problem : profile_.problems)
        record(EventType::profile_refused, "profile_refused", to_text(problem));
    last_problem_ = profile_.problems.empty() ? "" : to_text(profile_.problems.front());
    const auto before = profile::read_in_force(root_);
    if (!before && before.error().code() != ErrorCode::not_found)
        log(LogLevel::warning, before.error().message());
    if (before && before->policy->generation == profile_.policy->generation)
        return;
    if (before) // it changed while nobody was here to see it
        record_change(*before, profile_, {});
    remember();
}

/// What ends at a time must not go on because the clock stands before this build was made.
WallTime PolicyKeeper::now() const {
    return std::max(clock_.wall(), build::built_at());
}

void PolicyKeeper::on_tick() {
    if (const auto next = policy()->next_expiry; next && *next <= now())
        reload();
}

profile::EffectiveProfile PolicyKeeper::profile() const {
    std::lock_guard lock(mutex_);
    return profile_;
}

profile::PolicySnapshot PolicyKeeper::policy() const {
    std::lock_guard lock(mutex_);
    return profile_.policy;
}

void PolicyKeeper::record(EventType type, const std::string& reason, const std::string& message) {
    Event event;
    event.type = type;
    event.reason = reason;
    event.message = message;
    events_.record(std::move(event));
}

void PolicyKeeper::put_to_use(const profile::Policy& policy) {
    set_log_level(policy.log_level);
    events_.configure_syslog(policy.syslog_target, policy.syslog_facility);
}

/// What is in force now, and one event for each way in which that protects less: with whose word it is, the managed
/// file, or the local settings and who changed them.
void PolicyKeeper::record_change(const profile::EffectiveProfile& before, const profile::EffectiveProfile& after,
                                 const Caller& caller) {
    record(EventType::profile_changed, "",
           fmt::format("profile {} is in force (enforcement level {})",
                       profile::generation_text(after.policy->generation), to_string(after.policy->enforcement_level)));
    record_expired(before, after);
    for (const profile::Weakening& weakening : profile::find_weakenings(before, after)) {
        Event event;
        event.type = EventType::protection_weakened;
        event.reason = weakening.kind;
        event.message = weakening.message;
        event.path = weakening.source.file;
        if (weakening.source.layer == profile::Layer::local && caller.uid >= 0) {
            event.uid = caller.uid;
            event.pid = caller.pid;
            event.message += fmt::format(" (by uid {})", caller.uid);
        }
        events_.record(std::move(event));
    }
}

void PolicyKeeper::record_expired(const profile::EffectiveProfile& before, const profile::EffectiveProfile& after) {
    constexpr std::size_t kMost = 100;
    std::vector<profile::ListedExclusion> expired = profile::find_expired(before, after);
    expired.resize(std::min(expired.size(), kMost));
    for (const profile::ListedExclusion& exclusion : expired) {
        Event event;
        event.type = EventType::exclusion_expired;
        event.reason = "exclusion_expired";
        event.path = exclusion.source.file;
        event.message = describe(exclusion) + " has expired: what it covered is scanned again";
        events_.record(std::move(event));
    }
}

/// Without it the next start does not see what changed in between; protection does not depend on it.
void PolicyKeeper::remember() {
    if (const auto written = profile::remember_in_force(root_, profile()); !written)
        log(LogLevel::warning, written.error().message());
}

void PolicyKeeper::reload(const Caller& caller) {
    std::lock_guard serial(reload_mutex_);
    profile::EffectiveProfile fresh = profile::load(root_, profile::LoadMode::remember, now());
    const profile::EffectiveProfile before = profile();
    const bool changed = fresh.policy->generation != before.policy->generation;
    const std::string problem = fresh.problems.empty() ? "" : to_text(fresh.problems.front());
    if (!problem.empty() && problem != last_problem_)
        for (const profile::Problem& each : fresh.problems)
            record(EventType::profile_refused, "profile_refused", to_text(each));
    last_problem_ = problem;
    {
        std::lock_guard lock(mutex_);
        profile_ = fresh;
    }
    if (!changed)
        return;
    put_to_use(*fresh.policy);
    for (const Listener& listener : listeners_)
        listener(fresh.policy);
    record_change(before, fresh, caller);
    remember();
}

} // namespace picket::daemon
