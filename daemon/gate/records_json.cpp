#include "records_json.h"

namespace picket::daemon {

data::Json to_json(const Event& event) {
    data::Json json{{"sequence", event.sequence},
                    {"time", to_rfc3339(event.time)},
                    {"monotonic_ms", event.monotonic_ms},
                    {"type", to_string(event.type)},
                    {"origin", to_string(event.origin)}};
    const auto text = [&json](const char* key, const std::string& value) {
        if (!value.empty())
            data::set_path(json, key, value);
    };
    text("event_id", event_id(event));
    text("boot_id", event.boot_id);
    text("digest", event.digest);
    text("path", event.path);
    text("threat_name", event.threat_name);
    text("sha256", event.sha256);
    text("threat_id", event.threat_id);
    text("scan_id", event.scan_id);
    text("reason", event.reason);
    text("message", event.message);
    text("process", event.process);
    if (event.count > 0)
        json["count"] = event.count;
    if (event.pid > 0)
        json["pid"] = event.pid;
    if (event.uid >= 0)
        json["uid"] = event.uid;
    return json;
}

data::Json to_json(const Threat& threat) {
    data::Json json{{"threat_id", threat.id},
                    {"name", threat.name},
                    {"sha256", threat.sha256},
                    {"status", to_string(threat.status)},
                    {"origin", to_string(threat.origin)},
                    {"first_seen", to_rfc3339(threat.first_seen)},
                    {"last_seen", to_rfc3339(threat.last_seen)},
                    {"count", threat.count},
                    {"definitions", threat.definitions}};
    data::set_path(json, "path", threat.path);
    if (!threat.quarantine_id.empty())
        json["quarantine_id"] = threat.quarantine_id;
    return json;
}

data::Json to_json(const store::EventCheck& check) {
    data::Json json{{"whole", !check.fault.has_value()},
                    {"checked", check.checked},
                    {"first_sequence", check.first},
                    {"last_sequence", check.last}};
    if (check.fault) {
        json["sequence"] = check.fault->sequence;
        json["reason"] = check.fault->reason;
        json["message"] = check.fault->message;
    }
    return json;
}

} // namespace picket::daemon
