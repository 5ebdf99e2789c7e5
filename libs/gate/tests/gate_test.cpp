#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include <filesystem>

#include "gate_world.h"

using namespace picket;
using namespace picket::gate;
using picket::gate::testing::World;
using namespace std::chrono_literals;

namespace {

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

const Outcome* last(const World& world, Outcome::Kind kind) {
    for (auto outcome = world.outcomes.rbegin(); outcome != world.outcomes.rend(); ++outcome)
        if (outcome->kind == kind)
            return &*outcome;
    return nullptr;
}

} // namespace

TEST_CASE("a clean file is scanned once, then answered from the cache") {
    World world;
    world.start_engine();
    world.add_file(7);
    const int first = world.open(7);
    CHECK_FALSE(world.is_answered(first));
    world.reply(1, Verdict::clean);
    CHECK(world.answers.at(first) == Decision::allow);
    const int second = world.open(7);
    CHECK(world.answers.at(second) == Decision::allow);
    CHECK(world.scanned() == 1);
    CHECK(world.gate().statistics().cache_hits == 1);
}

TEST_CASE("a malicious file is denied, reported with its descriptor, and denied again from the cache") {
    World world;
    world.start_engine();
    world.add_file(7).path = "/home/eve/virus";
    const int first = world.open(7);
    world.reply(1, Verdict::malicious, "Evil");
    CHECK(world.answers.at(first) == Decision::deny);
    const Outcome* found = last(world, Outcome::Kind::detection);
    REQUIRE(found);
    CHECK(found->denied);
    CHECK(found->act);
    CHECK(found->file);
    CHECK(found->path == "/home/eve/virus");
    CHECK(found->finding.threat_name == "Evil");
    CHECK(found->definitions == "g1");
    CHECK(world.answers.at(world.open(7)) == Decision::deny);
    CHECK(last(world, Outcome::Kind::repeated) != nullptr);
    CHECK(world.scanned() == 1);
}

TEST_CASE("our own opens are answered at once, with no engine and before any look") {
    World world;
    CHECK(world.answers.at(world.open(999, World::kOwnPid)) == Decision::allow);
    CHECK(world.gate().statistics().own == 1);
}

TEST_CASE("directories, devices and empty files cost no scan, but a FUSE file of size 0 does") {
    World world;
    world.start_engine();
    world.add_file(1).facts.regular = false;
    world.add_file(2).facts.key.size = 0;
    auto& fuse = world.add_file(3);
    fuse.facts.key.size = 0;
    fuse.kind = watch::FilesystemKind::opaque;
    CHECK(world.is_answered(world.open(1)));
    CHECK(world.is_answered(world.open(2)));
    CHECK_FALSE(world.is_answered(world.open(3)));
}

TEST_CASE("no verdict is stored or used where the kernel cannot show us writers") {
    World world;
    world.start_engine(1);
    const auto scans_for_two_opens = [&](std::uint64_t inode) {
        const std::size_t before = world.scanned();
        for (int i = 0; i < 2; ++i) {
            const int fd = world.open(inode);
            if (!world.is_answered(fd))
                world.reply(1, Verdict::clean);
        }
        return world.scanned() - before;
    };
    world.add_file(1).writer = true;
    CHECK(scans_for_two_opens(1) == 2);
    world.add_file(2).kind = watch::FilesystemKind::opaque;
    CHECK(scans_for_two_opens(2) == 2);
    world.add_file(3).kind = watch::FilesystemKind::overlay;
    CHECK(scans_for_two_opens(3) == 2);
    auto& lower = world.add_file(4);
    lower.kind = watch::FilesystemKind::overlay;
    lower.facts.root_only_writable = true;
    CHECK(scans_for_two_opens(4) == 1);
    auto& fresh = world.add_file(5);
    fresh.facts.key.ctime_ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(world.clock.wall().time_since_epoch()).count();
    CHECK(scans_for_two_opens(5) == 2);
    auto& fat = world.add_file(6);
    fat.kind = watch::FilesystemKind::coarse;
    fat.facts.key.ctime_ns = fresh.facts.key.ctime_ns - 1'000'000'000;
    CHECK(scans_for_two_opens(6) == 2);
    auto& future = world.add_file(7);
    future.facts.key.ctime_ns = fresh.facts.key.ctime_ns + 3'600'000'000'000;
    CHECK(scans_for_two_opens(7) == 2);
}

TEST_CASE("a writer who comes while a file is scanned keeps the verdict from being remembered") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    world.open(1);
    world.files[1].writer = true;
    world.reply(1, Verdict::clean);
    world.files[1].writer = false;
    CHECK_FALSE(world.is_answered(world.open(1)));
}

TEST_CASE("content that changed during the scan is not remembered under its old key") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    const watch::FileKey old_key = world.files[1].facts.key;
    world.open(1);
    world.files[1].facts.key.mtime_ns += 1;
    world.reply(1, Verdict::clean);
    world.files[1].facts.key = old_key;
    CHECK_FALSE(world.is_answered(world.open(1)));
}

TEST_CASE("many openers of one cold file wait for one scan") {
    World world;
    world.start_engine(2);
    world.add_file(1);
    std::vector<int> fds;
    for (int i = 0; i < 50; ++i)
        fds.push_back(world.open(1, 500 + i));
    CHECK(world.scanned() == 1);
    world.reply(1, Verdict::clean);
    for (const int fd : fds)
        CHECK(world.answers.at(fd) == Decision::allow);
    CHECK(world.gate().statistics().joined == 49);
}

TEST_CASE("a file that is open for writing is not joined once somebody has begun to read it") {
    World world;
    world.start_engine(2);
    world.add_file(1).writer = true;
    world.open(1);
    world.open(1);
    CHECK(world.scanned() == 2);
}

TEST_CASE("with no engine the failure policy answers at once, and says why") {
    World world;
    world.add_file(1);
    CHECK(world.answers.at(world.open(1)) == Decision::allow);
    profile::Policy strict;
    strict.open_failure = Decision::deny;
    strict.exec_failure = Decision::allow;
    world.use(strict);
    CHECK(world.answers.at(world.open(1)) == Decision::deny);
    CHECK(world.answers.at(world.open(1, 500, watch::EventKind::exec_permission)) == Decision::allow);
    REQUIRE(last(world, Outcome::Kind::unscanned));
    CHECK(last(world, Outcome::Kind::unscanned)->reason == FailureReason::no_engine);
    CHECK(world.gate().statistics().unscanned[static_cast<int>(FailureReason::no_engine)] == 3);
}

TEST_CASE("past the deadline the policy answers, the scan goes on, and what it finds is acted on") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    const int fd = world.open(1);
    world.advance(1'999ms);
    CHECK_FALSE(world.is_answered(fd));
    CHECK(world.gate().next_deadline().has_value());
    world.advance(2ms);
    CHECK(world.answers.at(fd) == Decision::allow);
    CHECK(last(world, Outcome::Kind::unscanned)->reason == FailureReason::deadline);
    const int second = world.open(1); // joins the pending scan
    CHECK(world.scanned() == 1);
    world.reply(1, Verdict::malicious, "Late");
    CHECK(world.answers.at(second) == Decision::deny);
    CHECK(last(world, Outcome::Kind::detection)->act);
    CHECK(last(world, Outcome::Kind::detection)->file);
}

TEST_CASE("a crash is tried once more, then the file counts as one the engine fails on") {
    World world;
    world.start_engine(2);
    world.add_file(1);
    const int fd = world.open(1);
    world.gate().on_worker_lost(1);
    CHECK(world.requests.contains(2));
    CHECK_FALSE(world.is_answered(fd));
    world.gate().on_worker_lost(2);
    CHECK(world.answers.at(fd) == Decision::allow);
    CHECK(last(world, Outcome::Kind::unscanned)->reason == FailureReason::engine_crashed);
    world.gate().on_worker_ready(3, "g1");
    const std::size_t before = world.scanned();
    CHECK(world.is_answered(world.open(1)));
    CHECK(world.scanned() == before);
    world.gate().on_engine_ready("g2"); // new definitions: worth another try
    CHECK_FALSE(world.is_answered(world.open(1)));
}

TEST_CASE("an engine that dies releases everybody at once") {
    World world;
    world.start_engine(1);
    for (std::uint64_t inode = 1; inode <= 100; ++inode)
        world.add_file(inode);
    std::vector<int> fds;
    for (std::uint64_t inode = 1; inode <= 100; ++inode)
        fds.push_back(world.open(inode));
    world.gate().on_engine_lost("gone");
    for (const int fd : fds)
        CHECK(world.is_answered(fd));
    CHECK(world.gate().held_opens() == 0);
    world.start_engine(1);
    CHECK_FALSE(world.is_answered(world.open(1)));
}

TEST_CASE("an engine that answers nobody is called stopped, and nobody waits for it any more") {
    World world;
    world.start_engine(1);
    for (std::uint64_t inode = 1; inode <= 4; ++inode)
        world.add_file(inode);
    world.open(1);
    world.open(2);
    world.open(3);
    world.advance(2'001ms);
    CHECK(world.gate().engine_stopped());
    CHECK(world.is_answered(world.open(4)));
    CHECK(last(world, Outcome::Kind::unscanned)->reason == FailureReason::engine_stopped);
    world.gate().on_worker_ready(9, "g1");
    CHECK_FALSE(world.gate().engine_stopped());
    CHECK_FALSE(world.is_answered(world.open(4)));
}

TEST_CASE("silence of the supervisor is enough, and a pong ends it") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    const int fd = world.open(1);
    world.gate().on_engine_silent();
    CHECK(world.is_answered(fd));
    world.gate().on_engine_alive();
    CHECK_FALSE(world.gate().engine_stopped());
    world.reply(1, Verdict::malicious, "Found after all");
    CHECK(last(world, Outcome::Kind::detection) != nullptr);
}

TEST_CASE("a slow file loses its worker when others wait behind it") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    world.add_file(2);
    world.open(1);
    world.advance(1'500ms);
    const int other = world.open(2);
    world.advance(501ms); // the first is past its deadline, the second is not
    world.advance(1ms);
    CHECK(world.killed == std::vector<WorkerId>{1});
    world.gate().on_worker_ready(2, "g1");
    REQUIRE(world.requests.contains(2));
    world.reply(2, Verdict::clean);
    CHECK(world.answers.at(other) == Decision::allow);
}

TEST_CASE("a reply to a question that was not asked costs the worker its place") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    const int fd = world.open(1);
    scan::ScanReply lie;
    lie.id = 4711;
    lie.verdict = Verdict::clean;
    world.gate().on_worker_reply(1, lie);
    CHECK(world.killed == std::vector<WorkerId>{1});
    CHECK_FALSE(world.is_answered(fd)); // tried again with the next worker
    world.gate().on_worker_ready(2, "g1");
    world.reply(2, Verdict::malicious, "Evil");
    CHECK(world.answers.at(fd) == Decision::deny);
}

TEST_CASE("overload answers by policy and holds no more descriptors") {
    World world;
    world.limits.held_opens = 3;
    world.start_engine(1);
    for (std::uint64_t inode = 1; inode <= 5; ++inode)
        world.add_file(inode);
    for (std::uint64_t inode = 1; inode <= 3; ++inode)
        CHECK_FALSE(world.is_answered(world.open(inode)));
    CHECK(world.is_answered(world.open(4)));
    CHECK(last(world, Outcome::Kind::unscanned)->reason == FailureReason::overload);
}

TEST_CASE("one user's thousands of opens hold up that user, and not another") {
    World world;
    world.owners = {{500, 1000}, {600, 1001}, {601, 1001}};
    world.limits.held_opens = 100;
    world.limits.held_opens_of_one = 75;
    world.start_engine(1);
    for (std::uint64_t inode = 1; inode <= 90; ++inode)
        world.add_file(inode);
    std::vector<int> flood;
    for (std::uint64_t inode = 1; inode <= 80; ++inode)
        flood.push_back(world.open(inode, 500));
    CHECK_FALSE(world.is_answered(flood[74]));
    CHECK(world.is_answered(flood[75])); // above his share: the failure policy
    CHECK(last(world, Outcome::Kind::unscanned)->reason == FailureReason::overload);
    const int first = world.open(81, 600);
    const int second = world.open(82, 601);
    const int joined = world.open(70, 600); // a file that is far behind in the other's turn
    world.reply(1, Verdict::clean);         // the one that had begun
    CHECK_FALSE(world.is_answered(flood[1]));
    for (int turn = 0; turn < 6; ++turn)
        world.reply(1, Verdict::clean);
    CHECK(world.is_answered(first));
    CHECK(world.is_answered(second));
    CHECK(world.is_answered(joined));
    CHECK(world.is_answered(flood[69])); // the same file
    CHECK_FALSE(world.is_answered(flood[5]));
    while (!world.requests.empty())
        world.reply(1, Verdict::clean);
    CHECK(world.gate().held_opens() == 0);
    CHECK_FALSE(world.is_answered(world.open(83, 500))); // there is room again
}

TEST_CASE("opens that ran out of time behind a busy engine do not make it a dead one") {
    World world;
    world.start_engine(1);
    for (std::uint64_t inode = 1; inode <= 21; ++inode)
        world.add_file(inode);
    std::vector<int> opens;
    for (std::uint64_t inode = 1; inode <= 20; ++inode)
        opens.push_back(world.open(inode));
    world.advance(Milliseconds(1'500));
    world.reply(1, Verdict::clean); // slow, and alive
    world.advance(world.policy->open_deadline);
    CHECK(world.is_answered(opens.back()));
    CHECK(last(world, Outcome::Kind::unscanned)->reason == FailureReason::deadline);
    CHECK_FALSE(world.gate().engine_stopped());
    CHECK_FALSE(world.is_answered(world.open(21)));
}

TEST_CASE("an engine does not answer for the one before it") {
    World world;
    world.start_engine(1);
    for (std::uint64_t inode = 1; inode <= 4; ++inode) {
        world.add_file(inode);
        (void)world.open(inode);
    }
    world.advance(world.policy->open_deadline);
    CHECK(world.gate().engine_stopped());
    world.gate().on_engine_lost("killed");
    world.advance(Milliseconds(100)); // while the next one loads
    CHECK_FALSE(world.gate().engine_stopped());
}

TEST_CASE("whoever writes most loses the oldest of what he wrote, where too much was written") {
    World world;
    world.owners = {{500, 1000}, {600, 1001}};
    world.limits.queued_closes = 3;
    world.start_engine(1);
    for (std::uint64_t inode = 1; inode <= 6; ++inode)
        world.add_file(inode);
    world.close_write(1, 600);
    for (std::uint64_t inode = 2; inode <= 5; ++inode)
        world.close_write(inode, 500);
    CHECK(world.gate().statistics().close_writes_dropped == 2);
    world.advance(Milliseconds(100));
    while (!world.requests.empty())
        world.reply(1, Verdict::malicious, "Evil");
    bool has_first = false;
    for (const Outcome& outcome : world.outcomes)
        has_first = has_first || outcome.key.inode == 1;
    CHECK(has_first);
}

TEST_CASE("audit reports and lets through, on_demand and passive hold nothing") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    profile::Policy policy;
    policy.generation = 1;
    policy.enforcement_level = profile::EnforcementLevel::audit;
    world.use(policy);
    const int fd = world.open(1);
    world.reply(1, Verdict::malicious, "Evil");
    CHECK(world.answers.at(fd) == Decision::allow);
    CHECK_FALSE(last(world, Outcome::Kind::detection)->act);
    CHECK(last(world, Outcome::Kind::detection)->would_deny);
    CHECK(world.answers.at(world.open(1)) == Decision::allow); // from the cache, and told as well
    REQUIRE(last(world, Outcome::Kind::repeated) != nullptr);
    CHECK(last(world, Outcome::Kind::repeated)->would_deny);
    CHECK_FALSE(last(world, Outcome::Kind::repeated)->denied);
    CHECK(world.gate().statistics().would_have_denied == 2);
    policy.allowed_threats = {"Evil"};
    policy.generation = 3;
    world.use(policy);
    (void)world.open(1);
    world.reply(1, Verdict::malicious, "Evil");
    CHECK(world.gate().statistics().would_have_denied == 2);
    policy.generation = 2;
    policy.enforcement_level = profile::EnforcementLevel::passive;
    world.use(policy);
    CHECK(world.answers.at(world.open(1)) == Decision::allow);
    CHECK(world.scanned() == 2);
}

TEST_CASE("what is excluded, allowed by name, or unwanted only by policy") {
    World world;
    world.start_engine(1);
    world.add_file(1).path = "/srv/database/data";
    world.add_file(2).path = "/srv/other";
    profile::Policy policy;
    policy.generation = 1;
    policy.exclusions.directories = {"/srv/database"};
    policy.allowed_threats = {"Known"};
    world.use(policy);
    SUBCASE("a path is believed only in the host's own mounts") {
        CHECK_FALSE(world.is_answered(world.open(1)));
        world.reply(1, Verdict::clean);
        world.gate().set_host_mounts(std::make_shared<std::unordered_set<int>>(std::unordered_set<int>{1}));
        world.gate().forget_verdicts();
        CHECK(world.is_answered(world.open(1)));
        world.files[1].mount = 99;
        CHECK_FALSE(world.is_answered(world.open(1)));
    }
    SUBCASE("an allowed threat is let through and reported as such") {
        const int fd = world.open(2);
        world.reply(1, Verdict::malicious, "Known");
        CHECK(world.answers.at(fd) == Decision::allow);
        CHECK(last(world, Outcome::Kind::detection)->allowed);
        CHECK_FALSE(last(world, Outcome::Kind::detection)->act);
    }
    SUBCASE("potentially unwanted: audit reports, block denies") {
        const int fd = world.open(2);
        world.reply(1, Verdict::potentially_unwanted, "PUA.Tool");
        CHECK(world.answers.at(fd) == Decision::allow);
        policy.generation = 2;
        policy.potentially_unwanted = profile::ThreatAction::block;
        world.use(policy);
        const int again = world.open(2);
        world.reply(1, Verdict::potentially_unwanted, "PUA.Tool");
        CHECK(world.answers.at(again) == Decision::deny);
    }
}

TEST_CASE("a limit that was passed is never remembered as clean") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    const int fd = world.open(1);
    world.reply(1, Verdict::limit_exceeded);
    CHECK(world.answers.at(fd) == Decision::allow);
    profile::Policy policy;
    policy.archive_bomb = profile::ThreatAction::block; // the same generation: nothing is flushed
    world.use(policy);
    CHECK(world.answers.at(world.open(1)) == Decision::deny);
}

TEST_CASE("CLOSE_WRITE is scanned a moment later, and an open does not wait for that moment") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    world.close_write(1);
    CHECK(world.scanned() == 0);
    SUBCASE("alone") {
        world.advance(30ms);
        CHECK(world.scanned() == 1);
        world.reply(1, Verdict::malicious, "Evil");
        CHECK(last(world, Outcome::Kind::detection)->origin == EventOrigin::close_write);
        CHECK(last(world, Outcome::Kind::detection)->act);
        CHECK_FALSE(last(world, Outcome::Kind::detection)->denied);
    }
    SUBCASE("an open takes it over") {
        const int fd = world.open(1);
        CHECK(world.scanned() == 1);
        world.reply(1, Verdict::malicious, "Evil");
        CHECK(world.answers.at(fd) == Decision::deny);
    }
}

TEST_CASE("lost events flush the cache") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    world.open(1);
    world.reply(1, Verdict::clean);
    world.gate().on_event({watch::EventKind::overflow, UniqueFd(), 0});
    CHECK_FALSE(world.is_answered(world.open(1)));
    CHECK(last(world, Outcome::Kind::events_lost) != nullptr);
}

TEST_CASE("new definitions ask anew, and old workers' verdicts are not remembered") {
    World world;
    profile::Policy policy;
    policy.old_verdict_time = {};
    world.policy = std::make_shared<profile::Policy>(policy);
    world.start_engine(1, "g1");
    world.add_file(1);
    world.open(1);
    world.reply(1, Verdict::clean);
    world.gate().on_engine_ready("g2");
    CHECK_FALSE(world.is_answered(world.open(1)));
    world.reply(1, Verdict::clean); // worker 1 still has g1
    CHECK_FALSE(world.is_answered(world.open(1)));
}

TEST_CASE("after new definitions an old verdict answers for a while, and the file is looked at again behind it") {
    World world;
    world.start_engine(2, "g1");
    world.add_file(1);
    world.open(1);
    world.reply(1, Verdict::clean);
    world.gate().on_engine_ready("g2");
    for (unsigned worker = 1; worker <= 2; ++worker) {
        world.gate().on_worker_lost(worker);
        world.gate().on_worker_ready(worker, "g2");
    }
    SUBCASE("many opens, one look") {
        for (int i = 0; i < 5; ++i)
            CHECK(world.answers.at(world.open(1)) == Decision::allow);
        CHECK(world.scanned() == 2);
        world.reply(1, Verdict::clean);
        world.open(1);
        CHECK(world.scanned() == 2);
        CHECK(world.gate().statistics().cache_hits == 1);
        CHECK(world.gate().statistics().old_verdicts == 5);
    }
    SUBCASE("a threat is found and acted on, and the next open is denied") {
        world.open(1);
        world.reply(1, Verdict::malicious, "New");
        REQUIRE(!world.outcomes.empty());
        CHECK(world.outcomes.back().kind == Outcome::Kind::detection);
        CHECK(world.outcomes.back().act);
        CHECK(world.answers.at(world.open(1)) == Decision::deny);
    }
    SUBCASE("not for a file that has changed") {
        world.files.at(1).facts.key.mtime_ns += 1;
        CHECK_FALSE(world.is_answered(world.open(1)));
    }
    SUBCASE("not beyond the time that the policy gives") {
        world.advance(std::chrono::minutes(60));
        CHECK_FALSE(world.is_answered(world.open(1)));
    }
    SUBCASE("not over two sets of definitions") {
        world.gate().on_engine_ready("g3");
        CHECK_FALSE(world.is_answered(world.open(1)));
    }
    SUBCASE("opens of other files come first") {
        for (std::uint64_t inode = 2; inode < 5; ++inode)
            world.add_file(inode);
        world.open(2);
        world.open(3); // both workers are busy
        CHECK(world.answers.at(world.open(1)) == Decision::allow);
        world.open(4);
        world.reply(1, Verdict::clean);
        world.reply(2, Verdict::clean);
        CHECK(world.gate().statistics().scans == 5);
        world.reply(1, Verdict::clean);
        CHECK(world.is_answered(world.open(4)));
    }
}

TEST_CASE("the kernel stops asking about a clean file that none but root can change, until that may be so no more") {
    World world;
    world.start_engine();
    world.add_file(7).facts.root_only_writable = true;
    world.add_file(8);
    World::File& overlay = world.add_file(9);
    overlay.facts.root_only_writable = true;
    overlay.kind = watch::FilesystemKind::overlay;
    const auto open_clean = [&](std::uint64_t inode) {
        world.open(inode);
        if (world.requests.contains(1))
            world.reply(1, Verdict::clean);
    };
    for (const std::uint64_t inode : {7U, 8U, 9U})
        open_clean(inode);
    CHECK(world.ignored == std::set<std::uint64_t>{7});
    CHECK(world.gate().statistics().ignore_marks == 1);

    SUBCASE("it is closed after writing") {
        world.close_write(7);
        CHECK(world.ignored.empty());
    }
    SUBCASE("new definitions") {
        world.gate().on_engine_ready("g2");
        CHECK(world.ignored.empty());
    }
    SUBCASE("another policy") {
        profile::Policy changed;
        changed.generation = 2;
        world.use(changed);
        CHECK(world.ignored.empty());
    }
    SUBCASE("lost events") {
        world.gate().on_event({watch::EventKind::overflow, UniqueFd(), 0});
        CHECK(world.ignored.empty());
    }
    SUBCASE("it is a file by which protection is proved") {
        CHECK(!world.gate().is_canary_seen(8, 7, world.clock.monotonic() + Milliseconds(1)));
        CHECK(world.ignored.empty());
        open_clean(7); // known clean: from the cache
        CHECK(world.gate().is_canary_seen(8, 7, world.clock.monotonic()));
        CHECK(world.ignored.empty());
    }
    SUBCASE("and is asked again by an open, the next mark comes from the cache") {
        world.gate().on_event({watch::EventKind::overflow, UniqueFd(), 0});
        open_clean(7);
        CHECK(world.scanned() == 4);
        world.ignored.clear(); // the inode left memory
        open_clean(7);
        CHECK(world.scanned() == 4);
        CHECK(world.ignored == std::set<std::uint64_t>{7});
    }
}

TEST_CASE("a file that is opened for writing, or changed, before the mark is set gets none") {
    World world;
    world.start_engine();
    world.add_file(7).facts.root_only_writable = true;
    world.open(7);
    SUBCASE("written to") {
        world.on_hold_off = [](World::File& file) { file.facts.key.mtime_ns += 1; };
    }
    SUBCASE("opened for writing") {
        world.on_hold_off = [](World::File& file) { file.writer = true; };
    }
    SUBCASE("others may write to it now") {
        world.on_hold_off = [](World::File& file) { file.facts.root_only_writable = false; };
    }
    world.reply(1, Verdict::clean);
    CHECK(world.ignored.empty());
    CHECK(world.held_off.empty());
    CHECK(world.gate().statistics().ignore_marks == 0);
}

TEST_CASE("marks that pin memory are bounded, and a threat never gets one") {
    World world;
    world.limits.pinned_files = 3;
    world.marks_pin_memory = true;
    world.start_engine();
    for (std::uint64_t inode = 20; inode < 25; ++inode) {
        world.add_file(inode).facts.root_only_writable = true;
        world.open(inode);
        world.reply(1, inode == 21 ? Verdict::malicious : Verdict::clean, inode == 21 ? "Bad" : "");
        CHECK(world.ignored.size() <= 3);
    }
    CHECK(world.ignored == std::set<std::uint64_t>{24});
}

TEST_CASE("an allowance is asked for before a threat is denied") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    world.gate().set_has_allowances(true);
    const int fd = world.open(1);
    world.reply(1, Verdict::malicious, "Evil");
    REQUIRE(world.digest_questions.size() == 1);
    CHECK_FALSE(world.is_answered(fd));
    SUBCASE("known") {
        world.gate().on_digest_checked(world.digest_questions[0], true);
        CHECK(world.answers.at(fd) == Decision::allow);
        CHECK(last(world, Outcome::Kind::detection)->allowed);
    }
    SUBCASE("unknown") {
        world.gate().on_digest_checked(world.digest_questions[0], false);
        CHECK(world.answers.at(fd) == Decision::deny);
    }
    SUBCASE("no answer in time") {
        world.advance(2'001ms);
        CHECK(world.answers.at(fd) == Decision::deny);
    }
}

TEST_CASE("the self-test's file is known by its inode, for a while") {
    World world;
    world.start_engine(1);
    world.add_file(1);
    world.gate().expect_selftest(8, 1, world.clock.monotonic() + 30s);
    world.open(1);
    world.reply(1, Verdict::malicious, "Eicar");
    CHECK(last(world, Outcome::Kind::detection)->origin == EventOrigin::selftest);
    world.clock.advance(31s);
    world.gate().forget_verdicts();
    world.open(1);
    world.reply(1, Verdict::malicious, "Eicar");
    CHECK(last(world, Outcome::Kind::detection)->origin == EventOrigin::real_time);
}

TEST_CASE("jobs leave a worker for opens, and every one is answered") {
    World world;
    world.start_engine(2);
    int done = 0;
    const auto submit = [&](std::uint64_t inode) {
        world.add_file(inode);
        ScanJob job;
        job.id = inode;
        job.file = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        world.descriptors[job.file.fd()] = inode;
        job.done = [&done](ScanJob::Result&& result) { done += result.finding.verdict == Verdict::clean ? 1 : 100; };
        return world.gate().submit_job(std::move(job));
    };
    CHECK(submit(1));
    CHECK(submit(2));
    CHECK(submit(3));
    CHECK(world.scanned() == 1);
    world.add_file(9);
    world.open(9);
    CHECK(world.scanned() == 2);
    world.reply(2, Verdict::clean);
    world.reply(1, Verdict::clean);
    world.reply(1, Verdict::clean);
    world.gate().on_engine_lost("gone");
    CHECK(done == 102); // two were clean, the third was told that there is no engine
}

TEST_CASE("files behind a server leave a worker for what their server opens") {
    World world;
    world.start_engine(2);
    for (std::uint64_t inode = 1; inode <= 3; ++inode)
        world.add_file(inode);
    world.open_put_away(1);
    const int waiting = world.open_put_away(2); // of the same user as the next
    CHECK(world.scanned() == 1);
    CHECK((world.requests.at(1).flags & scan::kScanPutAway) != 0);
    const int behind = world.open(3);
    REQUIRE(world.scanned() == 2); // not held up by what came before it
    CHECK((world.requests.at(2).flags & scan::kScanPutAway) == 0);
    world.reply(2, Verdict::clean);
    CHECK(world.is_answered(behind));
    CHECK(world.scanned() == 2);
    world.reply(1, Verdict::clean);
    CHECK(world.scanned() == 3);
    world.reply(1, Verdict::clean);
    CHECK(world.is_answered(waiting));
    world.open_put_away(1); // nobody shows us who writes there
    CHECK(world.scanned() == 4);
}

TEST_CASE("every event is answered exactly once and nothing leaks, whatever happens") {
    const std::size_t before = open_descriptors();
    std::size_t asked = 0;
    {
        World world;
        world.limits.held_opens = 40;
        unsigned random = 12345;
        const auto next = [&](unsigned bound) {
            random = random * 1664525U + 1013904223U;
            return (random >> 8) % bound;
        };
        for (std::uint64_t inode = 1; inode <= 30; ++inode) {
            auto& file = world.add_file(inode);
            file.writer = inode % 7 == 0;
            file.kind = inode % 5 == 0 ? watch::FilesystemKind::opaque : watch::FilesystemKind::local;
        }
        world.gate();
        WorkerId next_worker = 1;
        std::vector<WorkerId> alive;
        for (int step = 0; step < 20'000; ++step) {
            switch (next(12)) {
            case 0:
                world.gate().on_engine_ready(next(10) == 0 ? "g2" : "g1");
                break;
            case 1:
                alive.push_back(next_worker);
                world.gate().on_worker_ready(next_worker++, "g1");
                break;
            case 2:
                if (next(20) == 0) {
                    world.gate().on_engine_lost("test");
                    alive.clear();
                    world.requests.clear();
                }
                break;
            case 3:
                if (!alive.empty()) {
                    const std::size_t which = next(static_cast<unsigned>(alive.size()));
                    world.requests.erase(alive[which]);
                    world.gate().on_worker_lost(alive[which]);
                    alive.erase(alive.begin() + static_cast<long>(which));
                }
                break;
            case 4:
                world.advance(Milliseconds(next(700)));
                break;
            case 5:
                world.gate().on_engine_silent();
                break;
            case 6:
                world.gate().on_engine_alive();
                break;
            case 7:
                world.close_write(1 + next(30));
                break;
            case 8:
                if (!world.requests.empty()) {
                    const WorkerId worker = world.requests.begin()->first;
                    const bool evil = next(3) == 0;
                    world.reply(worker, evil ? Verdict::malicious : Verdict::clean, evil ? "Evil" : "");
                }
                break;
            default: {
                ++asked;
                world.open(1 + next(30));
            }
            }
            if (world.outcomes.size() > 100)
                world.outcomes.clear();
            for (const WorkerId killed : world.killed)
                std::erase(alive, killed), world.requests.erase(killed);
            world.killed.clear();
        }
        world.gate().on_engine_lost("end");
        const GateStatistics& statistics = world.gate().statistics();
        CHECK(statistics.events == asked);
        CHECK(statistics.allowed + statistics.denied == asked);
        CHECK(world.gate().held_opens() == 0);
        CHECK(world.double_answers == 0);
        CHECK(world.answers_after_close == 0);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("another thread may ask the cache what is known to be clean, and never hears of what was not said") {
    VerdictCache cache(64);
    const auto key = [](std::uint64_t inode) { return watch::FileKey{1, inode, inode, 5, 5}; };
    cache.store(key(1), {Verdict::clean, ""});
    cache.store(key(2), {Verdict::malicious, "Evil"});
    CHECK(cache.knows_clean(key(1)));
    CHECK_FALSE(cache.knows_clean(key(2)));
    CHECK_FALSE(cache.knows_clean(key(3)));
    cache.flush();
    CHECK_FALSE(cache.knows_clean(key(1)));
    std::atomic<bool> done{false};
    std::atomic<unsigned> wrong{0};
    std::thread reader([&] {
        while (!done)
            for (std::uint64_t inode = 1'000; inode < 1'200; ++inode)
                if (cache.knows_clean(key(inode)) && inode % 2 == 1)
                    ++wrong;
    });
    for (unsigned i = 0; i < 200'000; ++i)
        cache.store(key(1'000 + i % 200), {i % 2 == 0 ? Verdict::clean : Verdict::malicious, ""});
    done = true;
    reader.join();
    CHECK(wrong == 0);
}

TEST_CASE("the cache knows what was clean one set of definitions ago, and no longer") {
    VerdictCache cache(8);
    const watch::FileKey key{1, 2, 10, 5, 5};
    cache.store(key, {Verdict::clean, ""});
    CHECK_FALSE(cache.was_clean(key));
    cache.age();
    CHECK(cache.was_clean(key));
    CHECK_FALSE(cache.find(key));
    CHECK_FALSE(cache.knows_clean(key));
    SUBCASE("another age") {
        cache.age();
    }
    SUBCASE("a flush") {
        cache.flush();
    }
    SUBCASE("a new verdict") {
        cache.store(key, {Verdict::malicious, "Evil"});
        CHECK(cache.find(key)->verdict == Verdict::malicious);
    }
    CHECK_FALSE(cache.was_clean(key));
}

TEST_CASE("the cache keeps what is used, forgets what is flushed, and takes no error for a verdict") {
    VerdictCache cache(8);
    const auto key = [](std::uint64_t inode) { return watch::FileKey{1, inode, 10, 5, 5}; };
    cache.store(key(1), {Verdict::malicious, "Evil"});
    REQUIRE(cache.find(key(1)));
    CHECK(cache.find(key(1))->threat_name == "Evil");
    for (std::uint64_t inode = 2; inode < 100; ++inode)
        cache.store(key(inode), {Verdict::clean, ""});
    CHECK(cache.size() <= 8);
    cache.store(key(7), {Verdict::engine_error, ""});
    cache.store(key(200), {Verdict::engine_error, ""});
    CHECK_FALSE(cache.find(key(200)));
    cache.store(key(201), {Verdict::clean, ""});
    cache.drop(key(201));
    CHECK_FALSE(cache.find(key(201)));
    cache.flush();
    CHECK(cache.size() == 0);
    CHECK_FALSE(cache.find(key(99)));
}
