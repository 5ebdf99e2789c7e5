#include <algorithm>
#include <array>

#include <doctest/doctest.h>

#include "confinement.h"
#include "memory.h"
#include "options.h"

using namespace picket;
using namespace picket::engine;

namespace {

template <std::size_t N>
Result<Options> parse(const std::array<const char*, N>& arguments) {
    return parse_options(static_cast<int>(N), arguments.data());
}

} // namespace

TEST_CASE("the command line: known options, absolute paths, numbers in range") {
    const auto options =
        parse(std::array{"picket-engine", "--socket", "/a", "--workers", "3", "--once", "--user", "x"});
    REQUIRE(options);
    CHECK(options->socket == "/a");
    CHECK(options->workers == 3);
    CHECK(options->once);
    CHECK(options->user == "x");
    CHECK(options->definitions == paths::kDefinitionsDirectory);
    CHECK(!parse(std::array{"picket-engine", "--sockt", "/a"}));
    CHECK(!parse(std::array{"picket-engine", "--socket"}));
    CHECK(!parse(std::array{"picket-engine", "--socket", "relative"}));
    CHECK(!parse(std::array{"picket-engine", "--workers", "0"}));
    CHECK(!parse(std::array{"picket-engine", "--workers", "65"}));
}

TEST_CASE("MemAvailable is read where the kernel tells it") {
    CHECK(available_in("MemTotal:  100 kB\nMemAvailable:    12345 kB\n") == 12345U << 10);
    CHECK(available_in("MemTotal:  100 kB\nMemFree: 5 kB\n") == 0);
    CHECK(available_memory() > 0);
}

TEST_CASE("every name in the tables of system calls is known on this architecture, or is another's") {
    // Forms that only 32-bit or older architectures have.
    const std::vector<std::string> others{"_llseek", "mmap2",     "stat64",  "lstat64",
                                          "fstat64", "fstatat64", "fcntl64", "ftruncate64"};
    for (const auto& rules : {supervisor_syscalls(), zygote_syscalls(), worker_syscalls()})
        for (const std::string& name : sandbox::unknown_syscalls(rules))
            CHECK_MESSAGE(std::find(others.begin(), others.end(), name) != others.end(), name);
}
