#pragma once
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include <picket/connectivity/report.h>
#include <picket/updates/updater.h>

namespace picket::updater {

struct Services {
    updates::Updater& updater;
    std::mutex& updating;                               ///< the updater is for one thread at a time
    std::function<Result<connectivity::Report>()> test; ///< of the connections
};

/// The definitions protocol (docs/control-protocol.md): one request in, one answer out. Any input gets an answer.
/// Thread-safe: a test of connections does not wait for a download.
std::string answer(const Services& services, std::string_view request);

} // namespace picket::updater
