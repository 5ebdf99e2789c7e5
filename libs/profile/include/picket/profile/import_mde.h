#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/profile/validate.h>

namespace picket::profile {

enum class ImportAction {
    taken,     ///< as it stands there
    converted, ///< `reason` says how
    dropped,   ///< `reason` says why, and where the same is to be had
    noted,     ///< not in the file, but the two products differ without it
};
std::string_view to_string(ImportAction action);

struct ImportEntry {
    ImportAction action = ImportAction::dropped;
    std::string key;                  ///< as in the file: "antivirusEngine.exclusions[0]"
    data::Position position;          ///< in the file; line 0 where it is not there
    std::string target;               ///< our key, dotted; "" = none
    std::string reason;               ///< may be empty where it is taken
    std::vector<std::string> weakens; ///< what protects less than our default by it, one sentence each
};
/// "FILE:3:5: antivirusEngine.scanArchives: converted: …" and a line for each way in which it weakens.
std::string to_text(const ImportEntry& entry, std::string_view file);
/// {action, key, line, column, target?, reason?, weakens?}
data::Json to_json(const ImportEntry& entry);

struct MdeImport {
    data::Json document;              ///< a valid profile
    std::vector<ImportEntry> entries; ///< in the order of the file
    std::optional<Problem> problem;   ///< the file is no JSON object: nothing was imported
};

/// Makes a profile of an mdatp_managed.json. Here alone the faults of real files are forgiven, each with an entry:
/// numbers and booleans as text, a list as one text, words in other case, keys twice, a byte order mark. What does not
/// fit, or is not ours, is dropped with its reason. Pure; bounded by kMaximumFileBytes.
MdeImport import_mde(std::string_view text, const std::string& file);

} // namespace picket::profile
