#include <sys/stat.h>
#include <unistd.h>

#include "running.h"

using namespace picket;
using namespace picket::cli;

namespace {

data::Json record(const std::string& status, int threats) {
    return {{"scan_id", "s1"},       {"kind", "quick"},   {"status", status},        {"files_scanned", 10},
            {"bytes_scanned", 1000}, {"files_failed", 0}, {"threats_found", threats}};
}

/// scan.start that tells of `threats` threats and ends at once.
void add_scan(FakeDaemon& daemon, int threats, const std::string& status = "finished") {
    daemon.on("scan.start", [=](ipc::RpcRequest& request) -> ipc::RpcResult {
        const auto peer = request.peer.lock();
        peer->notify("scan.progress", {{"scan_id", "s1"},
                                       {"files_scanned", 5},
                                       {"bytes_scanned", 500},
                                       {"threats_found", 0},
                                       {"current", "/usr/\x1b[31mlib"}});
        peer->notify("scan.threat",
                     {{"scan_id", "another"}, {"path", "/other"}, {"threat_name", "Other"}, {"action", "quarantined"}});
        for (int i = 0; i < threats; ++i)
            peer->notify(
                "scan.threat",
                {{"scan_id", "s1"}, {"path", "/bad\x07"}, {"threat_name", "Eicar"}, {"action", "quarantined"}});
        peer->notify("scan.finished", record(status, threats));
        return {{{"scan_id", "s1"}}, std::nullopt};
    });
}

/// scan.file: malicious where the content begins with "bad".
void add_scan_file(FakeDaemon& daemon) {
    daemon.on("scan.file", [](ipc::RpcRequest& request) -> ipc::RpcResult {
        char bytes[3] = {};
        const ssize_t got = ::pread(request.descriptors.at(0).get(), bytes, sizeof(bytes), 0);
        if (got == 3 && std::string_view(bytes, 3) == "bad")
            return {{{"verdict", "malicious"}, {"threat_name", "Test.Bad"}}, std::nullopt};
        return {{{"verdict", "clean"}}, std::nullopt};
    });
}

} // namespace

TEST_CASE("scan quick: clean is 0, threats are 10, a failed scan is 1") {
    FakeDaemon daemon;
    add_scan(daemon, 0);
    const auto clean = ask(daemon, {"scan", "quick"});
    CHECK(clean.exit_status == 0);
    CHECK(contains(clean.output, "files_scanned : 10"));
    CHECK(clean.error_output.empty()); // no progress bar in a pipe
    CHECK(daemon.seen("scan.start").back().parameters == data::Json{{"kind", "quick"}, {"follow", true}});
    add_scan(daemon, 2);
    const auto found = ask(daemon, {"scan", "full"});
    CHECK(found.exit_status == 10);
    CHECK(contains(found.output, "Eicar  /bad\\x07  (quarantined)\n"));
    CHECK_FALSE(contains(found.output, "Other"));
    const auto json = ask(daemon, {"scan", "full", "--output", "json"});
    CHECK(json.exit_status == 10);
    CHECK(data::member(data_of(json, "scan"), "threats").size() == 2);
    add_scan(daemon, 0, "failed");
    CHECK(ask(daemon, {"scan", "quick"}).exit_status == 1);
}

TEST_CASE("a scan whose daemon goes away is an error that says where to look") {
    auto daemon = std::make_unique<FakeDaemon>();
    daemon->on("scan.start", [](ipc::RpcRequest& request) -> ipc::RpcResult {
        request.peer.lock()->notify(
            "scan.threat", {{"scan_id", "s1"}, {"path", "/bad"}, {"threat_name", "Eicar"}, {"action", "quarantined"}});
        return {{{"scan_id", "s1"}}, std::nullopt};
    });
    Running scan({"scan", "quick", "--socket", daemon->socket()});
    REQUIRE(scan.wait_for("/bad"));
    daemon.reset();
    CHECK(scan.exit_status() == 1);
    CHECK(contains(scan.output, "picket scan list"));
}

TEST_CASE("on a terminal there is a progress bar, without foreign control sequences; Ctrl-C cancels and exits 1") {
    FakeDaemon daemon;
    std::weak_ptr<ipc::RpcPeer> follower;
    daemon.on("scan.start", [&](ipc::RpcRequest& request) -> ipc::RpcResult {
        follower = request.peer;
        request.peer.lock()->notify("scan.progress", {{"scan_id", "s1"},
                                                      {"files_scanned", 5},
                                                      {"bytes_scanned", 500},
                                                      {"threats_found", 0},
                                                      {"current", "/usr/\x1b]0;owned/" + std::string(200, 'z')}});
        return {{{"scan_id", "s1"}}, std::nullopt};
    });
    daemon.on("scan.cancel", [&](ipc::RpcRequest&) -> ipc::RpcResult {
        follower.lock()->notify("scan.finished", record("cancelled", 0));
        return {{{"cancelled", {"s1"}}}, std::nullopt};
    });
    Running scan({"scan", "quick", "--socket", daemon.socket()}, 60);
    REQUIRE(scan.wait_for("5 files"));
    scan.send_signal(SIGINT);
    CHECK(scan.exit_status() == 1);
    CHECK(contains(scan.output, "cancelled"));
    CHECK_FALSE(contains(scan.output, "\x1b]0;"));
    REQUIRE(daemon.seen("scan.cancel").size() == 1);
    CHECK(daemon.seen("scan.cancel").front().parameters == data::Json{{"scan_id", "s1"}});
}

TEST_CASE("scan custom as root sends the descriptor of what the caller named") {
    if (::geteuid() != 0) {
        MESSAGE("skipped: needs root");
        return;
    }
    FakeDaemon daemon;
    add_scan(daemon, 0);
    const TemporaryDirectory directory;
    CHECK(ask(daemon, {"scan", "custom", "--path", directory.path, "--ignore-exclusions"}).exit_status == 0);
    const auto seen = daemon.seen("scan.start").back();
    CHECK(seen.descriptors == 1);
    CHECK(seen.parameters ==
          data::Json{{"kind", "custom"}, {"path", directory.path}, {"ignore_exclusions", true}, {"follow", true}});
    CHECK(ask(daemon, {"scan", "custom", "--path", directory.path + "/none"}).exit_status == 1);
}

TEST_CASE("a scan with the caller's own rights sends each regular file and nothing else") {
    FakeDaemon daemon;
    add_scan_file(daemon);
    const TemporaryDirectory directory;
    std::filesystem::create_directories(directory.path + "/sub/deeper");
    directory.file("clean", "good");
    directory.file("sub/deeper/found\x1b", "bad content");
    directory.file("outside", "bad too");
    std::filesystem::rename(directory.path + "/outside", directory.path + "/sub/real");
    std::filesystem::create_symlink("/etc/passwd", directory.path + "/link");
    std::filesystem::create_directory_symlink("/etc", directory.path + "/folder-link");
    REQUIRE(::mkfifo((directory.path + "/fifo").c_str(), 0600) == 0);
    const auto json = ask(daemon, {"scan", "custom", "--report-only", "--path", directory.path, "--output", "json"});
    CHECK(json.exit_status == 10);
    const data::Json result = data_of(json, "scan");
    CHECK(data::integer_or(result, "files_scanned", 0) == 3);
    CHECK(data::integer_or(result, "threats_found", 0) == 2);
    CHECK(data::string_or(result, "status", "") == "finished");
    CHECK(daemon.seen("scan.file").size() == 3);
    for (const auto& request : daemon.seen("scan.file"))
        CHECK(request.descriptors == 1);
    const auto text = ask(daemon, {"scan", "custom", "--report-only", "--path", directory.path});
    CHECK(contains(text.output, "/sub/deeper/found\\x1b  (reported)"));

    const auto one = ask(daemon, {"scan", "custom", "--report-only", "--path", directory.path + "/clean"});
    CHECK(one.exit_status == 0);
    const auto through_link = ask(daemon, {"scan", "custom", "--report-only", "--path", directory.path + "/link"});
    CHECK(contains(through_link.output, "files_scanned : 1"));
    CHECK(ask(daemon, {"scan", "custom", "--report-only", "--path", "/dev/null"}).exit_status == 1);
    CHECK(ask(daemon, {"scan", "custom", "--report-only", "--path", directory.path + "/fifo"}).exit_status == 1);
    CHECK(
        contains(ask(daemon, {"scan", "custom", "--report-only", "--path", "/proc/self"}).output, "files_scanned : 0"));
}

TEST_CASE("what the engine could not judge is named, and does not count as clean") {
    FakeDaemon daemon;
    daemon.answer("scan.file", {{"verdict", "limit_exceeded"}});
    const TemporaryDirectory directory;
    const std::string path = directory.file("bomb", "x");
    const auto outcome = ask(daemon, {"scan", "custom", "--report-only", "--path", path});
    CHECK(contains(outcome.output, "not scanned: " + path + " (limit_exceeded)"));
    CHECK(contains(outcome.output, "files_failed  : 1"));
}

TEST_CASE("event follow prints events as they come, as JSON one envelope a line, and ends with Ctrl-C") {
    FakeDaemon daemon;
    daemon.on("event.follow", [](ipc::RpcRequest& request) -> ipc::RpcResult {
        for (int i = 1; i <= 2; ++i)
            request.peer.lock()->notify(
                "event",
                {{"sequence", i}, {"time", "2026-11-24T22:56:51Z"}, {"type", "threat_blocked"}, {"path", "/a\x1b"}});
        return {data::Json::object(), std::nullopt};
    });
    Running text({"event", "follow", "--after", "5", "--socket", daemon.socket()});
    CHECK(text.wait_for("path=/a\\x1b\r\n2026-11-24T22:56:51Z  threat_blocked  path=/a\\x1b\r\n"));
    text.send_signal(SIGINT);
    CHECK(text.exit_status() == 0);
    CHECK(daemon.seen("event.follow").back().parameters == data::Json{{"after", 5}});
    Running json({"event", "follow", "--output", "json", "--socket", daemon.socket()});
    CHECK(json.wait_for("\"sequence\":2"));
    json.send_signal(SIGINT);
    CHECK(json.exit_status() == 0);
    const auto first = data::parse_json(trim(json.output.substr(0, json.output.find('\n'))));
    REQUIRE(first);
    CHECK(data::string_or(*first, "kind", "") == "event");
}

TEST_CASE("colour on a terminal, none with NO_COLOR") {
    FakeDaemon daemon;
    daemon.answer("threat.list", {{"threats", {{{"threat_id", "1"}}}}});
    Running coloured({"threat", "list", "--socket", daemon.socket()});
    CHECK(coloured.exit_status() == 0);
    CHECK(contains(coloured.output, "\x1b[1m"));
    ::setenv("NO_COLOR", "1", 1);
    Running plain({"threat", "list", "--socket", daemon.socket()});
    ::unsetenv("NO_COLOR");
    CHECK(plain.exit_status() == 0);
    CHECK_FALSE(contains(plain.output, "\x1b"));
}
