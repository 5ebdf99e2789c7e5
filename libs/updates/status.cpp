#include <picket/updates/updater.h>

namespace picket::updates {
namespace {

using data::Json;

Json time_or_null(std::int64_t seconds) {
    return seconds > 0 ? Json(to_rfc3339(WallTime(std::chrono::seconds(seconds)))) : Json();
}

Json to_json(const definitions::Generation& generation, const std::string& current) {
    Json json{
        {"name", generation.name},     {"current", generation.name == current}, {"created", generation.created},
        {"source", generation.source}, {"signatures", generation.signatures()}, {"files", generation.files.size()}};
    if (const auto record = set_record_from(generation.origin))
        json["version"] = record->version;
    return json;
}

} // namespace

Json Updater::status() const {
    const Memory memory = load_memory(root_, store_);
    const std::string current = store_.current().value_or("");
    Json json{{"generation", current},
              {"mirror", read_site(root_) ? read_site(root_)->url : ""},
              {"version", memory.accepted ? Json(memory.accepted->version) : Json()},
              {"signed_by", memory.accepted ? Json(memory.accepted->key_id) : Json()},
              {"issued", memory.accepted ? Json(memory.accepted->issued) : Json()},
              {"expires", memory.accepted ? Json(memory.accepted->expires) : Json()},
              {"last_attempt", time_or_null(memory.attempts.last)},
              {"last_success", time_or_null(memory.attempts.last_success)},
              {"failures", memory.attempts.failures},
              {"generations", Json::array()}};
    if (!memory.attempts.reason.empty())
        json["failure"] = {{"name", memory.attempts.reason}, {"message", memory.attempts.message}};
    if (memory.refused)
        json["refused"] = {{"version", memory.refused->set.version},
                           {"reason", memory.refused->reason},
                           {"message", memory.refused->message}};
    if (memory.held)
        json["held"] = {
            {"version", memory.held->set.version}, {"issued", memory.held->set.issued}, {"until", memory.held->until}};
    for (const std::string& name : store_.list().value_or(std::vector<std::string>{}))
        if (const auto generation = store_.describe(name))
            json["generations"].push_back(to_json(*generation, current));
    return json;
}

} // namespace picket::updates
