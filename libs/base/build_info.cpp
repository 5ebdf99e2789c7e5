#include <picket/base/build_info.h>

#include <array>
#include <cstdlib>
#include <string>

#include "build_date.h"

namespace picket::build {
namespace {

/// Fields of a fixed size, each behind its mark and padded with zeros: what a program is can be read from its file, and
/// the tests of upgrades write other versions and dates into copies of it. Volatile, so that each use reads them.
struct Stamp {
    std::array<char, 16> version_mark{"PICKET-VERSION="};
    std::array<char, 32> version{PICKET_VERSION};
    std::array<char, 16> date_mark{"PICKET-BUILT-AT"};
    std::array<char, 32> date{PICKET_BUILD_EPOCH};
};
[[gnu::used]] const volatile Stamp g_stamp;

template <std::size_t Size>
std::string text_of(const volatile std::array<char, Size>& field) {
    std::string text;
    const volatile char* const begin = reinterpret_cast<const volatile char*>(&field);
    for (std::size_t i = 0; i < Size && begin[i] != 0; ++i)
        text += begin[i];
    return text;
}

} // namespace

const char* version() {
    static const std::string kVersion = text_of(g_stamp.version);
    return kVersion.c_str();
}
WallTime built_at() {
    static const long long kSeconds = std::strtoll(text_of(g_stamp.date).c_str(), nullptr, 10);
    return WallTime(std::chrono::seconds(kSeconds));
}
WallTime expiration() {
    using namespace std::chrono;
    const auto day = floor<days>(built_at());
    const year_month_day same_day = year_month_day(day) + months(9);
    const sys_days end = same_day.ok() ? same_day : same_day.year() / same_day.month() / last;
    return end + (built_at() - day);
}

} // namespace picket::build
