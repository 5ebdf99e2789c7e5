#include <picket/updates/memory.h>

#include <algorithm>

#include <picket/model/paths.h>

namespace picket::updates {
namespace {

using data::Json;

constexpr Bytes kLargestMemory = kibibytes(256);

std::uint64_t unsigned_or_zero(const Json& json, std::string_view key) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, data::integer_or(json, key, 0)));
}

Json to_json(const std::optional<SetRecord>& record) {
    return record ? updates::to_json(*record) : Json();
}

Json to_json(const Attempts& attempts) {
    return {{"last", attempts.last},
            {"last_success", attempts.last_success},
            {"not_before", attempts.not_before},
            {"failures", attempts.failures},
            {"reason", attempts.reason},
            {"message", attempts.message}};
}

Attempts attempts_from(const Json& json) {
    return {data::integer_or(json, "last", 0),       data::integer_or(json, "last_success", 0),
            data::integer_or(json, "not_before", 0), unsigned_or_zero(json, "failures"),
            data::string_or(json, "reason", ""),     data::string_or(json, "message", "")};
}

std::map<std::string, Floor> floors_from(const Json& json) {
    std::map<std::string, Floor> floors;
    if (json.is_object())
        for (const auto& [key, floor] : json.items())
            floors[key] = {unsigned_or_zero(floor, "version"), data::string_or(floor, "sha256", "")};
    return floors;
}

std::optional<Refused> refused_from(const Json& json) {
    const auto set = set_record_from(data::member(json, "set"));
    if (!set)
        return std::nullopt;
    return Refused{*set, data::string_or(json, "reason", ""), data::string_or(json, "message", "")};
}

Json to_json(const Held& held) {
    return {{"set", updates::to_json(held.set)}, {"minimum_age", held.minimum_age}, {"waited", held.waited},
            {"in_a_row", held.in_a_row},         {"counted_at", held.counted_at},   {"until", held.until}};
}

std::optional<Held> held_from(const Json& json) {
    const auto set = set_record_from(data::member(json, "set"));
    if (!set)
        return std::nullopt;
    return Held{*set,
                data::integer_or(json, "minimum_age", 0),
                data::integer_or(json, "waited", 0),
                data::integer_or(json, "in_a_row", 0),
                data::integer_or(json, "counted_at", 0),
                data::string_or(json, "until", "")};
}

} // namespace

Json to_json(const SetRecord& record) {
    return {{"version", record.version}, {"key_id", record.key_id},
            {"sha256", record.sha256},   {"issued", record.issued},
            {"expires", record.expires}, {"generation", record.generation},
            {"etag", record.etag},       {"key_list_version", record.key_list_version}};
}

std::optional<SetRecord> set_record_from(const Json& json) {
    SetRecord record{unsigned_or_zero(json, "version"),    data::string_or(json, "key_id", ""),
                     data::string_or(json, "sha256", ""),  data::string_or(json, "issued", ""),
                     data::string_or(json, "expires", ""), data::string_or(json, "generation", ""),
                     data::string_or(json, "etag", ""),    unsigned_or_zero(json, "key_list_version")};
    if (record.version == 0 || record.key_id.empty() || record.sha256.empty())
        return std::nullopt;
    return record;
}

void Memory::raise_floor(const SetRecord& record) {
    key_list_version = std::max(key_list_version, record.key_list_version);
    Floor& floor = floors[record.key_id];
    if (record.version > floor.version)
        floor = {record.version, record.sha256};
}

Json to_json(const Memory& memory) {
    Json floors = Json::object();
    for (const auto& [key, floor] : memory.floors)
        floors[key] = {{"version", floor.version}, {"sha256", floor.sha256}};
    Json refused;
    if (memory.refused)
        refused = {{"set", to_json(memory.refused->set)},
                   {"reason", memory.refused->reason},
                   {"message", memory.refused->message}};
    return {{"schema", 1},
            {"organisation_key", memory.organisation_key},
            {"url", memory.url},
            {"key_list_version", memory.key_list_version},
            {"floors", std::move(floors)},
            {"accepted", to_json(memory.accepted)},
            {"candidate", to_json(memory.candidate)},
            {"going_back_to", memory.going_back_to},
            {"refused", std::move(refused)},
            {"held", memory.held ? to_json(*memory.held) : Json()},
            {"attempts", to_json(memory.attempts)}};
}

Memory memory_from(const Json& json) {
    Memory memory;
    memory.organisation_key = data::string_or(json, "organisation_key", "");
    memory.url = data::string_or(json, "url", "");
    memory.key_list_version = unsigned_or_zero(json, "key_list_version");
    memory.floors = floors_from(data::member(json, "floors"));
    memory.accepted = set_record_from(data::member(json, "accepted"));
    memory.candidate = set_record_from(data::member(json, "candidate"));
    memory.going_back_to = data::string_or(json, "going_back_to", "");
    memory.refused = refused_from(data::member(json, "refused"));
    memory.held = held_from(data::member(json, "held"));
    memory.attempts = attempts_from(data::member(json, "attempts"));
    return memory;
}

Memory load_memory(const sys::Root& root, const definitions::Store& store) {
    Memory memory;
    if (const auto text = root.read(paths::kMirrorMemory, kLargestMemory))
        if (const auto json = data::parse_json(*text))
            memory = memory_from(*json);
    for (const std::string& name : store.list().value_or(std::vector<std::string>{})) {
        const auto generation = store.describe(name);
        const auto record = generation ? set_record_from(generation->origin) : std::nullopt;
        // Another organisation's floors are not ours.
        if (record && (memory.organisation_key.empty() ||
                       data::string_or(generation->origin, "organisation_key", "") == memory.organisation_key)) {
            memory.organisation_key = data::string_or(generation->origin, "organisation_key", "");
            memory.raise_floor(*record);
        }
    }
    return memory;
}

Result<void> save_memory(const sys::Root& root, const Memory& memory) {
    return root.write_atomically(paths::kMirrorMemory, data::to_pretty_text(to_json(memory)) + "\n", 0644);
}

} // namespace picket::updates
