#include "fake_daemon.h"

using namespace picket;
using namespace picket::cli;

namespace {

sys::RunOutcome quarantine(const FakeDaemon& daemon, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"threat", "quarantine"});
    arguments.insert(arguments.end(), {"--socket", daemon.socket()});
    return run_picket(std::move(arguments));
}

data::Json item(const std::string& id, const std::string& definitions, const std::string& threat) {
    return {{"quarantine_id", id},
            {"path", "/srv/" + id},
            {"definitions", definitions},
            {"threat_name", threat},
            {"quarantined", "2026-11-25T00:00:0" + id + ".000Z"}};
}

/// Three files; restoring the one with the id 2 fails.
void fill(FakeDaemon& daemon) {
    daemon.answer("quarantine.list", {{"items", {item("1", "g1", "T"), item("2", "g2", "T"), item("3", "g2", "U")}}});
    daemon.on("quarantine.restore", [](ipc::RpcRequest& request) -> ipc::RpcResult {
        if (data::string_or(request.parameters, "quarantine_id", "") == "2")
            return {nullptr, ipc::RpcError{"failed", "/srv/2 exists", ""}};
        return {data::Json{{"path", "/srv/x"}, {"sha256", "ab"}}, std::nullopt};
    });
}

std::vector<std::string> restored_ids(const FakeDaemon& daemon) {
    std::vector<std::string> ids;
    for (const auto& request : daemon.seen("quarantine.restore"))
        ids.push_back(data::string_or(request.parameters, "quarantine_id", ""));
    return ids;
}

data::Json report_of(const sys::RunOutcome& outcome) {
    return data::member(data::parse_json(outcome.output).value(), "data");
}

} // namespace

TEST_CASE("restore --definitions puts back what that generation took, the newest first, and says what failed") {
    FakeDaemon daemon;
    fill(daemon);
    const auto outcome = quarantine(daemon, {"restore", "--definitions", "g2", "--output", "json"});
    CHECK(outcome.exit_status == 1);
    CHECK(restored_ids(daemon) == std::vector<std::string>{"3", "2"});
    const data::Json report = report_of(outcome);
    CHECK(report["restored"] == 1);
    CHECK(report["failed"] == 1);
    CHECK(report["items"][0]["status"] == "restored");
    CHECK(report["items"][1]["error"]["message"] == "/srv/2 exists");
    const auto text = quarantine(daemon, {"restore", "--definitions", "g2"});
    CHECK(text.output.find("failed         /srv/2: /srv/2 exists\n") != std::string::npos);
    CHECK(text.output.find("restored 1 of 2\n") != std::string::npos);
    CHECK(quarantine(daemon, {"restore", "--definitions", "g1"}).exit_status == 0);
    CHECK(quarantine(daemon, {"restore", "--definitions", "g3"}).exit_status == 1);
}

TEST_CASE("restore --all is narrowed by the threat; --dry-run restores nothing") {
    FakeDaemon daemon;
    fill(daemon);
    const auto dry = quarantine(daemon, {"restore", "--all", "--dry-run", "--output", "json"});
    CHECK(dry.exit_status == 0);
    CHECK(report_of(dry)["items"].size() == 3);
    CHECK(report_of(dry)["dry_run"] == true);
    CHECK(quarantine(daemon, {"restore", "--id", "1", "--dry-run"}).output.find("would_restore  /srv/1\n") == 0);
    CHECK(restored_ids(daemon).empty());
    CHECK(quarantine(daemon, {"restore", "--all", "--threat", "U"}).exit_status == 0);
    CHECK(restored_ids(daemon) == std::vector<std::string>{"3"});
}

TEST_CASE("restore wants exactly one way to say which files") {
    FakeDaemon daemon;
    fill(daemon);
    for (const std::vector<std::string>& wrong : {std::vector<std::string>{},
                                                  {"--id", "1", "--all"},
                                                  {"--all", "--definitions", "g1"},
                                                  {"--all", "--destination", "/x"},
                                                  {"--id", "1", "--threat", "T"}}) {
        std::vector<std::string> arguments{"restore"};
        arguments.insert(arguments.end(), wrong.begin(), wrong.end());
        CHECK(quarantine(daemon, arguments).exit_status == 2);
    }
    CHECK(restored_ids(daemon).empty());
}

TEST_CASE("add passes a descriptor of the file itself and follows no link at the end") {
    FakeDaemon daemon;
    daemon.answer("quarantine.add", {{"quarantine_id", "ab"}, {"path", "/x"}});
    const TemporaryDirectory directory;
    const std::string path = directory.file("bad", "content");
    const auto outcome = quarantine(daemon, {"add", "--path", path});
    CHECK(outcome.exit_status == 0);
    CHECK(outcome.output.find("ab") != std::string::npos);
    REQUIRE(daemon.seen("quarantine.add").size() == 1);
    CHECK(daemon.seen("quarantine.add").front().descriptors == 1);
    CHECK(quarantine(daemon, {"add", "--path", directory.path + "/none"}).exit_status == 1);
}
