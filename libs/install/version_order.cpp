#include <picket/install/version_order.h>

#include <algorithm>

#include <picket/base/text.h>

namespace picket::install {

bool is_older(std::string_view left, std::string_view right) {
    const auto left_parts = split(left, '.');
    const auto right_parts = split(right, '.');
    for (std::size_t i = 0; i < std::min(left_parts.size(), right_parts.size()); ++i) {
        const auto a = parse_unsigned(left_parts[i]);
        const auto b = parse_unsigned(right_parts[i]);
        if (a && b && *a != *b)
            return *a < *b;
        if ((!a || !b) && left_parts[i] != right_parts[i])
            return left_parts[i] < right_parts[i];
    }
    return left_parts.size() < right_parts.size();
}

} // namespace picket::install
