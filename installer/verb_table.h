#pragma once
#include <optional>
#include <string_view>

#include <picket/command_line/verb.h>
#include <picket/install/session.h>

namespace picket::installer {

const command_line::Program& program();
install::VerbKind kind_of(std::string_view words);

} // namespace picket::installer
