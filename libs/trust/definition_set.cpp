#include <picket/trust/definition_set.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/trust/time_text.h>

#include "signed_manifest.h"

namespace picket::trust {
namespace {

constexpr const char* kSetPurpose = "picket-definitions";
constexpr const char* kKeyListPurpose = "picket-definitions-keys";
constexpr std::size_t kMostKeys = 16;
constexpr std::size_t kMostFiles = 256;

/// What both have in common.
template <typename Document>
data::Json head_of(const Document& document) {
    return {{"version", document.version},
            {"issued", to_rfc3339(document.issued)},
            {"expires", to_rfc3339(document.expires)}};
}

Result<WallTime> time_of(const data::Json& document, std::string_view key) {
    const std::string text = PICKET_TRY(data::get_string(document, key));
    const auto time = parse_time(text);
    if (!time)
        return Error(ErrorCode::invalid_input, fmt::format("\"{}\" is no time (2026-11-24T22:56:51Z)", key));
    return *time;
}

template <typename Document>
Result<Document> parse_head(const data::Json& source) {
    const std::int64_t version = PICKET_TRY(data::get_integer(source, "version"));
    if (version < 1)
        return Error(ErrorCode::invalid_input, "\"version\" must be 1 or more");
    Document document;
    document.version = static_cast<std::uint64_t>(version);
    document.issued = PICKET_TRY(time_of(source, "issued"));
    document.expires = PICKET_TRY(time_of(source, "expires"));
    return document;
}

Result<SignedText> sign(std::string text, const crypto::SecretKey& key, std::string_view what, std::uint64_t version) {
    std::string signature = PICKET_TRY(key.sign(as_bytes(text), fmt::format("{} version {}", what, version)));
    return SignedText{std::move(text), std::move(signature)};
}

Result<KeyList> parse_key_list(const data::Json& document) {
    auto list = PICKET_TRY(parse_head<KeyList>(document));
    const data::Json& keys = data::member(document, "keys");
    if (!keys.is_array() || keys.empty() || keys.size() > kMostKeys)
        return Error(ErrorCode::invalid_input, fmt::format("\"keys\" must be a list of 1 to {} keys", kMostKeys));
    for (const data::Json& key : keys) {
        const std::string text = PICKET_TRY(data::get_string(key, "public"));
        list.keys.push_back(PICKET_TRY(crypto::PublicKey::parse(text)));
    }
    return list;
}

} // namespace

Result<SignedText> sign_key_list(const KeyList& list, const crypto::SecretKey& organisation_key) {
    data::Json document = head_of(list);
    document["keys"] = data::Json::array();
    for (const crypto::PublicKey& key : list.keys)
        document["keys"].push_back({{"id", crypto::to_text(key.id)}, {"public", key.to_base64()}});
    return sign(manifest_text(std::move(document), kKeyListPurpose, organisation_key.public_key(), {}),
                organisation_key, kKeyListPurpose, list.version);
}

Result<KeyList> verify_key_list(const crypto::PublicKey& organisation_key, std::string_view text,
                                std::string_view signature) {
    const auto believed = verify_manifest(organisation_key, text, signature, kKeyListPurpose);
    if (!believed)
        return believed.error().with_context(kKeyListName);
    auto list = parse_key_list(believed->document);
    return list ? std::move(list) : list.error().with_context(kKeyListName);
}

Result<SignedText> sign_definition_set(const DefinitionSet& set, const crypto::SecretKey& key) {
    FileRecords records;
    for (const SetFile& file : set.files)
        if (!records.emplace(file.name, FileRecord{file.sha256, file.size.count}).second)
            return Error(ErrorCode::invalid_input, fmt::format("{} is there twice", file.name));
    return sign(manifest_text(head_of(set), kSetPurpose, key.public_key(), records), key, kSetPurpose, set.version);
}

Result<BelievedSet> verify_definition_set(const std::vector<crypto::PublicKey>& keys, std::string_view text,
                                          std::string_view signature) {
    const auto context = [](const Error& error) { return error.with_context(kSetManifestName); };
    const auto id = crypto::signer_of(signature);
    if (!id)
        return context(id.error());
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const auto& one) { return one.id == *id; });
    if (key == keys.end())
        return context(Error(ErrorCode::conflict, fmt::format("signed with key {}, which the organisation does not "
                                                              "name (any more) in {}",
                                                              crypto::to_text(*id), kKeyListName)));
    const auto believed = verify_manifest(*key, text, signature, kSetPurpose);
    if (!believed)
        return context(believed.error());
    auto set = parse_head<DefinitionSet>(believed->document);
    if (!set)
        return context(set.error());
    if (believed->files.empty() || believed->files.size() > kMostFiles)
        return context(Error(ErrorCode::invalid_input, fmt::format("a set has 1 to {} files", kMostFiles)));
    for (const auto& [name, record] : believed->files)
        set->files.push_back({name, record.sha256, Bytes{record.size}});
    return BelievedSet{std::move(*set), *key};
}

} // namespace picket::trust
