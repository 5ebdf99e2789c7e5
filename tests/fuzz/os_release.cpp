// An os-release file, from its bytes to the verdict on the distribution.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <picket/host/distro.h>

using namespace picket;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const host::SupportMatrix matrix = host::SupportMatrix::built_in();
    static const sys::Root root = sys::Root::open("/proc/self/fdinfo").value(); // no release files there
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto release = host::parse_os_release(text);
    const host::DistroVerdict verdict = host::judge_distro(matrix, release, root, std::nullopt);
    // Whatever came in, what goes to a terminal is harmless, short, and a verdict has its reason.
    for (const std::string* shown : {&verdict.observed, &verdict.reason})
        if (shown->size() > 4'096 || shown->find('\x1b') != std::string::npos || shown->find('\n') != std::string::npos)
            std::abort();
    if (verdict.status != host::DistroStatus::supported && verdict.reason.empty())
        std::abort();
    if (!release && verdict.status != host::DistroStatus::unsupported)
        std::abort();
    return 0;
}
