#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>
#include <picket/trust/onboarding.h>
#include <picket/trust/rules.h>
#include <picket/updates/updater.h>

namespace picket::updates {

Result<Site> read_site(const sys::Root& root) {
    const auto text = root.read(paths::kOnboarding, mebibytes(1));
    if (!text)
        return Error(ErrorCode::not_found, "this host belongs to no organisation: picket-installer onboard FILE");
    const data::Json document = PICKET_TRY(data::parse_json(*text));
    Site site;
    site.url = data::string_or(data::member(document, "endpoints"), "definitions", "");
    while (site.url.ends_with('/'))
        site.url.pop_back();
    if (site.url.empty())
        return Error(ErrorCode::not_found, "the organisation names no mirror for definitions: its next onboarding "
                                           "package can (picket-onboarding create --definitions-url URL)");
    PICKET_TRY(trust::check_url(site.url));
    site.proxy = data::string_or(document, "proxy", "");
    if (!site.proxy.empty())
        PICKET_TRY(trust::check_proxy_url(site.proxy));
    for (const std::string& certificate : data::strings_of(data::member(document, "ca_certificates")))
        site.ca_certificates += certificate + (certificate.ends_with('\n') ? "" : "\n");
    site.organisation_key = PICKET_TRY(trust::key_of_document(document));
    return site;
}

} // namespace picket::updates
