#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/sandbox/confined_child.h>
#include <picket/sandbox/landlock.h>
#include <picket/sandbox/network_only.h>
#include <picket/sys/file.h>

using namespace picket;
using namespace picket::sandbox;

namespace {

Result<void> ignore_frames(std::uint32_t, ByteSpan) {
    return {};
}

Result<void> attempt(const std::function<long()>& call) {
    return run_confined(
        {}, {},
        [&call](ConfinedOutput&) -> Result<void> {
            if (call() < 0)
                return Error::from_errno(errno, "refused");
            return {};
        },
        ignore_frames);
}

void check_ended_by_filter(const std::function<long()>& call) {
    const auto result = attempt(call);
    REQUIRE_FALSE(result);
    CHECK(result.error().code() == ErrorCode::corrupt);
    CHECK(result.error().message().find("SIGSYS") != std::string::npos);
}

pid_t only_child() {
    const std::string text = sys::read_kernel_file(fmt::format("/proc/self/task/{}/children", getpid())).value();
    return static_cast<pid_t>(parse_unsigned(trim(text)).value_or(0));
}

std::string status_line(const std::string& status, const std::string& name) {
    const auto at = status.find("\n" + name + ":");
    REQUIRE(at != std::string::npos);
    const auto value = at + name.size() + 2;
    return std::string(trim(std::string_view(status).substr(value, status.find('\n', value) - value)));
}

/// Runs `look` in the parent while a confined child waits.
void inspect_child(const std::function<void(pid_t)>& look) {
    const auto result = run_confined(
        {}, {},
        [](ConfinedOutput& output) -> Result<void> {
            PICKET_TRY(output.send(1, {}));
            for (;;)
                PICKET_TRY(output.send(2, {}));
        },
        [&look](std::uint32_t type, ByteSpan) -> Result<void> {
            if (type == 1)
                look(only_child());
            return Error(ErrorCode::cancelled, "seen");
        });
    CHECK(result.error().code() == ErrorCode::cancelled);
}

} // namespace

TEST_CASE("frames arrive in order, and so does the result") {
    std::string got;
    const auto result = run_confined(
        {}, {},
        [](ConfinedOutput& output) -> Result<void> {
            for (std::uint32_t i = 0; i < 3; ++i)
                PICKET_TRY(output.send(i, as_bytes("frame")));
            return {};
        },
        [&got](std::uint32_t type, ByteSpan payload) -> Result<void> {
            got += fmt::format("{}:{} ", type, as_text(payload));
            return {};
        });
    CHECK(result);
    CHECK(got == "0:frame 1:frame 2:frame ");
}

TEST_CASE("the work's error comes back with its code, escaped") {
    const auto result = run_confined(
        {}, {}, [](ConfinedOutput&) -> Result<void> { return Error(ErrorCode::invalid_input, "bad \x1b[31m input"); },
        ignore_frames);
    CHECK(result.error().code() == ErrorCode::invalid_input);
    CHECK(result.error().message() == "bad \\x1b[31m input");
}

TEST_CASE("a named descriptor can be read, no other is there") {
    const UniqueFd named = sys::memory_file("content").value();
    const UniqueFd other = sys::memory_file("secret").value();
    std::string got;
    const auto result = run_confined(
        {named.get()}, {},
        [&](ConfinedOutput& output) -> Result<void> {
            char buffer[16];
            const ssize_t size = pread(named.get(), buffer, sizeof buffer, 0);
            if (pread(other.get(), buffer + 8, 1, 0) != -1 || errno != EBADF)
                return Error(ErrorCode::internal, "a descriptor was inherited");
            return output.send(0, as_bytes(std::string_view(buffer, static_cast<std::size_t>(size))));
        },
        [&got](std::uint32_t, ByteSpan payload) -> Result<void> {
            got = as_text(payload);
            return {};
        });
    CHECK_MESSAGE(result, (result ? "" : result.error().message()));
    CHECK(got == "content");
}

TEST_CASE("no file can be opened, for reading or writing") {
    CHECK(attempt([] { return open("/etc/passwd", O_RDONLY); }).error().code() == ErrorCode::permission);
    CHECK(attempt([] { return open("/tmp/picket-escape", O_WRONLY | O_CREAT, 0600); }).error().code() ==
          ErrorCode::permission);
    CHECK(access("/tmp/picket-escape", F_OK) != 0);
}

TEST_CASE("what has no business there ends the child") {
    check_ended_by_filter([] { return socket(AF_INET, SOCK_STREAM, 0); });
    check_ended_by_filter([] { return socket(AF_UNIX, SOCK_STREAM, 0); });
    check_ended_by_filter([] { return fork(); });
    check_ended_by_filter([] { return execl("/bin/true", "true", nullptr); });
    check_ended_by_filter([] { return mkdir("/tmp/picket-escape", 0700); });
    check_ended_by_filter([] { return kill(getppid(), 0); });
    check_ended_by_filter([] { return syscall(SYS_ptrace, 16, 1, 0, 0); });
    check_ended_by_filter([] { return syscall(__NR_memfd_create, "x", 0U); });
    check_ended_by_filter([] { return setuid(0); });
    check_ended_by_filter([] {
        return mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                   ? -1
                   : 0;
    });
}

TEST_CASE("a descriptor that was given cannot be written") {
    const UniqueFd given = sys::memory_file("content").value();
    const auto result = run_confined(
        {given.get()}, {}, [&](ConfinedOutput&) -> Result<void> { return sys::write_all(given.get(), "overwritten"); },
        ignore_frames);
    CHECK(result.error().message().find("SIGSYS") != std::string::npos);
    CHECK(sys::read_all(given.get(), kibibytes(1)).value() == "content");
}

TEST_CASE("a crash is an Error") {
    const auto result = run_confined(
        {}, {}, [](ConfinedOutput&) -> Result<void> { _exit(3); }, ignore_frames);
    CHECK(result.error().code() == ErrorCode::corrupt);
}

TEST_CASE("a child that never ends is ended") {
    ConfinedLimits limits;
    limits.wall_clock = Milliseconds(100);
    const auto result = run_confined(
        {}, limits,
        [](ConfinedOutput&) -> Result<void> {
            volatile bool for_ever = true;
            while (for_ever) {
            }
            return {};
        },
        ignore_frames);
    CHECK(result.error().code() == ErrorCode::exhausted);
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("output over the limit, and a frame over its limit, are refused") {
    ConfinedLimits limits;
    limits.frame = Bytes{100};
    limits.output = Bytes{1000};
    const auto endless = run_confined(
        {}, limits,
        [](ConfinedOutput& output) -> Result<void> {
            for (;;)
                PICKET_TRY(output.send(0, as_bytes("some text")));
        },
        ignore_frames);
    CHECK(endless.error().code() == ErrorCode::exhausted);
    const auto large = run_confined(
        {}, limits, [](ConfinedOutput& output) -> Result<void> { return output.send(0, ByteVector(101)); },
        ignore_frames);
    CHECK(large.error().code() == ErrorCode::corrupt);
}

TEST_CASE("the child has no privileges to gain") {
    inspect_child([](pid_t pid) {
        const std::string status = sys::read_kernel_file(fmt::format("/proc/{}/status", pid)).value();
        CHECK(status_line(status, "CapEff") == "0000000000000000");
        CHECK(status_line(status, "CapPrm") == "0000000000000000");
        CHECK(status_line(status, "NoNewPrivs") == "1");
        CHECK(status_line(status, "Seccomp") == "2");
    });
}

TEST_SUITE("root") {
    TEST_CASE("as root the child is an unused user without groups in a root that is empty and gone") {
        inspect_child([](pid_t pid) {
            const std::string status = sys::read_kernel_file(fmt::format("/proc/{}/status", pid)).value();
            const std::string line = status_line(status, "Uid");
            const auto uids = split(line, '\t');
            REQUIRE(uids.size() == 4);
            CHECK(uids[0] != "0");
            CHECK(uids[0] != "65534");
            CHECK(uids[0] == uids[1]);
            CHECK(uids[0] == uids[2]);
            CHECK(uids[0] == uids[3]);
            CHECK(status_line(status, "Gid").find(uids[0]) == 0);
            CHECK(status_line(status, "Groups").empty());
            char root[256] = {};
            REQUIRE(readlink(fmt::format("/proc/{}/root", pid).c_str(), root, sizeof root - 1) > 0);
            CHECK(std::string(root).ends_with(" (deleted)"));
        });
    }
}

TEST_CASE("a child for the network may connect and read, and may not write, execute or stay root") {
    std::string got;
    const auto result = run_networked(
        {.memory = gibibytes(1)},
        [](ConfinedOutput& output) -> Result<void> {
            std::string can;
            const int tcp = socket(AF_INET, SOCK_STREAM, 0);
            can += tcp >= 0 ? "socket " : "";
            can += open("/etc/passwd", O_RDONLY) >= 0 ? "read " : "";
            can += open("/tmp/picket-escape", O_WRONLY | O_CREAT, 0600) >= 0 ? "write " : "";
            can += fork() >= 0 ? "fork " : "";
            execl("/bin/true", "true", nullptr);
            can += geteuid() == 0 ? "root " : "";
            can += kill(getppid(), 0) == 0 ? "kill " : "";
            return output.send(0, as_bytes(can));
        },
        [&got](std::uint32_t, ByteSpan payload) -> Result<void> {
            got = as_text(payload);
            return {};
        });
    CHECK_MESSAGE(result, (result ? "" : result.error().message()));
    CHECK(got.starts_with("socket read "));
    for (const char* never : {"fork", "root", "kill"})
        CHECK_MESSAGE(got.find(never) == std::string::npos, got);
    unlink("/tmp/picket-escape");
    if (landlock_abi() > 0)
        CHECK_MESSAGE(got.find("write") == std::string::npos, got);
}
