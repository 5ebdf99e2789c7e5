#include "signed_manifest.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/trust/onboarding.h>

namespace picket::trust {
namespace {

constexpr std::int64_t kReader = 1;
/// A reader up to this version promises to understand what is written today.
constexpr std::int64_t kNewestReader = 9;
constexpr std::size_t kMaxFiles = 4096;

bool is_digest(std::string_view text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(),
                                            [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<FileRecords> parse_records(const data::Json& files) {
    const Error malformed(ErrorCode::invalid_input, "manifest: \"files\" must be a list of {name, sha256, size}");
    if (!files.is_array() || files.size() > kMaxFiles)
        return malformed;
    FileRecords records;
    for (const data::Json& file : files) {
        const std::string name = PICKET_TRY(data::get_string(file, "name"));
        FileRecord record{PICKET_TRY(data::get_string(file, "sha256")), 0};
        const std::int64_t size = PICKET_TRY(data::get_integer(file, "size"));
        if (!archive::is_safe_name(name) || name == kManifestName || name == kSignatureName ||
            !is_digest(record.sha256) || size < 0)
            return malformed;
        record.size = static_cast<std::uint64_t>(size);
        if (!records.emplace(name, std::move(record)).second)
            return Error(ErrorCode::invalid_input, fmt::format("manifest: {} is listed twice", name));
    }
    return records;
}

} // namespace

data::Json schema_range() {
    return {{"version", kReader}, {"min_reader", kReader}, {"max_reader", kNewestReader}};
}

Result<void> check_schema_range(const data::Json& document) {
    const data::Json& schema = data::member(document, "schema");
    const std::int64_t minimum = PICKET_TRY(data::get_integer(schema, "min_reader"));
    const std::int64_t maximum = PICKET_TRY(data::get_integer(schema, "max_reader"));
    if (kReader < minimum)
        return Error(
            ErrorCode::invalid_input,
            fmt::format("needs a reader of version {} or later, this one is {}: use a newer Picket", minimum, kReader));
    if (kReader > maximum)
        return Error(ErrorCode::invalid_input,
                     fmt::format("is for readers up to version {}, this one is {}: make it anew", maximum, kReader));
    return {};
}

std::string manifest_text(data::Json document, std::string_view purpose, const crypto::PublicKey& key,
                          const FileRecords& files) {
    document["schema"] = schema_range();
    document["purpose"] = std::string(purpose);
    document["key"] = {{"id", crypto::to_text(key.id)}, {"public", key.to_base64()}};
    data::Json list = data::Json::array();
    for (const auto& [name, record] : files)
        list.push_back({{"name", name}, {"sha256", record.sha256}, {"size", record.size}});
    document["files"] = std::move(list);
    return data::to_pretty_text(document) + "\n";
}

Result<SignedManifest> verify_manifest(const crypto::PublicKey& key, std::string_view text, std::string_view signature,
                                       std::string_view purpose) {
    PICKET_TRY(crypto::verify_signature(key, as_bytes(text), signature));
    auto document = data::parse_json(text);
    if (!document)
        return document.error().with_context("manifest");
    if (data::string_or(*document, "purpose", "") != purpose)
        return Error(ErrorCode::invalid_input,
                     fmt::format("signed for the purpose \"{}\", not for \"{}\"",
                                 escape_for_display(data::string_or(*document, "purpose", "?")), purpose));
    if (data::string_or(data::member(*document, "key"), "public", "") != key.to_base64())
        return Error(ErrorCode::invalid_input, "manifest: names another key than the one that signed it");
    PICKET_TRY(check_schema_range(*document));
    FileRecords files = PICKET_TRY(parse_records(data::member(*document, "files")));
    return SignedManifest{std::move(*document), std::move(files)};
}

} // namespace picket::trust
