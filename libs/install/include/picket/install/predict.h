#pragma once
#include <picket/install/plan.h>

namespace picket::install {

/// What the host is after the plan was carried out without a failure: the `after` of a dry run. Pure.
HostState predicted_state(HostState state, const Plan& plan);

} // namespace picket::install
