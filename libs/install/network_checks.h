#pragma once
#include <string>
#include <vector>

#include <picket/connectivity/report.h>
#include <picket/host/check.h>

/// network.endpoints, network.proxy, network.tls_interception. Private to libs/install.
namespace picket::install {

/// Pure. What is not reached is a warning: a host is protected with what the bundle holds, and may have no network on
/// the day it is made. A stranger's certificate in the place of the organisation's is a failure: that is no missing
/// network but somebody in between, and an administrator says once (--accept) that this is meant to be.
std::vector<host::CheckResult> network_checks(const connectivity::Report& report);

/// Goes the ways of that onboarding.json, each in an unprivileged child, for at most 5 s (10 s where a certificate is
/// refused). All three are skipped, with the reason, where this host cannot confine a child.
std::vector<host::CheckResult> run_network_checks(const std::string& document, const sys::Root& root);

} // namespace picket::install
