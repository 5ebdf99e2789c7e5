#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <picket/base/testing/fake_clock.h>
#include <picket/ipc/seqpacket.h>

#include "guard.h"

using namespace picket;
using namespace picket::guard;
namespace fs = std::filesystem;

namespace {

constexpr Milliseconds kShort{20};
constexpr int kBoundedTurns = 500; // of at most 20 ms: the bound of every wait here

std::string last_line;

/// A guard with a clock that the test drives, listening in a directory of its own.
struct Post {
    explicit Post(std::optional<uid_t> engine_uid = std::nullopt, uid_t allowed = geteuid()) {
        std::string pattern = (fs::temp_directory_path() / "picket-guard-XXXXXX").string();
        directory = mkdtemp(pattern.data());
        if (geteuid() == 0)
            REQUIRE(chmod(directory.c_str(), 0755) == 0);
        guard.emplace(ipc::listen_at(socket(), 0666).value(), processes, clock,
                      Options{.allowed_uid = allowed, .engine_uid = engine_uid},
                      [](std::string_view line) { last_line = line; });
    }
    ~Post() { fs::remove_all(directory); }
    std::string socket() const { return (directory / "guard.sock").string(); }

    /// Time passes as it does for a guard that is never late.
    void pass(Milliseconds time) {
        for (Milliseconds done{0}; done < time; done += kShort) {
            clock.advance(kShort);
            guard->turn(Milliseconds(0));
        }
    }
    bool until(const std::function<bool()>& condition) {
        for (int i = 0; i < kBoundedTurns; ++i) {
            if (condition())
                return true;
            guard->turn(kShort);
        }
        return condition();
    }

    fs::path directory;
    picket::testing::FakeClock clock;
    ProcessTable processes = ProcessTable::open().value();
    std::optional<Guard> guard;
};

/// A child process; killed and reaped when it goes.
struct Child {
    explicit Child(const std::function<void()>& work) : pid(fork()) {
        if (pid == 0) {
            work();
            _exit(0);
        }
    }
    ~Child() {
        if (ended_by() == 0 && pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, nullptr, 0);
        }
    }
    /// Its fatal signal, -1 where it exited, 0 while it runs.
    int ended_by() {
        int status = 0;
        if (result == 0 && waitpid(pid, &status, WNOHANG) == pid)
            result = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
        return result;
    }
    pid_t pid;
    int result = 0;
};

/// Connects, and sends one heartbeat for each byte that it gets over `orders`.
void be_a_gate(const std::string& socket, int orders, watch::Heartbeat beat = {}) {
    const auto connection = ipc::connect_to(socket);
    if (!connection)
        _exit(1);
    char order = 0;
    while (read(orders, &order, 1) == 1)
        if (send(connection->get(), &beat, sizeof beat, MSG_NOSIGNAL) < 0)
            _exit(2);
}

struct Orders {
    Orders() { REQUIRE(pipe(ends) == 0); }
    ~Orders() {
        close(ends[0]);
        close(ends[1]);
    }
    void beat() const { REQUIRE(write(ends[1], "b", 1) == 1); }
    int ends[2]{};
};

struct Gate {
    explicit Gate(const Post& post, watch::Heartbeat beat = {})
        : child([&] {
              close(orders.ends[1]);
              be_a_gate(post.socket(), orders.ends[0], beat);
          }) {}
    Orders orders;
    Child child;
};

} // namespace

TEST_CASE("a gate that beats lives; one that falls silent is killed after three seconds") {
    Post post;
    Gate gate(post);
    REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
    for (int i = 0; i < 5; ++i) {
        post.pass(Milliseconds(2'500));
        gate.orders.beat();
        post.guard->turn(Milliseconds(5'000)); // returns when the beat is there
        CHECK(gate.child.ended_by() == 0);
    }
    kill(gate.child.pid, SIGSTOP);
    post.pass(Milliseconds(2'900));
    CHECK(gate.child.ended_by() == 0);
    post.pass(Milliseconds(200));
    CHECK(post.until([&] { return gate.child.ended_by() == SIGKILL; }));
    CHECK(post.guard->counters().gates_killed == 1);
    CHECK(post.until([&] { return post.guard->watched() == 0; }));
}

TEST_CASE("a gate that never sends its first heartbeat is killed, too") {
    Post post;
    Gate gate(post);
    REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
    post.pass(Milliseconds(3'100));
    CHECK(post.until([&] { return gate.child.ended_by() == SIGKILL; }));
}

TEST_CASE("a closed connection ends the watch, and the next gate is watched") {
    Post post;
    {
        Gate gate(post);
        REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
        close(std::exchange(gate.orders.ends[1], -1)); // no more orders: it exits in peace
        REQUIRE(post.until([&] { return gate.child.ended_by() == -1; }));
        REQUIRE(post.until([&] { return post.guard->watched() == 0; }));
        post.pass(Milliseconds(4'000));
        CHECK(post.guard->counters().gates_killed == 0);
    }
    Gate next(post);
    REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
    post.pass(Milliseconds(3'100));
    CHECK(post.until([&] { return next.child.ended_by() == SIGKILL; }));
}

TEST_CASE("a guard that stood still itself kills nobody for it") {
    Post post;
    Gate gate(post);
    REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
    post.clock.advance(Milliseconds(60'000)); // frozen, as a whole cgroup may be
    post.guard->turn(Milliseconds(0));
    CHECK(post.guard->counters().own_stalls == 1);
    post.pass(Milliseconds(2'900));
    CHECK(gate.child.ended_by() == 0);
    CHECK(post.guard->counters().gates_killed == 0);
    post.pass(Milliseconds(200));
    CHECK(post.until([&] { return gate.child.ended_by() == SIGKILL; }));
}

TEST_CASE("bytes that are no heartbeat end the watch without a kill") {
    Post post;
    watch::Heartbeat wrong;
    wrong.magic = 1;
    Gate gate(post, wrong);
    REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
    gate.orders.beat();
    CHECK(post.until([&] { return post.guard->watched() == 0; }));
    post.pass(Milliseconds(4'000));
    CHECK(gate.child.ended_by() == 0);
}

TEST_CASE("a peer of another uid is refused") {
    Post post(std::nullopt, geteuid() + 1);
    const auto connection = ipc::connect_to(post.socket());
    REQUIRE(connection);
    CHECK(post.until([&] { return post.guard->counters().peers_refused == 1; }));
    CHECK(post.guard->watched() == 0);
    CHECK(ipc::receive_message(connection->get()).error().code() == ErrorCode::not_found);
}

TEST_CASE("more connections than it can watch are refused, and those it watches stay") {
    Post post;
    Gate gate(post);
    REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
    // Our own pid is never watched, so these come from children.
    std::vector<std::unique_ptr<Gate>> more;
    for (int i = 0; i < 10; ++i)
        more.push_back(std::make_unique<Gate>(post));
    CHECK(post.until([&] { return post.guard->watched() == 8 && post.guard->counters().peers_refused == 3; }));
}

TEST_CASE("a number that means another process now is not killed") {
    const ProcessTable processes = ProcessTable::open().value();
    Child bystander([] { pause(); });
    Target target = processes.hold(bystander.pid).value();
    Target stale{target.pid, target.start_ticks - 1, UniqueFd()}; // an old kernel: no pidfd
    CHECK(processes.kill(stale).error().code() == ErrorCode::not_found);
    CHECK(bystander.ended_by() == 0);
    const Target held{target.pid, target.start_ticks, UniqueFd()};
    CHECK(processes.kill(held));
    waitpid(bystander.pid, nullptr, 0);
    bystander.result = SIGKILL;
    CHECK_FALSE(processes.kill(target)); // the pidfd knows that it is gone
    CHECK(processes.hold(bystander.pid).error().code() == ErrorCode::not_found);
}

TEST_CASE("what is no engine is not killed on request") {
    Post post(geteuid() + 1);
    Child bystander([] { pause(); });
    watch::Heartbeat beat;
    beat.kill_engine_pid = static_cast<std::uint32_t>(bystander.pid);
    Gate gate(post, beat);
    REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
    gate.orders.beat();
    CHECK(post.until([&] { return post.guard->counters().requests_refused == 1; }));
    CHECK(bystander.ended_by() == 0);
}

TEST_CASE("neither the guard, the gate nor process 1 is killed as an engine") {
    for (const int whom : {0, 1, 2}) {
        Post post(geteuid() == 0 ? 12345 : geteuid());
        Orders orders;
        Child gate([&] {
            close(orders.ends[1]);
            const pid_t pids[] = {getppid(), getpid(), 1};
            watch::Heartbeat beat;
            beat.kill_engine_pid = static_cast<std::uint32_t>(pids[whom]);
            be_a_gate(post.socket(), orders.ends[0], beat);
        });
        REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
        orders.beat();
        CHECK(post.until([&] { return post.guard->counters().requests_refused == 1; }));
        CHECK(gate.ended_by() == 0);
    }
}

TEST_SUITE("root") {
    constexpr uid_t kEngine = 54321;

    TEST_CASE("an engine that hangs is killed on request, also an undumpable one") {
        Post post(kEngine);
        Orders changed;
        Child engine([&] {
            if (setgid(kEngine) != 0 || setuid(kEngine) != 0) // becomes undumpable: /proc/PID belongs to root
                _exit(1);
            if (write(changed.ends[1], "c", 1) == 1)
                pause();
        });
        char ready = 0;
        REQUIRE(read(changed.ends[0], &ready, 1) == 1);
        kill(engine.pid, SIGSTOP);
        watch::Heartbeat beat;
        beat.kill_engine_pid = static_cast<std::uint32_t>(engine.pid);
        Gate gate(post, beat);
        REQUIRE(post.until([&] { return post.guard->watched() == 1; }));
        gate.orders.beat();
        CHECK(post.until([&] { return engine.ended_by() == SIGKILL; }));
        CHECK(post.guard->counters().engines_killed == 1);
        CHECK(gate.child.ended_by() == 0);
    }

    TEST_CASE("an ordinary user is refused by the real uid of its process") {
        Post post;
        Child user([&] {
            if (setgid(kEngine) != 0 || setuid(kEngine) != 0)
                _exit(1);
            const auto connection = ipc::connect_to(post.socket());
            pause();
        });
        CHECK(post.until([&] { return post.guard->counters().peers_refused == 1; }));
        CHECK(post.guard->watched() == 0);
    }
}
