#pragma once
#include <string>
#include <vector>

#include <picket/profile/effective.h>
#include <picket/sys/file.h>

namespace picket::profile {

/// What the managed folder holds. `problems` empty = the set is good and counts as a whole.
struct ManagedSet {
    std::vector<LayerDocument> documents; ///< in name order
    std::vector<Problem> problems;
};
ManagedSet read_managed(const sys::Root& root);

/// settings.json. `present` false: there is none.
struct LocalSettings {
    bool present = false;
    std::string text;        ///< as it is on the disk
    std::int64_t schema = 0; ///< Validation::schema
    data::Json document = data::Json::object();
    std::vector<Problem> problems; ///< not empty: the document does not count
};
LocalSettings read_local(const sys::Root& root);
/// Replaces settings.json; one of an older layout is kept beside it as settings.json.bak-VERSION.
Result<void> write_local(const sys::Root& root, const LocalSettings& before, data::Json document);

/// The managed set that last-good.json holds; not_found where there is none, corrupt where it does not count.
Result<std::vector<LayerDocument>> read_last_good(const sys::Root& root);
/// Writes it unless the file says the same already.
Result<void> remember_last_good(const sys::Root& root, const std::vector<LayerDocument>& documents);

/// A name in managed.d that counts as a profile.
bool is_profile_name(std::string_view name);

} // namespace picket::profile
