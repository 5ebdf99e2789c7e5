#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <picket/data/json.h>
#include <picket/data/yaml.h>
#include <picket/profile/schema.h>

namespace picket::profile {

enum class Format { yaml, json };
/// .yaml and .yml are YAML, everything else is JSON.
Format format_of(std::string_view file_name);

/// One thing that is wrong with a file, for the person who has to mend it.
struct Problem {
    std::string file;
    data::Position position; ///< line 0 = unknown
    std::string pointer;     ///< JSON pointer of the value; "" = the whole file
    std::string message;     ///< what is wrong and what would be right
    std::string suggestion;  ///< what was probably meant; may be empty
};
/// "FILE:3:5: antivirusEngine.scanArchive: no such key; did you mean scanArchives?" (one line, safe to show)
std::string to_text(const Problem& problem);
/// {file, line, column, pointer, message, suggestion?}
data::Json to_json(const Problem& problem);

/// The layout of documents that this build knows and writes. A document may say which it has, as "schema": 1.
inline constexpr std::int64_t kDocumentSchema = 1;

struct Validation {
    data::Json document;     ///< as written, without the member schema; may be used only where ok()
    std::int64_t schema = 0; ///< what that member says; 0 where there is none
    std::map<std::string, data::Position> positions;
    std::vector<Problem> problems; ///< at most kMaximumProblems
    bool ok() const { return problems.empty(); }
};
inline constexpr std::size_t kMaximumProblems = 50;
inline constexpr std::uint64_t kMaximumFileBytes = 1 << 20;

/// Checks a profile against the schema and the rules that JSON Schema cannot say (an exclusion that would cover the
/// system, "..", control characters). Names everything that is wrong, not only the first. `file` is the label in the
/// problems. Layer::local refuses what only a central profile may hold. Bounded by kMaximumFileBytes. To render YAML
/// as a managed file, write data::to_pretty_text(document).
Validation validate(std::string_view text, Format format, const std::string& file, Layer layer = Layer::managed);

} // namespace picket::profile
