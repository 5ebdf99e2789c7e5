#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <picket/sys/notify.h>

#include "instance.h"
#include "supervisor.h"

using namespace picket;
using namespace picket::supervisor;
namespace fs = std::filesystem;

namespace {

constexpr int kBoundedTurns = 1'000; // of at most 20 ms: the bound of every wait here

std::vector<std::string> lines_of(const fs::path& path) {
    std::ifstream stream(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

struct Stage {
    Stage() {
        std::string pattern = (fs::temp_directory_path() / "picket-supervisor-XXXXXX").string();
        directory = mkdtemp(pattern.data());
        fs::permissions(directory, fs::perms(0755));
        options.notify_directory = (directory / "notify").string();
        options.first_backoff = Milliseconds(10);
        options.last_backoff = Milliseconds(40);
        options.stop_wait = Milliseconds(200);
    }
    ~Stage() {
        supervisor.reset();
        fs::remove_all(directory);
    }
    void open(std::vector<ChildSpec> specs) {
        supervisor.emplace(Supervisor::open(std::move(specs), clock, options, [this](const std::string& line) {
                               said.push_back(line);
                           }).value());
    }
    bool until(const std::function<bool()>& condition) {
        for (int i = 0; i < kBoundedTurns && !condition(); ++i)
            if (!supervisor->turn(Milliseconds(20)))
                break;
        return condition();
    }
    bool was_said(const std::string& part) const {
        return std::any_of(said.begin(), said.end(),
                           [&](const auto& line) { return line.find(part) != std::string::npos; });
    }
    ChildSpec shell(const std::string& name, const std::string& script) const {
        return {.name = name, .arguments = {"/bin/sh", "-c", "cd " + directory.string() + "; " + script}};
    }
    /// This test binary as a child: see "child:" below.
    static ChildSpec self(const std::string& name, const std::string& behaviour) {
        return {
            .name = name,
            .arguments = {fs::read_symlink("/proc/self/exe").string(), "--no-skip", "--test-case=child: " + behaviour}};
    }
    std::vector<std::string> log() const { return lines_of(directory / "log"); }

    fs::path directory;
    SystemClock clock;
    SupervisorOptions options;
    std::vector<std::string> said;
    std::optional<Supervisor> supervisor;
};

} // namespace

TEST_CASE("child: says ready and waits" * doctest::skip()) {
    sys::notify_service_manager("READY=1");
    pause();
}

TEST_CASE("child: beats once and hangs" * doctest::skip()) {
    sys::notify_service_manager("READY=1\nWATCHDOG=1");
    pause();
}

TEST_CASE("children start in their order, each after the one before is ready") {
    Stage stage;
    auto slow = Stage::self("slow", "says ready and waits");
    slow.start_wait = Milliseconds(60'000);
    stage.open({slow, stage.shell("second", "echo second >> log; exec sleep 100")});
    REQUIRE(stage.until([&] { return stage.supervisor->settled() && !stage.log().empty(); }));
    CHECK(stage.supervisor->pid_of("slow") > 0);
    CHECK(stage.said.size() == 2);
    CHECK(stage.said[0].rfind("slow started", 0) == 0);
}

TEST_CASE("a child that never gets ready, or ends again and again, holds the others up for its start_wait only") {
    Stage stage;
    auto mute = stage.shell("mute", "exec sleep 100");
    mute.start_wait = Milliseconds(50);
    auto broken = stage.shell("broken", "exit 3");
    broken.start_wait = Milliseconds(50);
    auto absent = ChildSpec{.name = "absent", .arguments = {"/nonexistent/program"}};
    stage.open({mute, broken, absent, stage.shell("last", "echo last >> log; exec sleep 100")});
    CHECK(stage.until([&] { return !stage.log().empty(); }));
    CHECK(stage.until([&] { return stage.was_said("broken") && stage.was_said("exited with 3"); }));
    CHECK(stage.until([&] { return stage.was_said("exited with 127"); }));
}

TEST_CASE("what ends is started again, ever more slowly up to the limit") {
    Stage stage;
    stage.open({stage.shell("short", "echo run >> log; exit 0")});
    CHECK(stage.until([&] { return stage.log().size() >= 5; }));
    for (const char* wait : {"in 10 ms", "in 20 ms", "in 40 ms"})
        CHECK(stage.was_said(wait));
    CHECK_FALSE(stage.was_said("in 80 ms"));
}

TEST_CASE("a killed child comes back") {
    Stage stage;
    stage.open({stage.shell("child", "exec sleep 100")});
    REQUIRE(stage.until([&] { return stage.supervisor->pid_of("child") > 0; }));
    const pid_t first = stage.supervisor->pid_of("child");
    kill(first, SIGKILL);
    CHECK(stage.until(
        [&] { return stage.supervisor->pid_of("child") > 0 && stage.supervisor->pid_of("child") != first; }));
    CHECK(stage.was_said("signal 9"));
}

TEST_CASE("a child whose watchdog falls silent is killed and started again; one that never began is let be") {
    Stage stage;
    auto hanging = Stage::self("hanging", "beats once and hangs");
    hanging.watchdog = Milliseconds(100);
    auto other = stage.shell("other", "exec sleep 100");
    other.watchdog = Milliseconds(100);
    stage.open({hanging, other});
    REQUIRE(stage.until([&] { return stage.supervisor->pid_of("other") > 0; }));
    const pid_t other_pid = stage.supervisor->pid_of("other");
    CHECK(stage.until([&] { return stage.was_said("hanging") && stage.was_said("does not say that it lives"); }));
    CHECK(stage.until([&] { return stage.was_said("signal 9; starting it again"); }));
    CHECK(stage.supervisor->pid_of("other") == other_pid);
}

TEST_CASE("SIGTERM stops all in the reverse order, with force where it must") {
    Stage stage;
    stage.open(
        {stage.shell("first", "trap 'echo first >> log; exit 0' TERM; echo up >> log; while :; do sleep 0.05; done"),
         stage.shell("second", "trap 'echo second >> log; exit 0' TERM; echo up >> log; while :; do sleep 0.05; done"),
         stage.shell("deaf", "trap '' TERM; echo up >> log; while :; do sleep 0.05; done")});
    REQUIRE(stage.until([&] { return stage.log().size() == 3; }));
    kill(getpid(), SIGTERM);
    CHECK_FALSE(stage.until([] { return false; }));
    CHECK(stage.was_said("deaf (pid"));
    CHECK(stage.was_said("does not stop: killed"));
    const auto log = stage.log();
    REQUIRE(log.size() == 5);
    CHECK(log[3] == "second");
    CHECK(log[4] == "first");
    CHECK(stage.supervisor->pid_of("first") == 0);
}

TEST_CASE("orphans that come to process 1 are reaped") {
    Stage stage;
    stage.open({stage.shell("child", "exec sleep 100")});
    const pid_t orphan = fork();
    if (orphan == 0)
        _exit(0);
    CHECK(stage.until([&] { return kill(orphan, 0) != 0; })); // gone, not even a zombie
}

TEST_CASE("children get a clean environment and no descriptor of ours") {
    Stage stage;
    setenv("PICKET_TEST_SECRET", "leak", 1);
    const int open_fd = dup(1); // without O_CLOEXEC
    stage.open({stage.shell(
        "child", "env | cut -d= -f1 | sort > env; ls /proc/self/fd > fds; echo done > log; exec sleep 100")});
    REQUIRE(stage.until([&] { return !stage.log().empty(); }));
    close(open_fd);
    const auto names = lines_of(stage.directory / "env");
    CHECK(std::find(names.begin(), names.end(), "NOTIFY_SOCKET") != names.end());
    CHECK(std::find(names.begin(), names.end(), "PICKET_TEST_SECRET") == names.end());
    CHECK(lines_of(stage.directory / "fds").size() <= 4); // 0, 1, 2 and the one of ls
}

TEST_CASE("only one instance runs, and --stop ends it") {
    Stage stage;
    const InstancePaths paths{.lock = (stage.directory / "lock").string(),
                              .pid_file = (stage.directory / "pid").string(),
                              .log = (stage.directory / "log").string()};
    CHECK_FALSE(stop_running_instance(paths, Milliseconds(0)).value());
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t other = fork();
    if (other == 0) {
        sigset_t none; // a Supervisor of an earlier test has blocked SIGTERM
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        std::signal(SIGTERM, SIG_DFL); // doctest would report it as a crash
        const auto lock = take_instance_lock(paths);
        const bool fine = lock && write_pid_file(paths, getpid()) && write(ready[1], "r", 1) == 1;
        if (!fine)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    char byte = 0;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    CHECK(take_instance_lock(paths).error().code() == ErrorCode::conflict);
    CHECK(stop_running_instance(paths, Milliseconds(20'000)).value());
    int status = 0;
    CHECK(waitpid(other, &status, 0) == other);
    CHECK(take_instance_lock(paths));
}

TEST_CASE("the log is never opened through a link") {
    Stage stage;
    std::ofstream(stage.directory / "victim") << "kept";
    fs::create_symlink(stage.directory / "victim", stage.directory / "log");
    const InstancePaths paths{.lock = (stage.directory / "lock").string(), .log = (stage.directory / "log").string()};
    CHECK_FALSE(continue_in_background(paths));
    CHECK(fs::file_size(stage.directory / "victim") == 4);
}

TEST_CASE("the shipped table has each service once, the guard first and the engine as its own user") {
    const auto children = standard_children({});
    REQUIRE(children.size() == 6);
    CHECK(children.front().name == "guard");
    CHECK(children.back().name == "engine");
    CHECK(children.back().user == "picket-engine");
    for (const ChildSpec& child : children)
        CHECK(child.arguments.front().front() == '/');
}

TEST_SUITE("root") {
    TEST_CASE("a child runs as its user, with its own temporary file system") {
        Stage stage;
        auto child =
            stage.shell("child", "id -u > uid; echo done > log; touch tmp/made && echo yes > written; exec sleep 100");
        child.user = "65533";
        child.temporary_directory = (stage.directory / "tmp").string();
        REQUIRE(chown(stage.directory.c_str(), 65533, 65533) == 0);
        stage.open({child});
        REQUIRE(stage.until([&] { return !lines_of(stage.directory / "written").empty(); }));
        CHECK(lines_of(stage.directory / "uid") == std::vector<std::string>{"65533"});
        stage.supervisor->stop();
        CHECK_FALSE(stage.until([] { return false; }));
        stage.supervisor.reset();
        CHECK_FALSE(fs::exists(stage.directory / "tmp/made")); // unmounted, unless it was a plain directory
    }
}
