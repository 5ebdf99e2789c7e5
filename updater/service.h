#pragma once
#include <functional>
#include <string>
#include <string_view>

#include <picket/connectivity/report.h>
#include <picket/updates/updater.h>

namespace picket::updater {

struct Services {
    updates::Updater& updater;
    std::function<Result<connectivity::Report>()> test; ///< of the connections
};

/// The definitions protocol (docs/control-protocol.md): one request in, one answer out. Any input gets an answer.
std::string answer(const Services& services, std::string_view request);

} // namespace picket::updater
