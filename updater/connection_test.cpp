#include "connection_test.h"

#include <picket/model/paths.h>

namespace picket::updater {

Result<connectivity::Report> test_connections(const sys::Root& root, const connectivity::Prober& probe) {
    const auto text = root.read(paths::kOnboarding, mebibytes(1));
    if (!text)
        return Error(ErrorCode::not_found, "this host belongs to no organisation: picket-installer onboard FILE");
    const auto settings = trust::network_settings_of(PICKET_TRY(data::parse_json(*text)));
    if (!settings)
        return settings.error().with_context(paths::kOnboarding);
    const auto hints = connectivity::find_proxy_hints(connectivity::no_variable, root);
    return connectivity::examine({.settings = *settings, .hints = hints, .probe = probe});
}

} // namespace picket::updater
