#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/data/json.h>
#include <picket/definitions/store.h>
#include <picket/sys/file.h>

/// Definitions from a mirror: what is believed of it, brought in, tried, and taken back.
namespace picket::updates {

/// One signed set, as it is remembered.
struct SetRecord {
    std::uint64_t version = 0;
    std::string key_id;  ///< who signed it
    std::string sha256;  ///< of its manifest
    std::string issued;  ///< RFC 3339
    std::string expires; ///< likewise
    std::string generation;
    std::string etag; ///< of its manifest, where the mirror gave one
    std::uint64_t key_list_version = 0;
    bool operator==(const SetRecord&) const = default;
};
data::Json to_json(const SetRecord& record);
std::optional<SetRecord> set_record_from(const data::Json& json);

/// The highest version of a key that was ever believed: nothing older is.
struct Floor {
    std::uint64_t version = 0;
    std::string sha256; ///< of that one's manifest: there are no two sets of one version
};

struct Refused {
    SetRecord set;
    std::string reason; ///< definitions_refused, rolled_back
    std::string message;
};

/// A set that is younger than the profile wants it to be: not taken yet, and not fetched.
struct Held {
    SetRecord set;
    std::int64_t minimum_age = 0; ///< seconds
    std::int64_t waited = 0;      ///< seconds that have passed for certain since this host saw it first
    std::int64_t in_a_row = 0;    ///< likewise, with the sets that were held before it and replaced
    std::int64_t counted_at = 0;  ///< the monotonic clock's, of the last look
    std::string until;            ///< RFC 3339
};

struct Attempts {
    std::int64_t last = 0; ///< seconds since 1970; 0 = never
    std::int64_t last_success = 0;
    std::int64_t not_before = 0; ///< for what nobody asked for: back-off, Retry-After
    std::uint64_t failures = 0;  ///< in a row
    std::string reason;          ///< of the last failure; "" where the last one went well
    std::string message;
};

/// /var/lib/picket/definitions/mirror.json, written by root alone.
struct Memory {
    std::string organisation_key; ///< another one: another organisation, all is forgotten
    std::string url;
    std::uint64_t key_list_version = 0;
    std::map<std::string, Floor> floors; ///< by key id
    std::optional<SetRecord> accepted;   ///< the one that came into force last
    std::optional<SetRecord> candidate;  ///< brought in, to be tried
    std::string going_back_to;           ///< a generation that is to be tried in the course of a rollback
    std::optional<Refused> refused;
    std::optional<Held> held;
    Attempts attempts;

    void forget() { *this = Memory(); }
    void raise_floor(const SetRecord& record);
};

data::Json to_json(const Memory& memory);
Memory memory_from(const data::Json& json);

/// What is not there or damaged is empty; the floors are then those of the generations on disk. So they survive who
/// deletes the file.
Memory load_memory(const sys::Root& root, const definitions::Store& store);
Result<void> save_memory(const sys::Root& root, const Memory& memory);

} // namespace picket::updates
