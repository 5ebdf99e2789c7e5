#include <doctest/doctest.h>

#include <filesystem>

#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/base/testing/kill_points.h>
#include <picket/profile/effective.h>
#include <picket/profile/local.h>

#include "tree.h"

using namespace picket;
using namespace picket::profile;
namespace fs = std::filesystem;

namespace {
constexpr const char* kSettings = "/var/lib/picket/settings.json";
constexpr const char* kCopy = "/var/lib/picket/settings.json.bak-0";

unsigned deadline_of(const sys::Root& root) {
    return static_cast<unsigned>(load(root, LoadMode::read_only).policy->open_deadline.count());
}
} // namespace

TEST_CASE("settings.json says its version; one without is taken as it is, and copied before it is rewritten") {
    const Tree tree;
    const sys::Root root = tree.root();
    const std::string old = R"({"realTimeProtection":{"openDeadlineMs":700}})";
    tree.settings(old);
    CHECK(deadline_of(root) == 700);
    CHECK(set_setting(root, "scan-archives", "disabled").value());
    CHECK(tree.read(kCopy) == old);
    CHECK(data::integer_or(data::parse_json(tree.read(kSettings)).value(), "schema", 0) == 1);
    fs::remove(tree.path.string() + kCopy);
    CHECK(set_setting(root, "open-deadline-ms", "800").value());
    CHECK_FALSE(fs::exists(tree.path.string() + kCopy));
    CHECK(load(root).problems.empty());
    CHECK(deadline_of(root) == 800);
    CHECK_FALSE(load(root).policy->scan_archives);
}

TEST_CASE("a newer settings.json is refused with a clear message and left as it is") {
    const Tree tree;
    const sys::Root root = tree.root();
    for (const std::string newer : {R"({"schema":2,"realTimeProtection":{"openDeadlineMs":700},"newSection":{}})",
                                    R"({"schema":"later"})", R"({"schema":0})"}) {
        tree.settings(newer);
        const EffectiveProfile profile = load(root);
        REQUIRE(profile.problems.size() == 1);
        CHECK(to_text(profile.problems[0]).find(":1:") != std::string::npos);
        CHECK(profile.problems[0].message.find("this program knows version 1") != std::string::npos);
        CHECK(deadline_of(root) == 2'000);
        CHECK(set_setting(root, "open-deadline-ms", "800").error().code() == ErrorCode::corrupt);
        CHECK(tree.read(kSettings) == newer);
    }
}

TEST_CASE("killed at any system call, settings.json is whole and has what was acknowledged") {
    constexpr unsigned kFirst = 101;
    constexpr unsigned kLast = 102;
    const Tree tree;
    const sys::Root root = tree.root();
    const std::size_t kills = testing::kill_at_every_call(
        1, [&] { tree.settings(R"({"realTimeProtection":{"openDeadlineMs":100}})"); },
        [&](const testing::Acknowledge& acknowledge) {
            for (unsigned value = kFirst; value <= kLast; ++value) {
                PICKET_CHECK(set_setting(root, "open-deadline-ms", std::to_string(value)).has_value());
                acknowledge(value);
            }
        },
        [&](const testing::KilledRun& run) {
            CAPTURE(run.calls);
            CHECK(load(root, LoadMode::read_only).problems.empty());
            const unsigned promised = run.acknowledged.empty() ? 100 : static_cast<unsigned>(run.acknowledged.back());
            CHECK(deadline_of(root) >= promised);
            CHECK(deadline_of(root) <= promised + 1);
        });
    if (kills == 0)
        MESSAGE("skipped: processes cannot be traced here");
    CHECK((kills == 0 || kills > 50));
}
