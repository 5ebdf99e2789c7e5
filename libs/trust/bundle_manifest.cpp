#include "bundle_manifest.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/trust/time_text.h>

namespace picket::trust {
namespace {

Result<WallTime> time_of(const data::Json& document, std::string_view key) {
    const std::string text = PICKET_TRY(data::get_string(document, key));
    const auto time = parse_time(text);
    if (!time)
        return Error(ErrorCode::invalid_input, fmt::format("manifest: \"{}\" is no time (2026-11-24T22:56:51Z)", key));
    return *time;
}

Result<crypto::PublicKey> signer_among(const std::vector<crypto::PublicKey>& keys, std::string_view signature) {
    const crypto::KeyId id = PICKET_TRY(crypto::signer_of(signature));
    const auto found =
        std::find_if(keys.begin(), keys.end(), [&id](const crypto::PublicKey& key) { return key.id == id; });
    if (found == keys.end())
        return Error(
            ErrorCode::conflict,
            fmt::format("signed with key {}, which is not a release key of this installer", crypto::to_text(id)));
    return *found;
}

Result<BundleManifest> parse(const SignedManifest& source) {
    BundleManifest manifest;
    manifest.version = PICKET_TRY(data::get_string(source.document, "version"));
    manifest.architecture = PICKET_TRY(data::get_string(source.document, "architecture"));
    PICKET_TRY(check_version(manifest.version));
    PICKET_TRY(check_version(manifest.architecture));
    manifest.build_date = PICKET_TRY(time_of(source.document, "build_date"));
    manifest.expires = PICKET_TRY(time_of(source.document, "expires"));
    if (!data::member(source.document, "next_release_key").is_null()) {
        const std::string next = PICKET_TRY(data::get_string(source.document, "next_release_key"));
        manifest.next_release_key = PICKET_TRY(crypto::PublicKey::parse(next));
    }
    for (const auto& [name, record] : source.files)
        manifest.files.push_back({name, record.sha256, Bytes{record.size}});
    return manifest;
}

} // namespace

Result<void> check_version(std::string_view version) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("._+~-").find(c) != std::string_view::npos;
    };
    if (version.empty() || version.size() > 64 || version[0] == '-' || version[0] == '.' ||
        !std::all_of(version.begin(), version.end(), fits))
        return Error(ErrorCode::invalid_input,
                     fmt::format("\"{}\": letters, digits and \"._+~-\" are expected, at most 64",
                                 escape_for_display(version.substr(0, 100))));
    return {};
}

std::string bundle_manifest_text(const BundleRequest& request, const crypto::PublicKey& key, const FileRecords& files) {
    return manifest_text(
        {{"version", request.version},
         {"architecture", request.architecture},
         {"build_date", to_rfc3339(request.build_date)},
         {"expires", to_rfc3339(request.expires)},
         {"next_release_key",
          request.next_release_key ? data::Json(request.next_release_key->to_base64()) : data::Json()}},
        kBundlePurpose, key, files);
}

Result<BelievedManifest> verify_bundle_manifest(const std::vector<crypto::PublicKey>& keys, std::string_view text,
                                                std::string_view signature) {
    const crypto::PublicKey key = PICKET_TRY(signer_among(keys, signature));
    const SignedManifest source = PICKET_TRY(verify_manifest(key, text, signature, kBundlePurpose));
    return BelievedManifest{PICKET_TRY(parse(source)), key};
}

} // namespace picket::trust
