#include "memory.h"

#include <sys/sysinfo.h>

#include <picket/base/text.h>
#include <picket/sys/file.h>

namespace picket::engine {

std::uint64_t available_in(std::string_view meminfo) {
    constexpr std::string_view kKey = "MemAvailable:";
    for (const std::string_view line : split(meminfo, '\n')) {
        if (!line.starts_with(kKey))
            continue;
        const std::string_view value = trim(line.substr(kKey.size()));
        return parse_unsigned(value.substr(0, value.find(' '))).value_or(0) << 10;
    }
    return 0;
}

std::uint64_t available_memory() {
    if (const auto meminfo = sys::read_kernel_file("/proc/meminfo"))
        if (const std::uint64_t available = available_in(*meminfo); available != 0)
            return available;
    struct sysinfo info {};
    if (::sysinfo(&info) != 0)
        return 0;
    return (static_cast<std::uint64_t>(info.freeram) + info.bufferram) * info.mem_unit;
}

} // namespace picket::engine
