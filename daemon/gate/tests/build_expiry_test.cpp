#include <doctest/doctest.h>

#include <filesystem>
#include <unistd.h>

#include <picket/base/testing/fake_clock.h>

#include "build_expiry.h"

using namespace picket;
using namespace picket::daemon;
namespace fs = std::filesystem;

namespace {

using Days = std::chrono::days;
constexpr std::chrono::seconds kSecond{1};
const WallTime kBuilt{std::chrono::seconds(1'790'000'000)};
const WallTime kEnd = kBuilt + Days(273);

class Bench {
  public:
    Bench() {
        std::string pattern = (fs::temp_directory_path() / "picket-expiry-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        store = std::move(*store::Store::open(folder_ / "state.db"));
    }
    ~Bench() {
        store.reset();
        fs::remove_all(folder_);
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    BuildExpiry start(WallTime built = kBuilt, WallTime end = kEnd) const { return {*store, clock, built, end}; }
    /// What a daemon that starts with that clock tells, and then says.
    std::optional<unsigned> told_at(WallTime wall) {
        clock.set_wall(wall);
        return start().on_tick(std::nullopt);
    }
    unsigned days_left_at(WallTime wall) {
        clock.set_wall(wall);
        return start().state().days_left;
    }

    testing::FakeClock clock;
    std::unique_ptr<store::Store> store;

  private:
    fs::path folder_;
};

} // namespace

TEST_CASE("a day that has begun counts, and the end is the end") {
    Bench bench;
    CHECK(bench.days_left_at(kBuilt) == 273);
    CHECK(bench.days_left_at(kEnd - Days(30) - kSecond) == 31);
    CHECK(bench.days_left_at(kEnd - Days(30)) == 30);
    CHECK(bench.days_left_at(kEnd - kSecond) == 1);
    CHECK(bench.days_left_at(kEnd) == 0);
    CHECK(bench.start().state().expired());
    CHECK(bench.days_left_at(kEnd + Days(3'650)) == 0);
}

TEST_CASE("each mark is told once, also over restarts") {
    Bench bench;
    CHECK_FALSE(bench.told_at(kEnd - Days(31)));
    for (const unsigned mark : {30U, 14U, 7U, 1U, 0U}) {
        CHECK_FALSE(bench.told_at(kEnd - Days(mark) - kSecond));
        CHECK(bench.told_at(kEnd - Days(mark)) == mark);
        CHECK_FALSE(bench.told_at(kEnd - Days(mark) + kSecond));
    }
    BuildExpiry running = bench.start();
    for (int hour = 0; hour < 100; ++hour) {
        bench.clock.advance(std::chrono::hours(1));
        CHECK_FALSE(running.on_tick(std::nullopt));
    }
}

TEST_CASE("a host that was off tells the last mark that it missed, not all of them") {
    Bench bench;
    CHECK(bench.told_at(kEnd - Days(5)) == 7);
    CHECK(bench.told_at(kEnd + Days(5)) == 0);
}

TEST_CASE("another build begins anew") {
    Bench bench;
    CHECK(bench.told_at(kEnd) == 0);
    BuildExpiry newer = bench.start(kBuilt + Days(20), kEnd + Days(20));
    CHECK(newer.on_tick(std::nullopt) == 30);
}

TEST_CASE("a clock before the day of the build counts as that day") {
    Bench bench;
    CHECK(bench.days_left_at(WallTime{}) == 273);
    CHECK(bench.start().state().clock_back);
    bench.clock.set_wall(kBuilt - std::chrono::hours(23)); // another time zone's noon
    CHECK_FALSE(bench.start().state().clock_back);
}

TEST_CASE("a clock that is set back makes no build young: the time that it ran counts, also over restarts") {
    Bench bench;
    bench.clock.set_wall(kBuilt);
    {
        BuildExpiry expiry = bench.start();
        bench.clock.advance(Days(250));
        expiry.on_tick(std::nullopt);
        bench.clock.set_wall(WallTime{});
        CHECK(expiry.state().days_left == 23);
        CHECK(expiry.state().clock_back);
        bench.clock.advance(std::chrono::minutes(30)); // not long enough to be saved by itself
        expiry.save();
    }
    CHECK(bench.start().state().proved == kBuilt + Days(250) + std::chrono::minutes(30));
    BuildExpiry expiry = bench.start();
    bench.clock.advance(Days(23));
    CHECK(expiry.on_tick(std::nullopt) == 0);
}

TEST_CASE("a crash loses at most an hour of the time that it ran") {
    Bench bench;
    bench.clock.set_wall(WallTime{});
    {
        BuildExpiry expiry = bench.start();
        for (int minute = 0; minute < 60 * 24; ++minute) {
            bench.clock.advance(std::chrono::minutes(1));
            expiry.on_tick(std::nullopt);
        }
    }
    CHECK(bench.start().state().proved >= kBuilt + std::chrono::hours(23));
    CHECK(bench.start().state().proved <= kBuilt + std::chrono::hours(24));
}

TEST_CASE("the day on which the definitions were signed counts where the clock is before it") {
    Bench bench;
    bench.clock.set_wall(kBuilt);
    BuildExpiry expiry = bench.start();
    CHECK(expiry.on_tick(kEnd - Days(10)) == 14);
    CHECK(expiry.state().days_left == 10);
    CHECK(expiry.state().clock_back);
    CHECK(expiry.on_tick(kEnd) == 0);
    // A set of a publisher whose clock was ahead: a later one with the right day puts it right.
    CHECK_FALSE(expiry.on_tick(kBuilt + Days(1)));
    CHECK(expiry.state().days_left == 272);
}

TEST_CASE("a clock that jumps ahead expires nothing for good, and what it hid is told when its time comes") {
    Bench bench;
    bench.clock.set_wall(kBuilt + Days(10));
    {
        BuildExpiry expiry = bench.start();
        CHECK_FALSE(expiry.on_tick(std::nullopt));
        bench.clock.set_wall(kEnd + Days(4'000));
        bench.clock.advance(Days(3)); // for three days nobody notices
        CHECK(expiry.on_tick(std::nullopt) == 0);
        CHECK(expiry.state().expired());
        expiry.save();
        bench.clock.set_wall(kBuilt + Days(13));
        CHECK_FALSE(expiry.on_tick(std::nullopt));
        CHECK(expiry.state().days_left == 260);
        CHECK_FALSE(expiry.state().clock_back);
    }
    CHECK(bench.days_left_at(kBuilt + Days(13)) == 260);
    CHECK(bench.told_at(kEnd - Days(30)) == 30);
    CHECK(bench.told_at(kEnd) == 0);
}

TEST_CASE("what stands in state.db and is no number of ours is as if it were not there") {
    for (const char* const bad :
         {"", "x", "1 2 3", "1790000000 ", "1790000000 -1", "1790000000 99999999999999999999"}) {
        Bench bench;
        REQUIRE(bench.store->set_value("build.ran_seconds", bad));
        REQUIRE(bench.store->set_value("build.expiry_told", bad));
        CHECK(bench.days_left_at(kBuilt) == 273);
        CHECK(bench.told_at(kEnd) == 0);
    }
}
