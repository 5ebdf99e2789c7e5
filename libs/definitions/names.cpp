#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>
#include <picket/definitions/store.h>

namespace picket::definitions {
namespace {

constexpr std::array<std::string_view, 20> kExtensions{"cvd", "cld", "ndb", "hdb", "hsb", "ldb",  "mdb",
                                                       "msb", "fp",  "sfp", "ftm", "yar", "yara", "ign2",
                                                       "cdb", "crb", "pdb", "gdb", "wdb", "idb"};
constexpr std::size_t kLongestGenerationName = 63; // what fits into the engine's greeting
constexpr std::size_t kLongestFileName = 100;

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool has_only(std::string_view name, std::string_view extra) {
    return !name.empty() && is_alphanumeric(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
        return is_alphanumeric(c) || extra.find(c) != std::string_view::npos;
    });
}

} // namespace

bool is_definition_file(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || name.size() > kLongestFileName || !has_only(name, "._-"))
        return false;
    return std::find(kExtensions.begin(), kExtensions.end(), name.substr(dot + 1)) != kExtensions.end();
}

bool is_generation_name(std::string_view name) {
    return name.size() <= kLongestGenerationName && has_only(name, ".-");
}

std::string make_generation_name(WallTime created, std::string_view digest_hex) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(created);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
    return fmt::format("{}-{}", text.data(), digest_hex.substr(0, 8));
}

} // namespace picket::definitions
