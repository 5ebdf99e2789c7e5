#pragma once
#include <picket/data/json.h>
#include <picket/model/connection.h>

/// Probes as they pass between processes (docs/control-protocol.md).
namespace picket::ipc {

data::Json to_json(const ProbeRequest& request);
/// invalid_input where there is no URL. The time limit is held between 1 and 60 s.
Result<ProbeRequest> probe_request_from(const data::Json& json);

data::Json to_json(const HopResult& hop);
data::Json to_json(const ProbeResult& result);
/// From a process that strangers may have taken over: texts come cut and escaped, times not negative, each hop once and
/// in order; what is missing counts as skipped. invalid_input where a word is none of ours.
Result<ProbeResult> probe_result_from(const data::Json& json);

} // namespace picket::ipc
