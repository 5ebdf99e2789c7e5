#pragma once
#include <functional>
#include <string>

#include <picket/ipc/seqpacket.h>
#include <picket/net/download.h>

namespace picket::link {

/// The link protocol (docs/control-protocol.md): one request in, one answer out. Any input gets an answer.
std::string answer(net::Downloader& downloader, const ipc::Message& request, const std::function<bool()>& cancelled);

} // namespace picket::link
