#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include <picket/base/testing/fake_clock.h>

#include "brake.h"

using namespace picket;
using namespace picket::daemon;

namespace {

/// A brake over a state.db of its own.
struct Bench {
    Bench() {
        std::string name = (std::filesystem::temp_directory_path() / "picket-brake-XXXXXX").string();
        top = mkdtemp(name.data());
        store = store::Store::open(top + "/state.db").value();
    }
    ~Bench() {
        store.reset();
        std::filesystem::remove_all(top);
    }
    /// Asks and, where it may, moves.
    static int quarantine(Brake& brake, int files, unsigned maximum) {
        int moved = 0;
        for (int i = 0; i < files; ++i) {
            brake.on_detection();
            if (brake.ask(maximum) != Brake::Answer::go)
                continue;
            brake.on_quarantined();
            ++moved;
        }
        return moved;
    }

    std::string top;
    picket::testing::FakeClock clock;
    std::unique_ptr<store::Store> store;
};

} // namespace

TEST_CASE("the brake engages at the maximum within a minute, once, and counts what is left") {
    Bench bench;
    Brake brake(*bench.store, bench.clock);
    CHECK(Bench::quarantine(brake, 5, 5) == 5);
    CHECK_FALSE(brake.state().engaged);
    CHECK(brake.ask(5) == Brake::Answer::engages_now);
    CHECK(brake.ask(5) == Brake::Answer::engaged);
    CHECK(brake.state().engaged);
    CHECK(brake.state().files_left == 2);
}

TEST_CASE("files that are spread over more than a minute do not engage it") {
    Bench bench;
    Brake brake(*bench.store, bench.clock);
    for (int i = 0; i < 10; ++i) {
        CHECK(Bench::quarantine(brake, 1, 5) == 1);
        bench.clock.advance(std::chrono::seconds(15));
    }
    CHECK(Bench::quarantine(brake, 100, 0) == 100); // no brake wanted
    CHECK_FALSE(brake.state().engaged);
}

TEST_CASE("what is asked for and not moved does not count") {
    Bench bench;
    Brake brake(*bench.store, bench.clock);
    for (int i = 0; i < 100; ++i)
        CHECK(brake.ask(5) == Brake::Answer::go);
}

TEST_CASE("a restart does not release it; an administrator does, once") {
    Bench bench;
    {
        Brake brake(*bench.store, bench.clock);
        Bench::quarantine(brake, 6, 5);
    }
    {
        Brake brake(*bench.store, bench.clock);
        CHECK(brake.state().engaged);
        CHECK(brake.ask(5) == Brake::Answer::engaged);
        CHECK(brake.release());
        CHECK_FALSE(brake.release());
        CHECK(Bench::quarantine(brake, 6, 5) == 5);
        CHECK(brake.release());
    }
    const Brake brake(*bench.store, bench.clock);
    CHECK_FALSE(brake.state().engaged);
}

TEST_CASE("after an hour without a detection it releases itself, and where the profile wants none") {
    Bench bench;
    Brake brake(*bench.store, bench.clock);
    Bench::quarantine(brake, 6, 5);
    bench.clock.advance(std::chrono::minutes(59));
    brake.on_detection();
    bench.clock.advance(std::chrono::minutes(59));
    CHECK_FALSE(brake.release_itself(5));
    bench.clock.advance(std::chrono::minutes(2));
    CHECK(brake.release_itself(5) == "quiet");
    CHECK_FALSE(brake.release_itself(5));
    Bench::quarantine(brake, 6, 5);
    CHECK(brake.release_itself(0) == "switched_off");
    CHECK_FALSE(brake.state().engaged);
}
