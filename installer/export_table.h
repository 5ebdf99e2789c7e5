#pragma once
#include <atomic>
#include <string_view>
#include <vector>

#include <picket/command_line/verb.h>
#include <picket/install/real_ports.h>
#include <picket/install/session.h>

namespace picket::installer {

/// A verb that writes files for whoever administers hosts, and looks at no host: neither root nor lock is needed.
struct ExportKind {
    command_line::Verb verb;
    install::Report (*run)(const command_line::Invocation& invocation, const std::atomic<bool>& stop);
};
const std::vector<ExportKind>& export_kinds();
/// nullptr where it is another verb.
const ExportKind* find_export(std::string_view words);

/// What the ports of a real host have to know of this program: who may sign a bundle.
install::RealOptions real_options();

/// The bundle that --bundle names, or the newest beside this program, or in the current directory; "" = none.
std::string bundle_of(const command_line::Invocation& invocation);

} // namespace picket::installer
