#include "metrics.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

namespace picket::daemon {
namespace {

using data::Json;

constexpr const char* kName = "picket.prom";
constexpr const char* kTemporary = ".picket.prom.tmp"; ///< the collector reads *.prom only

std::string label(std::string_view value) {
    std::string escaped;
    for (const char c : escape_for_display(value)) {
        if (c == '\\' || c == '"')
            escaped += '\\';
        escaped += c;
    }
    return escaped;
}

class Text {
  public:
    /// A family with one sample without labels.
    void one(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
        family(name, type, help);
        text += fmt::format("{} {}\n", name, value);
    }
    void family(std::string_view name, std::string_view type, std::string_view help) {
        text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    }
    void sample(std::string_view name, std::string_view label_name, std::string_view value, std::uint64_t number) {
        text += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label_name, label(value), number);
    }
    std::string text;
};

std::uint64_t flag(const Json& health, std::string_view key) {
    return data::bool_or(health, key, false) ? 1 : 0;
}
std::uint64_t number(const Json& health, std::string_view key) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, data::integer_or(health, key, 0)));
}

void add_health(Text& text, const Json& health) {
    text.one("picket_healthy", "gauge", "1 where picket health finds nothing amiss.", flag(health, "healthy"));
    text.family("picket_health_issue", "gauge", "1 for each reason for which this host is not healthy.");
    std::set<std::string> names; // one sample a name, however often it is said
    for (const Json& issue : data::member(health, "health_issues"))
        names.insert(data::string_or(issue, "name", "unknown"));
    for (const std::string& name : names)
        text.sample("picket_health_issue", "name", name, 1);
    text.one("picket_real_time_protection_active", "gauge", "1 where protection is proved now.",
             flag(health, "real_time_protection_active"));
    text.one("picket_engine_workers", "gauge", "Engine workers that are connected.", number(health, "engine_workers"));
    text.one("picket_definitions_signatures", "gauge", "Signatures in the definitions in force.",
             number(health, "definitions_signatures"));
    text.one("picket_definitions_age_seconds", "gauge", "Age of the definitions in force.",
             60 * number(health, "definitions_updated_minutes_ago"));
    text.one("picket_build_days_left", "gauge", "Days until this build is past its date; 0 from then on.",
             number(health, "product_expiration_days"));
    text.one("picket_held_opens", "gauge", "Opens that wait for an answer now.", number(health, "held_opens"));
    text.one("picket_cached_verdicts", "gauge", "Verdicts in the cache.", number(health, "cached_verdicts"));
}

void add_counters(Text& text, const gate::GateStatistics& statistics) {
    text.one("picket_events_total", "counter", "Opens that the kernel asked about.", statistics.events);
    text.family("picket_answers_total", "counter", "Answers given to the kernel.");
    text.sample("picket_answers_total", "decision", "allow", statistics.allowed);
    text.sample("picket_answers_total", "decision", "deny", statistics.denied);
    text.one("picket_cache_hits_total", "counter", "Opens answered from the cache.", statistics.cache_hits);
    text.one("picket_ignore_marks_total", "counter", "Clean files about which the kernel was told not to ask again.",
             statistics.ignore_marks);
    text.one("picket_scans_total", "counter", "Files given to the engine.", statistics.scans);
    text.one("picket_excluded_total", "counter", "Opens that the profile excludes.", statistics.excluded);
    text.one("picket_events_lost_total", "counter", "Times at which the kernel lost events.", statistics.lost);
    text.family("picket_unscanned_total", "counter", "Opens answered by the failure policy.");
    for (std::size_t i = 0; i < gate::kFailureReasonCount; ++i)
        text.sample("picket_unscanned_total", "reason", to_string(static_cast<gate::FailureReason>(i)),
                    statistics.unscanned[i]);
}

} // namespace

std::string metrics_text(const Json& health, const gate::GateStatistics& statistics, WallTime now) {
    Text text;
    text.family("picket_build_info", "gauge", "Always 1; what this build is.");
    text.sample("picket_build_info", "version", build::version(), 1);
    const auto seconds = [](WallTime time) {
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
    };
    text.one("picket_build_expiration_timestamp_seconds", "gauge", "When this build is past its date.",
             seconds(build::expiration()));
    text.one("picket_metrics_timestamp_seconds", "gauge", "When this file was written.", seconds(now));
    add_health(text, health);
    add_counters(text, statistics);
    return text.text;
}

Result<void> write_metrics(const std::string& directory, const std::string& text) {
    const UniqueFd folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    if (!folder || fstat(folder.get(), &status) != 0)
        return Error::from_errno(errno, escape_for_display(directory));
    if (status.st_uid != 0 || (status.st_mode & 022) != 0)
        return Error(ErrorCode::permission,
                     fmt::format("{}: others than root may write there", escape_for_display(directory)));
    unlinkat(folder.get(), kTemporary, 0); // what a killed daemon left
    UniqueFd file(openat(folder.get(), kTemporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file || fchmod(file.get(), 0644) != 0)
        return Error::from_errno(errno, escape_for_display(directory));
    PICKET_TRY(sys::write_all(file.get(), text));
    if (renameat(folder.get(), kTemporary, folder.get(), kName) != 0)
        return Error::from_errno(errno, escape_for_display(directory));
    return {};
}

} // namespace picket::daemon
