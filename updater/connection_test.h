#pragma once
#include <picket/connectivity/report.h>

namespace picket::updater {

/// Whether this host reaches what its onboarding says that it needs: picket-link goes the ways. not_found where it
/// belongs to no organisation.
Result<connectivity::Report> test_connections(const sys::Root& root, const connectivity::Prober& probe);

} // namespace picket::updater
