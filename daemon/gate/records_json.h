#pragma once
#include <picket/data/json.h>
#include <picket/model/event.h>
#include <picket/store/store.h>

namespace picket::daemon {

/// Records as docs/control-protocol.md shows them; fields that do not apply are left out.
data::Json to_json(const Event& event);
data::Json to_json(const Threat& threat);
data::Json to_json(const store::EventCheck& check);

} // namespace picket::daemon
