#include <doctest/doctest.h>

#include <picket/gate/verdict_file.h>

#include "gate_world.h"

using namespace picket;
using namespace picket::gate;
using picket::gate::testing::World;

namespace {

const WallTime kSaved{std::chrono::seconds(1'800'000'000)};

watch::FilesystemIdentity ext4(std::uint64_t device, std::uint16_t mounts) {
    watch::FilesystemIdentity filesystem;
    filesystem.type = "ext4";
    filesystem.uuid[0] = 7;
    filesystem.device = device;
    filesystem.mount_id = 30;
    filesystem.mounts = mounts;
    return filesystem;
}

watch::FilesystemIdentity xfs(std::uint64_t device) {
    watch::FilesystemIdentity filesystem = ext4(device, 0);
    filesystem.type = "xfs";
    filesystem.uuid[0] = 8;
    filesystem.mounts.reset();
    return filesystem;
}

VerdictFile stored() {
    return {"1.0 b",
            "boot-1",
            "1.4.3",
            "g1",
            99,
            kSaved,
            {ext4(2049, 5), xfs(2050)},
            {{{2049, 11, 100, -5, 6}, 3}, {{2050, 12, 200, 7, 8}, 0xffffffff}}};
}

Situation rebooted() {
    return {"1.0 b", "boot-2", 99, kSaved + std::chrono::hours(1), {ext4(2065, 6), xfs(2066)}};
}

std::size_t counting(const Situation& situation) {
    std::string why;
    return still_valid(stored(), situation, why).size();
}

} // namespace

TEST_CASE("stored verdicts come back as they were, and not one byte may differ") {
    const std::string bytes = encode(stored());
    const auto back = decode(bytes);
    REQUIRE(back);
    CHECK(back->definitions == "g1");
    CHECK(back->saved == kSaved);
    CHECK(back->filesystems == stored().filesystems);
    REQUIRE(back->verdicts.size() == 2);
    CHECK(back->verdicts[0].key == stored().verdicts[0].key);
    CHECK(back->verdicts[1].generation == 0xffffffff);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        CHECK_FALSE(decode(changed));
        CHECK_FALSE(decode(bytes.substr(0, at)));
    }
    CHECK_FALSE(decode(bytes + "x"));
}

TEST_CASE("verdicts of a file system that is not named are never stored") {
    VerdictFile file = stored();
    file.verdicts.push_back({{77, 1, 1, 1, 1}, 1}); // a tmpfs, an overlay, a stick
    CHECK(decode(encode(file))->verdicts.size() == 2);
}

TEST_CASE("after a reboot only a file system that counts one mount more is believed, at its new device number") {
    std::string why;
    const auto valid = still_valid(stored(), rebooted(), why);
    REQUIRE(valid.size() == 1);
    CHECK(valid[0].key == watch::FileKey{2065, 11, 100, -5, 6});
    CHECK(valid[0].generation == 3);
    CHECK(why.empty());
    for (const std::uint16_t mounts :
         std::initializer_list<std::uint16_t>{4, 5, 7, 0}) { // mounted elsewhere, checked, or put back to an old copy
        Situation situation = rebooted();
        situation.filesystems[0].mounts = mounts;
        CHECK(still_valid(stored(), situation, why).empty());
        CHECK(why.find("nobody else") != std::string::npos);
    }
    Situation other = rebooted();
    other.filesystems[0].uuid[1] = 1;
    CHECK(counting(other) == 0);
    Situation read_only = rebooted();
    read_only.filesystems[0].read_only = true;
    CHECK(counting(read_only) == 0);
    read_only.filesystems[0].mounts = 5;
    CHECK(counting(read_only) == 1);
}

TEST_CASE("in one boot only the same mount is believed, whatever the file system") {
    Situation same = rebooted();
    same.boot_id = "boot-1";
    same.filesystems = stored().filesystems;
    CHECK(counting(same) == 2);
    Situation remounted = same;
    remounted.filesystems[0].mounts = 6;
    CHECK(counting(remounted) == 1);
    remounted.filesystems[1].mount_id = 31;
    CHECK(counting(remounted) == 0);
    Situation elsewhere = same;
    elsewhere.filesystems[1].device = 2070;
    CHECK(counting(elsewhere) == 1);
}

TEST_CASE("another version, another profile, a clock that went back, and old age drop the whole") {
    Situation situation = rebooted();
    situation.build = "1.1";
    CHECK(counting(situation) == 0);
    situation = rebooted();
    situation.policy = 98;
    CHECK(counting(situation) == 0);
    situation = rebooted();
    situation.now = kSaved - std::chrono::seconds(1);
    CHECK(counting(situation) == 0);
    situation.now = kSaved + std::chrono::hours(24 * 31);
    CHECK(counting(situation) == 0);
}

TEST_CASE("a restored verdict answers once its inode is seen to be the same, and is kept for the next time") {
    World world;
    auto& same = world.add_file(1);
    auto& reused = world.add_file(2);
    same.generation = 41;
    reused.generation = 43;
    world.gate().restore_verdicts({"", "g1", 0, {{same.facts.key, 41}, {reused.facts.key, 42}}});
    world.start_engine();
    CHECK_FALSE(world.gate().knows_clean(same.facts.key)); // not before the file itself was looked at
    CHECK(world.answers.at(world.open(1)) == Decision::allow);
    CHECK(world.scanned() == 0);
    CHECK(world.gate().statistics().restored_hits == 1);
    CHECK(world.gate().knows_clean(same.facts.key));
    CHECK_FALSE(world.is_answered(world.open(2)));
    CHECK(world.scanned() == 1);
    world.reply(1, Verdict::clean);
    CHECK(world.gate().clean_verdicts().size() == 2);
}

TEST_CASE("a file that changed, has a writer, or is malicious now is scanned whatever was known") {
    World world;
    auto& written = world.add_file(1);
    auto& changed = world.add_file(2);
    world.gate().restore_verdicts({"", "g1", 0, {{written.facts.key, 1}, {changed.facts.key, 1}}});
    written.writer = true;
    ++changed.facts.key.ctime_ns;
    world.start_engine();
    CHECK_FALSE(world.is_answered(world.open(1)));
    CHECK_FALSE(world.is_answered(world.open(2)));
    world.reply(2, Verdict::malicious, "Evil");
    for (const CleanVerdict& known : world.gate().clean_verdicts())
        CHECK(known.key != changed.facts.key);
}

TEST_CASE(
    "restored verdicts are nothing under other definitions, another policy, after lost events or a file system's end") {
    const auto scans = [](const std::function<void(World&)>& before_open, const char* definitions = "g1") {
        World world;
        auto& file = world.add_file(1);
        world.gate().restore_verdicts({"", "g1", 0, {{file.facts.key, 1}}});
        world.start_engine(2, definitions);
        before_open(world);
        (void)world.open(1);
        return world.scanned();
    };
    CHECK(scans([](World&) {}) == 0);
    CHECK(scans([](World&) {}, "g2") == 1);
    CHECK(scans([](World& world) { world.start_engine(2, "g2"); }) == 1);
    CHECK(scans([](World& world) { world.gate().on_event({watch::EventKind::overflow, {}, 0}); }) == 1);
    CHECK(scans([](World& world) { world.gate().forget_device(8); }) == 1);
    CHECK(scans([](World& world) {
              profile::Policy other = *world.policy;
              other.generation = 5;
              world.use(other);
          }) == 1);
    World world;
    auto& file = world.add_file(1);
    world.gate().restore_verdicts({"", "g1", 4, {{file.facts.key, 1}}}); // of another policy
    world.start_engine();
    (void)world.open(1);
    CHECK(world.scanned() == 1);
}

TEST_CASE("another version of the engine is as good as other definitions") {
    World world;
    auto& file = world.add_file(1);
    world.gate().restore_verdicts({"1.4.2", "g1", 0, {{file.facts.key, 1}}});
    world.gate().on_engine_ready("g1", "1.4.3");
    world.gate().on_worker_ready(1, "g1");
    (void)world.open(1);
    CHECK(world.scanned() == 1);
}
