#include <doctest/doctest.h>

#include <string>

#include <picket/sys/kernel.h>

using namespace picket;
using namespace picket::sys;

namespace {
struct Row {
    const char* release;
    bool new_enough;
};
} // namespace

TEST_CASE("kernel releases are compared the way kernels are versioned") {
    const Row rows[] = {
        {"3.10.0-327.el7", true},
        {"3.10.0-327.el7.x86_64", true},
        {"3.10.0-327.36.3.el7.x86_64", true},
        {"3.10.0-1160.119.1.el7.x86_64", true},
        {"3.10.0-862.14.4.rt56.821.el7.x86_64", true},
        {"3.10.0-229", false},
        {"3.10.0-229.20.1.el7.x86_64", false},
        {"3.10.0-326.el7", false},
        {"3.10.0-123.el7.x86_64", false},
        {"3.10.0", false}, // no build number: nothing shows that it has the backports
        {"3.10.0-rc3", false},
        {"3.10", false},
        {"3.10.1", true},
        {"3.10.108-1-custom", true},
        {"3.9.99", false},
        {"3.9.99-999", false},
        {"3.8.13-98.7.1.el7uek", false},
        {"3.8.13-98.7.1.el7uek.x86_64", false},
        {"2.6.32-754.35.1.el6.x86_64", false},
        {"2.6.32", false},
        {"3.2.0-4-amd64", false},
        {"3.12.28-4-default", true},
        {"3.13.0-24-generic", true},
        {"3.16.0-4-amd64", true},
        {"4.1.12-37.3.1.el7uek.x86_64", true},
        {"4.4.0-21-generic", true},
        {"4.9.0-19-amd64", true},
        {"4.12.14-122.37-default", true},
        {"4.18.0-553.el8_10.x86_64", true},
        {"4.14.355-275.570.amzn2.x86_64", true},
        {"5.4.17-2102.el8uek", true},
        {"5.4.17-2102.201.3.el8uek.x86_64", true},
        {"5.10.0-28-cloud-amd64", true},
        {"5.15.153.1-microsoft-standard-WSL2", true},
        {"6.1.0-18-amd64", true},
        {"6.4.0-150600.23.47-default", true},
        {"6.6.51+rpt-rpi-v8", true},
        {"6.8.0-45-generic", true},
        {"6.12.0-0.rc3.20241018git4d939780b705.30.fc42.x86_64", true},
        {"6.18.44-fc", true},
        {"6.18.44-fc-v782", true},
        {"7.0-rc1", true},
        {"10.0.1", true},
        {"4.19foo", true}, // CONFIG_LOCALVERSION needs no separator
    };
    for (const Row& row : rows) {
        CAPTURE(row.release);
        const auto release = parse_kernel_release(row.release);
        REQUIRE(release);
        CHECK(meets_minimum_kernel(*release) == row.new_enough);
        CHECK(release->text == row.release);
    }
}

TEST_CASE("the parts of a kernel release") {
    const KernelRelease release = parse_kernel_release("3.10.0-327.36.3.el7.x86_64\n").value();
    CHECK(release.major == 3);
    CHECK(release.minor == 10);
    CHECK(release.patch == 0);
    CHECK(release.build == 327U);
    CHECK_FALSE(parse_kernel_release("6.1")->build);
    CHECK_FALSE(parse_kernel_release("6.1-rc1")->build);
    CHECK(parse_kernel_release("6.9.12")->compare_base(*parse_kernel_release("6.10.1")) < 0);
    CHECK(parse_kernel_release("3.10.0-1")->compare_base(*parse_kernel_release("3.10.0-2")) == 0);
}

TEST_CASE("garbage for a kernel release is an error that shows the text") {
    const std::string rows[] = {"",
                                "\n",
                                "garbage",
                                "6",
                                "6.",
                                ".6.1",
                                "-1.2",
                                "v6.1.0",
                                "6.x",
                                "six.one",
                                " 6.1.0",
                                "6.1.0 ",
                                "6.1\n\n",
                                "6.1.0\tx",
                                "99999999999.1",
                                "6.1.99999999999",
                                "6.-1",
                                "+6.1",
                                std::string("6.1\0.3", 6),
                                "6.1.\xc3\xa4"};
    for (const std::string& text : rows) {
        CAPTURE(text);
        const auto release = parse_kernel_release(text);
        REQUIRE_FALSE(release);
        CHECK(release.error().code() == ErrorCode::invalid_input);
    }
    CHECK(parse_kernel_release("garbage").error().message().find("\"garbage\"") != std::string::npos);
    CHECK(parse_kernel_release("\x1b[2J6.1").error().message().find('\x1b') == std::string::npos);
    const auto huge = parse_kernel_release("6.1." + std::string(1'000'000, '1'));
    REQUIRE_FALSE(huge);
    CHECK(huge.error().message().size() < 300);
}

TEST_CASE("the running kernel can be parsed") {
    CHECK(parse_kernel_release(running_kernel_release()));
    CHECK_FALSE(running_machine().empty());
}
