#pragma once
#include <functional>
#include <mutex>
#include <string>

#include <picket/ipc/seqpacket.h>
#include <picket/net/download.h>

namespace picket::link {

/// What downloads share: one at a time. Probes need nothing of it.
struct Network {
    net::Downloader downloader;
    std::mutex downloading;
};

/// The link protocol (docs/control-protocol.md): one request in, one answer out. Any input gets an answer. Thread-safe:
/// a probe does not wait for a download.
std::string answer(Network& network, const ipc::Message& request, const std::function<bool()>& cancelled);

} // namespace picket::link
