#pragma once
#include <functional>

#include <picket/model/connection.h>

namespace picket::net {

/// Goes the way of a download, and says of each hop how it went. Sends one GET without cookies, passwords or anything
/// of the environment; where a certificate is refused it connects once more, without sending anything, to see who shows
/// it. Whatever happens is a result: a URL that cannot be used is http_failed. Takes at most twice the request's time
/// limit; `cancelled` is asked about once a second. Only in a process that has nothing to lose: it parses what
/// strangers send.
ProbeResult probe(const ProbeRequest& request, const std::function<bool()>& cancelled);

} // namespace picket::net
