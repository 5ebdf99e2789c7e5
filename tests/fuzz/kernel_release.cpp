// The text of uname -r.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <picket/sys/kernel.h>

using namespace picket;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto release = sys::parse_kernel_release(text);
    if (!release) {
        if (release.error().message().size() > 1'024 || release.error().message().find('\x1b') != std::string::npos)
            std::abort();
        return 0;
    }
    // What was understood is understood again, and compares as equal to itself.
    const auto again = sys::parse_kernel_release(release->text);
    if (!again || again->compare_base(*release) != 0 ||
        sys::meets_minimum_kernel(*again) != sys::meets_minimum_kernel(*release))
        std::abort();
    return 0;
}
