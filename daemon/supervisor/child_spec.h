#pragma once
#include <string>
#include <vector>

#include <picket/base/clock.h>

namespace picket::supervisor {

/// One child, as data. They are started in the order of their table and stopped in the reverse one.
struct ChildSpec {
    std::string name;                   ///< letters and digits: names its socket, too
    std::vector<std::string> arguments; ///< [0] is the absolute path of the program
    std::string user;                   ///< "" = ours
    /// The next child is started when this one said READY=1, or after so long at the latest; 0 = at once.
    Milliseconds start_wait{0};
    /// After its first WATCHDOG=1 it must repeat it within this time, or is killed and started again; 0 = not watched.
    Milliseconds watchdog{0};
    /// Its small file system of its own, made before its first start; "" = none.
    std::string temporary_directory;
};

struct ProgramPaths {
    std::string libexec = "/usr/libexec/picket";
    std::string sbin = "/usr/sbin";
};

/// Guard, remedy, link, definitions, gate, engine.
std::vector<ChildSpec> standard_children(const ProgramPaths& paths);

} // namespace picket::supervisor
