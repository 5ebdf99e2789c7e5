#include "onboarding_document.h"

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/random.h>
#include <picket/model/tag.h>
#include <picket/trust/rules.h>
#include <picket/trust/time_text.h>

#include "signed_manifest.h"

namespace picket::trust {
namespace {

constexpr std::size_t kMaxTags = 64;
constexpr std::size_t kMaxCertificates = 64;
constexpr std::size_t kMaxCertificateSize = 16 << 10;

Result<void> check_uuid(std::string_view id) {
    const auto fits = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-'; };
    if (id.size() != 36 || !std::all_of(id.begin(), id.end(), fits) || id[8] != '-' || id[13] != '-' || id[18] != '-' ||
        id[23] != '-')
        return Error(ErrorCode::invalid_input,
                     fmt::format("\"{}\": a lower-case UUID is expected", escape_for_display(id.substr(0, 64))));
    return {};
}

Result<void> check_certificates(const std::vector<std::string>& certificates) {
    const auto is_pem = [](const std::string& text) {
        return text.size() <= kMaxCertificateSize && text.starts_with("-----BEGIN CERTIFICATE-----\n") &&
               text.find("PRIVATE KEY") == std::string::npos && std::all_of(text.begin(), text.end(), [](char c) {
                   return c == '\n' || c == '\r' || (c >= 0x20 && c < 0x7f);
               });
    };
    if (certificates.size() > kMaxCertificates || !std::all_of(certificates.begin(), certificates.end(), is_pem))
        return Error(ErrorCode::invalid_input,
                     fmt::format("\"ca_certificates\": at most {} certificates in PEM are expected", kMaxCertificates));
    return {};
}

/// The rules that a request and a document have in common.
template <typename T>
Result<void> check_content(const T& content) {
    PICKET_TRY(check_uuid(content.organisation.id));
    PICKET_TRY(check_organisation_name(content.organisation.name));
    PICKET_TRY(check_region(content.organisation.region));
    for (const auto& [name, url] : content.endpoints)
        PICKET_TRY(check_url(url));
    if (content.tags.size() > kMaxTags)
        return Error(ErrorCode::invalid_input, fmt::format("more than {} tags", kMaxTags));
    for (const auto& [key, value] : content.tags)
        PICKET_TRY(check_tag(key, value));
    if (!content.proxy.empty())
        PICKET_TRY(check_proxy_url(content.proxy));
    PICKET_TRY(check_no_proxy(content.no_proxy));
    return check_certificates(content.ca_certificates);
}

Result<std::map<std::string, std::string>> string_map(const data::Json& document, std::string_view key) {
    const data::Json& object = data::member(document, key);
    std::map<std::string, std::string> map;
    if (object.is_null())
        return map;
    if (!object.is_object())
        return Error(ErrorCode::invalid_input, fmt::format("\"{}\" must be an object of strings", key));
    for (const auto& item : object.items())
        map.emplace(item.key(), PICKET_TRY(data::get_string(object, item.key())));
    return map;
}

Result<WallTime> time_of(const data::Json& document, std::string_view key) {
    const std::string text = PICKET_TRY(data::get_string(document, key));
    const auto time = parse_time(text);
    if (!time)
        return Error(ErrorCode::invalid_input,
                     fmt::format("\"{}\": \"{}\" is no time (2026-11-24T22:56:51Z)", key, escape_for_display(text)));
    return *time;
}

Result<void> fill(OnboardingPackage& package, const data::Json& document) {
    const data::Json& organisation = data::member(document, "organisation");
    package.organisation.id = PICKET_TRY(data::get_string(organisation, "id"));
    package.organisation.name = PICKET_TRY(data::get_string(organisation, "name"));
    package.organisation.region = PICKET_TRY(data::get_string(organisation, "region"));
    package.package_id = PICKET_TRY(data::get_string(document, "package_id"));
    package.endpoints = PICKET_TRY(string_map(document, "endpoints"));
    package.tags = PICKET_TRY(string_map(document, "tags"));
    package.proxy = data::string_or(document, "proxy", "");
    package.no_proxy = data::strings_of(data::member(document, "no_proxy"));
    package.ca_certificates = data::strings_of(data::member(document, "ca_certificates"));
    package.issued = PICKET_TRY(time_of(document, "issued"));
    package.expires = PICKET_TRY(time_of(document, "expires"));
    return check_content(package);
}

} // namespace

Result<data::Json> make_document(const OnboardingRequest& request, const crypto::PublicKey& key) {
    PICKET_TRY(check_content(request));
    if (request.lifetime <= std::chrono::seconds(0))
        return Error(ErrorCode::invalid_input, "a package must be valid for more than no time");
    data::Json keys = data::Json::array();
    keys.push_back({{"id", crypto::to_text(key.id)}, {"public", key.to_base64()}});
    return data::Json{
        {"schema", schema_range()},
        {"purpose", kOnboardingPurpose},
        {"package_id", crypto::random_uuid()},
        {"organisation",
         {{"id", request.organisation.id},
          {"name", request.organisation.name},
          {"region", request.organisation.region}}},
        {"keys", std::move(keys)},
        {"endpoints", data::Json(request.endpoints)},
        {"ca_certificates", data::Json(request.ca_certificates)},
        {"proxy", request.proxy.empty() ? data::Json() : data::Json(request.proxy)},
        {"no_proxy", data::Json(request.no_proxy)},
        {"tags", data::Json(request.tags)},
        {"issued", to_rfc3339(request.issued)},
        {"expires", to_rfc3339(request.issued + request.lifetime)},
    };
}

Result<crypto::PublicKey> key_of_document(const data::Json& document) {
    const data::Json& keys = data::member(document, "keys");
    if (!keys.is_array() || keys.empty())
        return Error(ErrorCode::invalid_input, "\"keys\" must hold the organisation's key");
    return crypto::PublicKey::parse(PICKET_TRY(data::get_string(keys.front(), "public")));
}

Result<OnboardingPackage> parse_document(const std::string& text, const crypto::PublicKey& key) {
    OnboardingPackage package;
    package.document = PICKET_TRY(data::parse_json(text));
    if (data::string_or(package.document, "purpose", "") != kOnboardingPurpose)
        return Error(ErrorCode::invalid_input, fmt::format("the purpose must be \"{}\"", kOnboardingPurpose));
    PICKET_TRY(check_schema_range(package.document));
    if (PICKET_TRY(key_of_document(package.document)) != key)
        return Error(ErrorCode::invalid_input, "names another key than the one that signed it");
    PICKET_TRY(fill(package, package.document));
    package.document_text = text;
    package.key = key;
    package.key_id = crypto::to_text(key.id);
    return package;
}

} // namespace picket::trust
