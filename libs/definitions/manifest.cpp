#include "manifest.h"

#include <numeric>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::definitions {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr std::size_t kContainerHeader = 512;
constexpr std::size_t kCountField = 3; // ClamAV-VDB:time:version:count:…

Result<FileRecord> record_from(const data::Json& value) {
    FileRecord record;
    record.name = PICKET_TRY(data::get_string(value, "name"));
    record.sha256 = PICKET_TRY(data::get_string(value, "sha256"));
    record.size = static_cast<std::uint64_t>(PICKET_TRY(data::get_integer(value, "size")));
    record.signatures = static_cast<std::uint64_t>(data::integer_or(value, "signatures", 0));
    if (!is_definition_file(record.name))
        return Error(ErrorCode::corrupt, fmt::format("the manifest names {}", escape_for_display(record.name)));
    return record;
}

} // namespace

std::uint64_t Generation::signatures() const {
    return std::accumulate(files.begin(), files.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const FileRecord& file) { return sum + file.signatures; });
}

data::Json to_json(const Generation& generation) {
    data::Json files = data::Json::array();
    for (const FileRecord& file : generation.files)
        files.push_back(
            {{"name", file.name}, {"sha256", file.sha256}, {"size", file.size}, {"signatures", file.signatures}});
    data::Json json{{"schema", kSchema},
                    {"name", generation.name},
                    {"created", generation.created},
                    {"source", generation.source},
                    {"signatures", generation.signatures()},
                    {"files", std::move(files)}};
    if (generation.origin.is_object())
        json["origin"] = generation.origin;
    return json;
}

Result<Generation> parse_manifest(const std::string& name, std::string_view text) {
    const auto parsed = data::parse_json(text);
    if (!parsed)
        return Error(ErrorCode::corrupt, parsed.error().message()).with_context(fmt::format("manifest of {}", name));
    Generation generation;
    generation.name = name;
    generation.created = data::string_or(*parsed, "created", "");
    generation.source = data::string_or(*parsed, "source", "");
    generation.origin = data::member(*parsed, "origin");
    const data::Json& files = data::member(*parsed, "files");
    if (!files.is_array() || files.empty() || files.size() > kMaximumFiles)
        return Error(ErrorCode::corrupt,
                     fmt::format("manifest of {}: 'files' should be a list of 1 to {} files", name, kMaximumFiles));
    for (const data::Json& file : files) {
        auto record = record_from(file);
        if (!record)
            return Error(ErrorCode::corrupt, record.error().message())
                .with_context(fmt::format("manifest of {}", name));
        generation.files.push_back(std::move(*record));
    }
    return generation;
}

SignatureCounter::SignatureCounter(std::string_view file_name)
    : container_(file_name.ends_with(".cvd") || file_name.ends_with(".cld")) {}

void SignatureCounter::update(std::string_view bytes) {
    if (container_) {
        header_.append(bytes.substr(0, kContainerHeader - std::min(kContainerHeader, header_.size())));
        return;
    }
    for (const char c : bytes) {
        if (c == '\n') {
            lines_ += !line_is_empty_ && !line_is_comment_ ? 1 : 0;
            line_is_empty_ = true;
            line_is_comment_ = false;
        } else if (c != '\r' && line_is_empty_) {
            line_is_empty_ = false;
            line_is_comment_ = c == '#';
        }
    }
}

std::uint64_t SignatureCounter::count() const {
    if (!container_)
        return lines_ + (!line_is_empty_ && !line_is_comment_ ? 1 : 0);
    const auto fields = split(header_, ':');
    return fields.size() > kCountField ? parse_unsigned(fields[kCountField]).value_or(0) : 0;
}

} // namespace picket::definitions
