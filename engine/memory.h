#pragma once
#include <cstdint>
#include <string_view>

namespace picket::engine {

/// What the kernel thinks could be taken without swapping: MemAvailable of /proc/meminfo; where that file is hidden or
/// older than 3.14, free memory and buffers alone (less than the truth). 0 = unknown.
std::uint64_t available_memory();
std::uint64_t available_in(std::string_view meminfo);

} // namespace picket::engine
