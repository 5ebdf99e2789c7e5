#include <picket/trust/network_settings.h>

#include <picket/trust/rules.h>

namespace picket::trust {

Result<NetworkSettings> network_settings_of(const data::Json& document) {
    NetworkSettings settings;
    if (const data::Json& endpoints = data::member(document, "endpoints"); endpoints.is_object())
        for (const auto& item : endpoints.items()) {
            std::string url = PICKET_TRY(data::get_string(endpoints, item.key()));
            PICKET_TRY(check_url(url));
            while (url.ends_with('/'))
                url.pop_back();
            settings.endpoints.emplace(item.key(), std::move(url));
        }
    settings.proxy = data::string_or(document, "proxy", "");
    if (!settings.proxy.empty())
        PICKET_TRY(check_proxy_url(settings.proxy));
    settings.no_proxy = data::strings_of(data::member(document, "no_proxy"));
    PICKET_TRY(check_no_proxy(settings.no_proxy));
    for (const std::string& certificate : data::strings_of(data::member(document, "ca_certificates")))
        settings.ca_certificates += certificate + (certificate.ends_with('\n') ? "" : "\n");
    return settings;
}

} // namespace picket::trust
