#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>
#include <picket/trust/network_settings.h>
#include <picket/updates/updater.h>

namespace picket::updates {

Result<Site> read_site(const sys::Root& root) {
    const auto text = root.read(paths::kOnboarding, mebibytes(1));
    if (!text)
        return Error(ErrorCode::not_found, "this host belongs to no organisation: picket-installer onboard FILE");
    const data::Json document = PICKET_TRY(data::parse_json(*text));
    trust::NetworkSettings network = PICKET_TRY(trust::network_settings_of(document));
    Site site{.url = network.endpoints["definitions"],
              .proxy = std::move(network.proxy),
              .no_proxy = std::move(network.no_proxy),
              .ca_certificates = std::move(network.ca_certificates)};
    if (site.url.empty())
        return Error(ErrorCode::not_found, "the organisation names no mirror for definitions: its next onboarding "
                                           "package can (picket-onboarding create --definitions-url URL)");
    site.organisation_key = PICKET_TRY(trust::key_of_document(document));
    return site;
}

} // namespace picket::updates
