#pragma once
#include <string>
#include <string_view>

#include <picket/updates/updater.h>

namespace picket::updater {

/// The definitions protocol (docs/control-protocol.md): one request in, one answer out. Any input gets an answer.
std::string answer(updates::Updater& updater, std::string_view request);

} // namespace picket::updater
