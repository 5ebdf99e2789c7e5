#include <picket/base/bytes.h>

#include <array>

#include <fmt/format.h>

namespace picket {

std::string to_human(Bytes size) {
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    auto value = static_cast<double>(size.count);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", size.count) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

} // namespace picket
