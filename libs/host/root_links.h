#pragma once
#include <string>
#include <string_view>

#include <picket/base/bytes.h>
#include <picket/sys/file.h>

namespace picket::host {

/// sys::Root refuses links; these few places need the honest ones of a distribution (/etc/os-release →
/// ../usr/lib/os-release, /var/run → /run). A link is read, never walked: its target counts from the top of `root`,
/// ".." stops there, and the result is a path without links that sys::Root opens. A link swapped in between makes that
/// open fail.
Result<std::string> resolve_in_root(const sys::Root& root, std::string_view path);

/// Root::read through links.
Result<std::string> read_through_links(const sys::Root& root, std::string_view path, Bytes limit);

/// Follows links as far as names exist, and returns the deepest directory that does: "/var/lib" for
/// "/var/lib/picket/x" on a fresh host.
std::string nearest_existing_directory(const sys::Root& root, std::string_view path);

/// The text of a link, "" where it is none. `name` may be any file below a directory descriptor.
std::string read_link_at(int directory_fd, const char* name);

} // namespace picket::host
