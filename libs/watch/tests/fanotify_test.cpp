#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <picket/watch/fanotify_group.h>
#include <picket/watch/mount_scout.h>

using namespace picket;
using namespace picket::watch;
namespace fs = std::filesystem;

namespace {

/// A tmpfs that nobody else uses: the only thing these tests ever mark.
struct PrivateMount {
    PrivateMount() {
        std::string pattern = "/run/picket-watch-XXXXXX";
        path = mkdtemp(pattern.data());
        REQUIRE(mount("tmpfs", path.c_str(), "tmpfs", 0, "mode=755") == 0);
        std::ofstream(path / "file") << "content";
    }
    ~PrivateMount() {
        umount2(path.c_str(), MNT_DETACH);
        fs::remove(path);
    }
    UniqueFd directory() const { return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
    fs::path path;
};

/// Starts a program that opens the file: it must exec, because a mere fork would hold the group's descriptor.
pid_t start_reader(const fs::path& file) {
    std::string program = "cat";
    std::string path = file;
    const std::array<char*, 3> arguments{program.data(), path.data(), nullptr};
    pid_t pid = -1;
    REQUIRE(posix_spawn(&pid, "/bin/cat", nullptr, nullptr, arguments.data(), environ) == 0);
    return pid;
}

int exit_status(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Answers whatever comes until the reader has ended; our own pid's opens are none of it.
int serve(FanotifyGroup& group, pid_t reader, Decision decision, bool& seen) {
    for (int i = 0; i < 200; ++i) {
        int status = 0;
        if (waitpid(reader, &status, WNOHANG) == reader)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        pollfd ready{group.fd(), POLLIN, 0};
        poll(&ready, 1, 50);
        std::vector<KernelEvent> events;
        REQUIRE(group.read_events(events));
        for (const KernelEvent& event : events)
            if (event.kind == EventKind::open_permission) {
                seen = seen || event.pid == reader;
                CHECK(group.respond(event.file.fd(), decision));
            }
    }
    kill(reader, SIGKILL);
    return exit_status(reader);
}

/// False where none of that kind comes within 20 s.
template <typename Matches>
bool next_report_of(MountScout& scout, Matches matches) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
        pollfd ready{scout.fd(), POLLIN, 0};
        poll(&ready, 1, 100);
        for (;;) {
            auto report = scout.next_report();
            REQUIRE(report);
            if (!report->has_value())
                break;
            if (matches(**report))
                return true;
        }
    }
    return false;
}

} // namespace

TEST_SUITE("root") {
    TEST_CASE("an open under a file-system mark is held, and allowed or denied as we say") {
        const PrivateMount mount;
        auto group = FanotifyGroup::create();
        REQUIRE(group);
        const UniqueFd directory = mount.directory();
        CHECK(to_string(group->probe(directory.get())) == "full");
        REQUIRE(group->mark(directory.get(), {}));
        bool seen = false;
        CHECK(serve(*group, start_reader(mount.path / "file"), Decision::allow, seen) == 0);
        CHECK(seen);
        CHECK(serve(*group, start_reader(mount.path / "file"), Decision::deny, seen) == 1);
        REQUIRE(group->flush(MarkScope::filesystem));
        CHECK(exit_status(start_reader(mount.path / "file")) == 0); // nobody answers, nobody waits
    }

    TEST_CASE("an ignored file is not asked about until somebody writes to it, or we ask again") {
        const PrivateMount mount;
        auto group = FanotifyGroup::create();
        REQUIRE(group);
        REQUIRE(group->mark(mount.directory().get(), {.exec_events = true}));
        const auto ignore = [&] {
            REQUIRE(group->flush(MarkScope::filesystem)); // our own open is none to wait for
            const UniqueFd file(open((mount.path / "file").c_str(), O_RDONLY | O_CLOEXEC));
            REQUIRE(group->mark(mount.directory().get(), {.exec_events = true}));
            REQUIRE(group->ignore(file.get()));
        };
        const auto asked = [&] {
            bool seen = false;
            CHECK(serve(*group, start_reader(mount.path / "file"), Decision::allow, seen) == 0);
            return seen;
        };
        ignore();
        CHECK(!asked());
        CHECK(!asked());
        REQUIRE(group->flush(MarkScope::filesystem));
        std::ofstream(mount.path / "file", std::ios::app) << "more";
        REQUIRE(group->mark(mount.directory().get(), {.exec_events = true}));
        CHECK(asked());
        ignore();
        CHECK(!asked());
        group->ask_about_everything();
        CHECK(asked());
    }

    TEST_CASE("asking again leaves the file's mark in its place: while one goes, opens would pass unasked") {
        const PrivateMount mount;
        auto group = FanotifyGroup::create();
        REQUIRE(group);
        const UniqueFd file(open((mount.path / "file").c_str(), O_RDONLY | O_CLOEXEC));
        const auto marks = [&] {
            std::ifstream lines("/proc/self/fdinfo/" + std::to_string(group->fd()));
            int count = 0;
            for (std::string line; std::getline(lines, line);)
                count += line.starts_with("fanotify ino:") ? 1 : 0;
            return count;
        };
        REQUIRE(group->ignore(file.get()));
        CHECK(marks() == 1);
        std::ofstream(mount.path / "file", std::ios::app) << "more";
        group->ask_again(file.get());
        CHECK(marks() == 1);
        REQUIRE(group->ignore(file.get()));
        group->ask_again(file.get());
        CHECK(marks() == 1);
        group->ask_about_everything();
        CHECK(marks() == 0);
    }

    TEST_CASE("closing the group lets go of whoever waits") {
        const PrivateMount mount;
        auto group = FanotifyGroup::create();
        REQUIRE(group);
        REQUIRE(group->mark(mount.directory().get(), {.scope = MarkScope::mount}));
        const pid_t reader = start_reader(mount.path / "file");
        pollfd ready{group->fd(), POLLIN, 0};
        REQUIRE(poll(&ready, 1, 10'000) == 1);
        group = Error(ErrorCode::cancelled, "closed");
        CHECK(exit_status(reader) == 0);
    }

    TEST_CASE("what is mounted in the place of another, between two looks, is entered as well") {
        for (const auto granularity : {ScoutGranularity::per_filesystem, ScoutGranularity::per_mount}) {
            auto scout = MountScout::start(granularity);
            REQUIRE(scout);
            const PrivateMount mount;
            const auto is_entered = [&] {
                struct stat status {};
                REQUIRE(::stat(mount.path.c_str(), &status) == 0);
                return next_report_of(*scout, [&](const MountReport& report) {
                    struct stat seen {};
                    return report.state == MountReport::State::opened && report.mount_point == mount.path &&
                           fstat(report.directory.get(), &seen) == 0 && seen.st_dev == status.st_dev &&
                           seen.st_ino == status.st_ino && !fs::is_empty(mount.path);
                });
            };
            CHECK(is_entered());
            for (int i = 0; i < 5; ++i) {
                while (auto waiting = scout->next_report())
                    if (!*waiting)
                        break;
                REQUIRE(umount2(mount.path.c_str(), MNT_DETACH) == 0);
                REQUIRE(::mount("tmpfs", mount.path.c_str(), "tmpfs", 0, "mode=755") == 0);
                std::ofstream(mount.path / "file") << "other";
                CHECK(is_entered());
            }
        }
    }

    TEST_CASE("a file that is never asked about proves nothing: another one is opened") {
        const PrivateMount mount;
        fs::create_directories(mount.path / "folder");
        std::ofstream(mount.path / "folder/other") << "content";
        struct stat other {};
        REQUIRE(::stat((mount.path / "folder/other").c_str(), &other) == 0);
        auto scout = MountScout::start(ScoutGranularity::per_filesystem, {mount.path}, {mount.path / "file"});
        REQUIRE(scout);
        CHECK(next_report_of(*scout,
                             [](const MountReport& report) { return report.state == MountReport::State::swept; }));
        REQUIRE(scout->prove());
        std::uint64_t opened = 0;
        CHECK(next_report_of(*scout, [&](const MountReport& report) {
            opened = report.canary_inode;
            return report.state == MountReport::State::canary;
        }));
        CHECK(opened == other.st_ino);
    }

    TEST_CASE("the scout finds a mount of the host, and one in a namespace of its own, and says when it goes") {
        auto scout = MountScout::start(ScoutGranularity::per_filesystem);
        REQUIRE(scout);
        const auto wait_for = [&](auto matches) { return next_report_of(*scout, matches); };
        CHECK(wait_for([](const MountReport& report) { return report.state == MountReport::State::swept; }));
        std::uint64_t device = 0;
        {
            const PrivateMount mount;
            CHECK(wait_for([&](const MountReport& report) {
                device = report.device;
                return report.state == MountReport::State::opened && report.mount_point == mount.path &&
                       report.directory && report.type == "tmpfs" && report.host_namespace;
            }));
            const auto canary_of = [&](const MountReport& report) {
                return report.state == MountReport::State::canary && report.device == device;
            };
            const auto proves = [&](const fs::path& file) {
                struct stat status {};
                REQUIRE(::stat(file.c_str(), &status) == 0);
                REQUIRE(scout->prove());
                return wait_for([&](const MountReport& report) {
                    return canary_of(report) && report.error == 0 && report.canary_inode == status.st_ino &&
                           report.canary_device == status.st_dev;
                });
            };
            CHECK(proves(mount.path / "file"));
            fs::create_directories(mount.path / "folder");
            fs::rename(mount.path / "file", mount.path / "folder/file");
            CHECK(proves(mount.path / "folder/file"));
            fs::remove(mount.path / "folder/file");
            REQUIRE(scout->prove());
            CHECK(wait_for([&](const MountReport& report) { return canary_of(report) && report.error == ENOENT; }));
        }
        CHECK(wait_for([&](const MountReport& report) {
            return report.state == MountReport::State::gone && report.device == device;
        }));

#ifndef __SANITIZE_THREAD__          // its thread in the child forbids unshare(CLONE_NEWUSER)
        const pid_t hidden = fork(); // what an unprivileged `unshare -Urm` does
        if (hidden == 0) {
            const bool ready = unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
                               ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                               ::mount("hidden", "/tmp", "tmpfs", 0, nullptr) == 0;
            pause();
            _exit(ready ? 0 : 1);
        }
        CHECK(wait_for([](const MountReport& report) {
            return report.state == MountReport::State::opened && report.mount_point == "/tmp" &&
                   !report.host_namespace && report.directory;
        }));
        kill(hidden, SIGKILL);
        waitpid(hidden, nullptr, 0);
#endif
    }
}
