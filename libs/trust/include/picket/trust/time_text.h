#pragma once
#include <picket/base/time_text.h>

namespace picket::trust {

using picket::parse_duration;
using picket::parse_time;

} // namespace picket::trust
