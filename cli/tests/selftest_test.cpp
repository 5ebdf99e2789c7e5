#include <atomic>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <unistd.h>

#include "running.h"

using namespace picket;
using namespace picket::cli;

namespace {

std::map<std::string, std::string> statuses(const data::Json& result) {
    std::map<std::string, std::string> found;
    for (const data::Json& step : data::member(result, "steps"))
        found[data::string_or(step, "name", "")] = data::string_or(step, "status", "");
    return found;
}

std::size_t files_in(const std::string& directory) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

FakeDaemon& with_level(FakeDaemon& daemon, const std::string& level) {
    daemon.answer("health", {{"healthy", true}, {"enforcement_level", level}});
    daemon.answer("selftest.begin", data::Json::object());
    daemon.answer("config.show", {{"settings", {{{"name", "quarantine"}, {"value", "enabled"}}}}});
    return daemon;
}

/// selftest.result as a daemon gives it that has moved the file away.
void add_quarantine(FakeDaemon& daemon, const std::string& directory) {
    daemon.on("selftest.result", [directory](ipc::RpcRequest&) -> ipc::RpcResult {
        for (const auto& entry : std::filesystem::directory_iterator(directory))
            std::filesystem::remove(entry.path());
        return {{{"blocked", true}, {"quarantined", true}, {"threat_name", "Eicar"}, {"quarantine_id", "q1"}},
                std::nullopt};
    });
}

/// A tmpfs of the test's own whose opens are denied once a file begins as the test content does: a gate in small.
class MarkedMount {
  public:
    MarkedMount() {
        mounted_ = ::mount("tmpfs", directory.path.c_str(), "tmpfs", 0, "size=1m") == 0;
        group_ = UniqueFd(
            ::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC | O_LARGEFILE));
        usable = mounted_ && group_ &&
                 ::fanotify_mark(group_.get(), FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_PERM, AT_FDCWD,
                                 directory.path.c_str()) == 0;
        if (usable)
            thread_ = std::thread([this] { serve(); });
    }
    ~MarkedMount() {
        stopping_ = true;
        if (thread_.joinable())
            thread_.join();
        group_.reset();
        if (mounted_)
            ::umount2(directory.path.c_str(), MNT_DETACH);
    }
    MarkedMount(const MarkedMount&) = delete;
    MarkedMount& operator=(const MarkedMount&) = delete;

    TemporaryDirectory directory;
    bool usable = false;

  private:
    void serve() {
        alignas(fanotify_event_metadata) char buffer[4096];
        while (!stopping_) {
            if (!ipc::wait_readable(group_.get(), 50))
                continue;
            ssize_t length = ::read(group_.get(), buffer, sizeof(buffer));
            for (auto* event = reinterpret_cast<fanotify_event_metadata*>(buffer); FAN_EVENT_OK(event, length);
                 event = FAN_EVENT_NEXT(event, length)) {
                char start[3] = {};
                const bool bad = ::pread(event->fd, start, 3, 0) == 3 && std::string_view(start, 3) == "X5O";
                const fanotify_response answer{event->fd, bad ? static_cast<unsigned>(FAN_DENY)
                                                              : static_cast<unsigned>(FAN_ALLOW)};
                [[maybe_unused]] const ssize_t written = ::write(group_.get(), &answer, sizeof(answer));
                ::close(event->fd);
            }
        }
    }
    bool mounted_ = false;
    UniqueFd group_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

} // namespace

TEST_CASE("selftest: not root is exit 3 with the reason") {
    if (::geteuid() == 0) {
        MESSAGE("skipped: runs as an ordinary user only");
        return;
    }
    const auto outcome = run_picket({"selftest"});
    CHECK(outcome.exit_status == 3);
    CHECK(contains(outcome.error_output, "fix: run it as root"));
}

TEST_SUITE_BEGIN("root");

TEST_CASE("selftest, real_time: denied while written, quarantined after, nothing left") {
    const MarkedMount mount;
    if (!mount.usable) {
        MESSAGE("skipped: no fanotify permission events on a tmpfs here");
        return;
    }
    FakeDaemon daemon;
    with_level(daemon, "real_time");
    add_quarantine(daemon, mount.directory.path);
    const auto outcome = ask(daemon, {"selftest", "--directory", mount.directory.path, "--output", "json"});
    const data::Json result = data_of(outcome, "selftest");
    CHECK(outcome.exit_status == 0);
    CHECK(data::bool_or(result, "passed", false));
    CHECK(statuses(result) ==
          std::map<std::string, std::string>{
              {"prepare", "passed"}, {"open_denied", "passed"}, {"quarantined", "passed"}, {"cleanup", "passed"}});
    REQUIRE(daemon.seen("selftest.begin").size() == 1);
    CHECK(daemon.seen("selftest.begin").front().descriptors == 1);
    CHECK(daemon.seen("selftest.begin").front().first_bytes.empty()); // told before there was content
}

TEST_CASE("selftest, real_time, on a host that does not deny: it fails and says which step") {
    const TemporaryDirectory directory;
    FakeDaemon daemon;
    with_level(daemon, "real_time");
    add_quarantine(daemon, directory.path);
    const auto outcome = ask(daemon, {"selftest", "--directory", directory.path});
    CHECK(outcome.exit_status == 1);
    CHECK(contains(outcome.output, "failed          open_denied"));
    CHECK(contains(outcome.output, "self-test failed (real_time)"));
    CHECK(files_in(directory.path) == 0);
}

TEST_CASE("selftest, quarantine disabled: blocking is what is promised, and the file is taken away") {
    const MarkedMount mount;
    if (!mount.usable) {
        MESSAGE("skipped: no fanotify permission events on a tmpfs here");
        return;
    }
    FakeDaemon daemon;
    with_level(daemon, "real_time")
        .answer("config.show", {{"settings", {{{"name", "quarantine"}, {"value", "disabled"}}}}});
    const auto outcome = ask(daemon, {"selftest", "--directory", mount.directory.path, "--output", "json"});
    CHECK(outcome.exit_status == 0);
    CHECK(statuses(data_of(outcome, "selftest"))["quarantined"] == "not_applicable");
    CHECK(files_in(mount.directory.path) == 0);
}

TEST_CASE("selftest, audit: the open succeeds and is reported") {
    const TemporaryDirectory directory;
    FakeDaemon daemon;
    with_level(daemon, "audit");
    std::atomic<int> asked{0};
    daemon.on("selftest.result", [&](ipc::RpcRequest&) -> ipc::RpcResult {
        return {{{"blocked", false}, {"quarantined", false}, {"threat_name", ++asked < 3 ? "" : "Eicar"}},
                std::nullopt};
    });
    const auto outcome = ask(daemon, {"selftest", "--directory", directory.path, "--output", "json"});
    CHECK(outcome.exit_status == 0);
    CHECK(statuses(data_of(outcome, "selftest")) ==
          std::map<std::string, std::string>{
              {"prepare", "passed"}, {"open_allowed", "passed"}, {"reported", "passed"}, {"cleanup", "passed"}});
    CHECK(files_in(directory.path) == 0);
}

TEST_CASE("selftest, on_demand and passive: real time does not apply, the engine is asked about a file in memory") {
    const TemporaryDirectory directory;
    for (const std::string level : {"on_demand", "passive"}) {
        FakeDaemon daemon;
        with_level(daemon, level).answer("scan.file", {{"verdict", "malicious"}, {"threat_name", "Eicar"}});
        const auto outcome = ask(daemon, {"selftest", "--directory", directory.path});
        CHECK(outcome.exit_status == 0);
        CHECK(contains(outcome.output, "not_applicable  real_time"));
        CHECK(contains(outcome.output, level));
        REQUIRE(daemon.seen("scan.file").size() == 1);
        CHECK(daemon.seen("scan.file").front().first_bytes.starts_with("X5O!P%@AP"));
        daemon.answer("scan.file", {{"verdict", "clean"}});
        CHECK(ask(daemon, {"selftest", "--directory", directory.path}).exit_status == 1);
    }
}

TEST_SUITE_END();
