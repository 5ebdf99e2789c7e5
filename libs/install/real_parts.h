#pragma once
#include <picket/install/real_ports.h>

/// Private to libs/install.
namespace picket::install {

std::unique_ptr<TrustPort> make_trust_port(const sys::Root& root, const Clock& clock,
                                           std::vector<std::string> release_keys, std::string package_suffix);
std::unique_ptr<DefinitionsPort> make_definitions_port(const sys::Root& root, const Clock& clock);
std::unique_ptr<DaemonPort> make_daemon_port();
std::unique_ptr<HostPort> make_host_port(const sys::Root& root, const Clock& clock,
                                         const std::atomic<bool>& stop_requested);
std::unique_ptr<ProfilePort> make_profile_port();

} // namespace picket::install
