#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <utility>

/// Tables of the names that values have outside of the code.
namespace picket {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

template <typename Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
    for (const auto& [candidate, name] : names)
        if (candidate == value)
            return name;
    return "unknown";
}

template <typename Enum, std::size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view name) {
    for (const auto& [value, candidate] : names)
        if (candidate == name)
            return value;
    return std::nullopt;
}

} // namespace picket
