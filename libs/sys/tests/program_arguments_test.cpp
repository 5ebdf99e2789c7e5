#include <doctest/doctest.h>

#include <array>

#include <picket/sys/program_arguments.h>

using namespace picket;

TEST_CASE("options are read in any order, and what is no option or lacks its value is refused") {
    std::string socket = "default";
    std::string root = "/";
    const auto read = [&](std::initializer_list<const char*> words) {
        std::array<char*, 8> arguments{};
        int count = 0;
        for (const char* word : words)
            arguments[static_cast<std::size_t>(count++)] = const_cast<char*>(word);
        return sys::read_options(count, arguments.data(), {{"--socket", &socket}, {"--root", &root}});
    };
    CHECK(read({"program"}));
    CHECK(socket == "default");
    CHECK(read({"program", "--root", "/mnt", "--socket", "/run/s"}));
    CHECK(socket == "/run/s");
    CHECK(root == "/mnt");
    CHECK_FALSE(read({"program", "--socket"}));
    CHECK_FALSE(read({"program", "--unknown", "x"}));
    CHECK_FALSE(read({"program", "/run/s"}));
}
