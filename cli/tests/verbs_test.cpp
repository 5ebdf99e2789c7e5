#include "fake_daemon.h"

using namespace picket;
using namespace picket::cli;

namespace {

data::Json health_answer(bool healthy) {
    data::Json health = {
        {"healthy", healthy},
        {"health_issues", data::Json::array()},
        {"app_version", "0.1.0"},
        {"org_id", "acme"},
        {"enforcement_level", "real_time"},
        {"tags", {{"site", "north"}}},
        {"filesystems",
         {{{"mount_point", "/"}, {"type", "ext4"}, {"status", "protected"}},
          {{"mount_point", "/mnt"}, {"type", "zfs"}, {"status", "unmarked"}, {"reason", "no support"}}}},
        {"statistics", {{"events", 12}}}};
    if (!healthy)
        health["health_issues"] = {{{"name", "engine_absent"},
                                    {"message", "no engine is connected"},
                                    {"fix", "systemctl restart picket-engine"}}};
    return health;
}

data::Json threat(const std::string& path) {
    data::Json row = {{"threat_id", "0123456789abcdef"},
                      {"name", "Eicar-Test-Signature"},
                      {"status", "quarantined"},
                      {"count", 3},
                      {"last_seen", "2026-11-24T22:56:51.123Z"}};
    data::set_path(row, "path", path);
    return row;
}

} // namespace

TEST_CASE("no daemon: exit 4 and what to do, in both forms") {
    const std::string socket = "/tmp/picket-cli-none/control.sock";
    const auto text = run_picket({"health", "--socket", socket});
    CHECK(text.exit_status == 4);
    CHECK(text.output.empty());
    CHECK(contains(text.error_output, "picket: the daemon picketd is not running"));
    CHECK(contains(text.error_output, "  fix: systemctl status picketd"));
    const auto json = run_picket({"--output", "json", "threat", "list", "--socket", socket});
    CHECK(json.exit_status == 4);
    const data::Json error = data_of(json, "error");
    CHECK(data::string_or(error, "name", "") == "not_running");
    CHECK(data::integer_or(error, "code", 0) == 4);
    CHECK(json.error_output.empty());
}

TEST_CASE("version answers without a daemon, and with one adds what it says") {
    const auto alone = run_picket({"--output", "json", "version", "--socket", "/tmp/picket-cli-none/control.sock"});
    CHECK(alone.exit_status == 0);
    CHECK_FALSE(data::bool_or(data_of(alone, "version"), "daemon_running", true));
    FakeDaemon daemon;
    daemon.answer("version", {{"app_version", "9.9"}, {"engine_version", "1.0.7"}});
    const auto both = ask(daemon, {"version"});
    CHECK(both.exit_status == 0);
    CHECK(contains(both.output, "engine_version : 1.0.7"));
}

TEST_CASE("error names of the protocol become exit codes") {
    const std::vector<std::pair<std::string, int>> rows = {
        {"usage", 2},     {"needs_root", 3},  {"managed", 5}, {"profile_refused", 2},
        {"not_found", 1}, {"unavailable", 1}, {"failed", 1},  {"of_the_future", 1}};
    FakeDaemon daemon;
    for (const auto& row : rows) {
        const auto& [name, exit_status] = row;
        CAPTURE(row.first);
        daemon.refuse("threat.list", {name, "because", "do this"});
        const auto outcome = ask(daemon, {"threat", "list"});
        CHECK(outcome.exit_status == exit_status);
        CHECK(outcome.error_output == "picket: because\n  fix: do this\n");
        const data::Json error = data_of(ask(daemon, {"threat", "list", "--output", "json"}), "error");
        CHECK(data::string_or(error, "name", "") == name);
        CHECK(data::string_or(error, "fix", "") == "do this");
    }
}

TEST_CASE("usage errors: exit 2, a suggestion, and JSON where JSON was asked for") {
    const auto outcome = run_picket({"helth"});
    CHECK(outcome.exit_status == 2);
    CHECK(contains(outcome.error_output, "did you mean \"health\"?"));
    CHECK(data::string_or(data_of(run_picket({"helth", "--output", "json"}), "error"), "name", "") == "usage");
    CHECK(run_picket({}).exit_status == 2);
    CHECK(run_picket({"--help"}).exit_status == 0);
    CHECK(contains(run_picket({"scan", "custom", "--help"}).output, "picket scan custom --path /srv/upload"));
    CHECK(run_picket({"scan", "list", "--limit", "-1"}).exit_status == 2);
}

TEST_CASE("a daemon of another protocol is named as such") {
    FakeDaemon daemon;
    daemon.answer("hello", {{"protocol", 7}});
    const auto outcome = ask(daemon, {"health"});
    CHECK(outcome.exit_status == 1);
    CHECK(contains(outcome.error_output, "protocol 7"));
}

TEST_CASE("health: exit 0 when healthy, else 1 with every issue and its fix") {
    FakeDaemon daemon;
    daemon.answer("health", health_answer(true));
    const auto good = ask(daemon, {"health"});
    CHECK(good.exit_status == 0);
    CHECK(good.output.starts_with("healthy           : true\n"));
    CHECK(contains(good.output, "filesystems       : 1 protected, 1 unmarked\n"));
    CHECK(contains(good.output, "tags.site         : north\n"));
    daemon.answer("health", health_answer(false));
    const auto bad = ask(daemon, {"health"});
    CHECK(bad.exit_status == 1);
    CHECK(contains(bad.output, "engine_absent: no engine is connected\n  fix: systemctl restart picket-engine\n"));
    const auto json = ask(daemon, {"health", "--output", "json"});
    CHECK(json.exit_status == 1);
    CHECK(data_of(json, "health") == health_answer(false));
}

TEST_CASE("health --field prints one value and nothing else; --details one part") {
    FakeDaemon daemon;
    daemon.answer("health", health_answer(false));
    const auto field = ask(daemon, {"health", "--field", "org_id"});
    CHECK(field.exit_status == 0);
    CHECK(field.output == "acme\n");
    CHECK(ask(daemon, {"health", "--field", "healthy"}).output == "false\n");
    CHECK(ask(daemon, {"health", "--field", "statistics.events"}).output == "12\n");
    CHECK(data_of(ask(daemon, {"health", "--field", "healthy", "--output", "json"}), "health") ==
          data::Json{{"healthy", false}});
    const auto unknown = ask(daemon, {"health", "--field", "orgid"});
    CHECK(unknown.exit_status == 2);
    CHECK(contains(unknown.error_output, "did you mean org_id?"));
    const auto details = ask(daemon, {"health", "--details", "filesystems"});
    CHECK(contains(details.output, "no support"));
    CHECK_FALSE(contains(details.output, "org_id"));
    CHECK(ask(daemon, {"health", "--details", "filesytems"}).exit_status == 2);
}

TEST_CASE("lists: a table of at most 80 columns with whole ids, blocks as text, everything as JSON") {
    FakeDaemon daemon;
    const std::string path = "/srv/" + std::string(300, 'x') + "/end.exe";
    const data::Json result = {{"threats", {threat(path), threat("/short")}}};
    daemon.answer("threat.list", result);
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"threat", "list"}, {"threat", "list", "--output", "table"}}) {
        const auto table = ask(daemon, arguments);
        CHECK(table.exit_status == 0);
        CHECK(contains(table.output, "0123456789abcdef"));
        CHECK(contains(table.output, "…"));
        CHECK(contains(table.output, "Eicar-Test-Signature")); // what is left out for it is in the JSON
        for (const std::string_view line : split(table.output, '\n'))
            CHECK(command_line::display_width(line) <= 80);
    }
    const auto text = ask(daemon, {"threat", "list", "--output", "text"});
    CHECK(contains(text.output, "path      : " + path + "\n"));
    CHECK(data_of(ask(daemon, {"threat", "list", "--output", "json"}), "threats") == result);
    daemon.answer("threat.list", {{"threats", data::Json::array()}});
    CHECK(ask(daemon, {"threat", "list"}).output == "no threats\n");
}

TEST_CASE("every list verb's table keeps to 80 columns with long content") {
    const std::string big(200, 'y');
    const data::Json row = {{"threat_id", "0123456789abcdef"},
                            {"quarantine_id", "0123456789abcdef"},
                            {"scan_id", "0123456789abcdef"},
                            {"name", big},
                            {"threat_name", big},
                            {"status", "quarantine_failed"},
                            {"count", 12345},
                            {"size_bytes", 123456789012},
                            {"last_seen", "2026-11-24T22:56:51.123Z"},
                            {"quarantined", "2026-11-24T22:56:51.123Z"},
                            {"started", "2026-11-24T22:56:51.123Z"},
                            {"time", "2026-11-24T22:56:51.123Z"},
                            {"kind", "custom"},
                            {"files_scanned", 12345678},
                            {"threats_found", 99},
                            {"path", "/" + big},
                            {"type", "extension"},
                            {"value", big},
                            {"source", "/etc/picket/managed.d/50-ansible.json"},
                            {"origin", "close_write"},
                            {"sequence", 12345678}};
    FakeDaemon daemon;
    const std::vector<std::vector<std::string>> verbs = {{"threat", "list"},
                                                         {"threat", "quarantine", "list"},
                                                         {"scan", "list"},
                                                         {"event", "list"},
                                                         {"exclusion", "list"},
                                                         {"threat", "allowed", "list"},
                                                         {"threat", "policy", "list"}};
    const std::vector<std::pair<std::string, std::string>> methods = {{"threat.list", "threats"},
                                                                      {"quarantine.list", "items"},
                                                                      {"scan.list", "scans"},
                                                                      {"event.list", "events"},
                                                                      {"exclusion.list", "exclusions"},
                                                                      {"threat.allowed.list", "allowed_threats"},
                                                                      {"threat.policy.list", "threat_policy"}};
    for (const auto& [method, list] : methods)
        daemon.answer(method, {{list, {row}}});
    for (const auto& verb : verbs) {
        const auto outcome = ask(daemon, verb);
        CAPTURE(outcome.output);
        CHECK(outcome.exit_status == 0);
        for (const std::string_view line : split(outcome.output, '\n'))
            CHECK(command_line::display_width(line) <= 80);
    }
}

TEST_CASE("control characters and bytes of a hostile path do not reach the terminal; JSON carries the bytes") {
    FakeDaemon daemon;
    const std::string hostile = "/a\x1b]0;owned\x07\n\x9b\xff/\xe2\x80\xae"
                                "exe";
    daemon.answer("threat.list", {{"threats", {threat(hostile)}}});
    for (const char* format : {"text", "table"}) {
        const auto outcome = ask(daemon, {"threat", "list", "--output", format});
        for (const char* bad : {"\x1b", "\x07", "\x9b", "\xff", "\xe2\x80\xae"})
            CHECK_FALSE(contains(outcome.output, bad));
        CHECK(contains(outcome.output, "\\x"));
    }
    const data::Json threats =
        data::member(data_of(ask(daemon, {"threat", "list", "--output", "json"}), "threats"), "threats");
    CHECK(data::path_of(threats.at(0), "path") == hostile);
    daemon.refuse("threat.list", {"failed", "bad \x1b[31m thing", "fix\x07"});
    CHECK_FALSE(contains(ask(daemon, {"threat", "list"}).error_output, "\x1b"));
}

TEST_CASE("options become the parameters of the protocol") {
    struct Call {
        std::vector<std::string> arguments;
        std::string method;
        data::Json parameters;
    };
    const std::vector<Call> calls = {
        {{"threat", "list", "--limit", "5"}, "threat.list", {{"limit", 5}}},
        {{"threat", "get", "--id", "ab"}, "threat.get", {{"threat_id", "ab"}}},
        {{"threat", "quarantine", "restore", "--id", "ab", "--destination", "/x//y/", "--overwrite"},
         "quarantine.restore",
         {{"quarantine_id", "ab"}, {"destination", "/x/y"}, {"overwrite", true}}},
        {{"threat", "quarantine", "remove", "--id", "ab"}, "quarantine.remove", {{"quarantine_id", "ab"}}},
        {{"threat", "quarantine", "resume"}, "quarantine.resume", data::Json::object()},
        {{"threat", "policy", "set", "--type", "archive_bomb", "--action", "block"},
         "threat.policy.set",
         {{"type", "archive_bomb"}, {"action", "block"}}},
        {{"threat", "allowed", "add", "--name", "E"}, "threat.allowed.add", {{"name", "E"}}},
        {{"exclusion", "folder", "add", "--path", "/srv/db"},
         "exclusion.add",
         {{"type", "folder"}, {"value", "/srv/db"}}},
        {{"exclusion", "extension", "remove", "--name", "iso"},
         "exclusion.remove",
         {{"type", "extension"}, {"value", "iso"}}},
        {{"exclusion", "process", "add", "--name", "cat"}, "exclusion.add", {{"type", "process"}, {"value", "cat"}}},
        {{"scan", "cancel"}, "scan.cancel", data::Json::object()},
        {{"scan", "cancel", "--id", "ab"}, "scan.cancel", {{"scan_id", "ab"}}},
        {{"config", "scan-archives", "--value", "false"},
         "config.set",
         {{"name", "scan-archives"}, {"value", "false"}}},
        {{"event", "list", "--type", "self_test", "--after", "7"}, "event.list", {{"type", "self_test"}, {"after", 7}}},
    };
    FakeDaemon daemon;
    for (const Call& call : calls) {
        CAPTURE(join(call.arguments, " "));
        daemon.answer(call.method, {{"changed", true}, {"name", "scan-archives"}, {"value", "false"}});
        CHECK(ask(daemon, call.arguments).exit_status == 0);
        REQUIRE_FALSE(daemon.seen(call.method).empty());
        CHECK(daemon.seen(call.method).back().parameters == call.parameters);
    }
}

TEST_CASE("changes say whether there was one") {
    FakeDaemon daemon;
    daemon.answer("exclusion.add", {{"changed", true}, {"exclusions", data::Json::array()}});
    CHECK(ask(daemon, {"exclusion", "file", "add", "--path", "/a"}).output == "exclusion added\n");
    daemon.answer("exclusion.add", {{"changed", false}, {"exclusions", data::Json::array()}});
    CHECK(ask(daemon, {"exclusion", "file", "add", "--path", "/a"}).output == "nothing to change\n");
    CHECK(ask(daemon, {"exclusion", "process", "add"}).exit_status == 2);
    CHECK(ask(daemon, {"exclusion", "process", "add", "--name", "a", "--path", "/a"}).exit_status == 2);
    daemon.answer("config.show", {{"settings",
                                   {{{"name", "scan-archives"},
                                     {"value", true},
                                     {"default", true},
                                     {"source", "default"},
                                     {"managed", false}}}}});
    CHECK(contains(ask(daemon, {"config", "scan-archives"}).output, "value   : true"));
    CHECK(contains(ask(daemon, {"config", "show"}).output, "scan-archives"));
}

TEST_CASE("profile show: the document as text, its sources as a table") {
    FakeDaemon daemon;
    daemon.answer("profile.show",
                  {{"document", {{"antivirusEngine", {{"scanArchives", false}}}}},
                   {"sources",
                    {{"/antivirusEngine/scanArchives", {{"layer", "managed"}, {"file", "50-ansible.json"}}},
                     {"no pointer", "x"}}},
                   {"problems", {{{"file", "a.json"}, {"line", 3}, {"column", 5}, {"message", "no such key"}}}},
                   {"generation", 1}});
    const auto text = ask(daemon, {"profile", "show"});
    CAPTURE(text.output);
    CAPTURE(text.error_output);
    CHECK(contains(text.output, "    \"scanArchives\": false\n"));
    CHECK(contains(text.output, "a.json:3:5: no such key"));
    CHECK(contains(ask(daemon, {"profile", "show", "--output", "table"}).output, "50-ansible.json"));
}

TEST_CASE("profile validate needs no daemon: 0, or 41 with file:line:column and a suggestion") {
    const TemporaryDirectory directory;
    const std::string good = directory.file("good.json", R"({"antivirusEngine":{"scanArchives":true}})");
    const std::string bad = directory.file("bad.yaml", "antivirusEngine:\n  scanArchive: true\n");
    CHECK(run_picket({"profile", "validate", good}).exit_status == 0);
    const auto refused = run_picket({"profile", "validate", good, bad});
    CHECK(refused.exit_status == 41);
    CHECK(contains(refused.output, bad + ":2:3:"));
    CHECK(contains(refused.output, "scanArchives"));
    const auto json = run_picket({"profile", "validate", good, bad, "--output", "json"});
    CHECK(json.exit_status == 41);
    const data::Json result = data_of(json, "profile_validation");
    CHECK_FALSE(data::bool_or(result, "valid", true));
    CHECK(data::member(result, "files").size() == 2);
    CHECK(run_picket({"profile", "validate", directory.path + "/none"}).exit_status == 1);
    CHECK(run_picket({"profile", "validate", directory.path}).exit_status == 1);
    CHECK(run_picket({"profile", "validate"}).exit_status == 2);
}

TEST_CASE("profile render builds upon shipped profiles and neighbours; validate names the file that is wrong") {
    const TemporaryDirectory directory;
    const std::string base = directory.file("base.yaml", "extends: hardened-server\nengine: {workers: 2}\n");
    const std::string site = directory.file("site.yaml", "extends: ./base.yaml\nengine: {scanTimeLimitSeconds: 5}\n");
    const auto rendered = run_picket({"profile", "render", site});
    CHECK(rendered.exit_status == 0);
    const data::Json document = data::parse_json(rendered.output).value();
    CHECK(data::to_text(data::member(document, "engine")) == R"({"scanTimeLimitSeconds":5,"workers":2})");
    CHECK(rendered.output == data::to_pretty_text(document) + "\n");
    CHECK(data::member(data_of(run_picket({"profile", "render", site, "--output", "json"}), "profile_document"),
                       "files") == data::Json::array({"hardened-server", base, site}));
    directory.file("base.yaml", "engine: {worker: 2}\n");
    const auto refused = run_picket({"profile", "validate", site});
    CHECK(refused.exit_status == 41);
    CHECK(contains(refused.output, base + ":1:10: engine.worker: no such key; did you mean workers?"));
}

TEST_CASE("profile import-mde: the profile to a file or the pipe, the report beside it") {
    const TemporaryDirectory directory;
    const std::string theirs = directory.file(
        "mdatp_managed.json", R"({"antivirusEngine":{"enforcementLevel":"passive","scanArchives":"enabled","x":1}})");
    const std::string ours = directory.path + "/ours.json";
    const auto written = run_picket({"profile", "import-mde", theirs, "-o", ours});
    CHECK(written.exit_status == 0);
    CHECK(contains(written.output, "weakens protection: enforcement level lowered from real_time to passive"));
    CHECK(contains(written.output, "1 taken, 1 converted, 1 dropped; 1 protect less than Picket's defaults"));
    CHECK(run_picket({"profile", "validate", ours}).exit_status == 0);
    const auto piped = run_picket({"profile", "import-mde", theirs});
    CHECK(data::parse_json(piped.output).has_value());
    CHECK(contains(piped.error_output, "weakens protection"));
    const data::Json report =
        data_of(run_picket({"profile", "import-mde", theirs, "--output", "json"}), "profile_import");
    CHECK(data::integer_or(report, "weakening", 0) == 1);
    CHECK(data::member(report, "entries").size() == 4); // and a note on the file systems
    CHECK(run_picket({"profile", "import-mde", directory.file("bad.json", "{")}).exit_status == 41);
    CHECK(run_picket({"profile", "import-mde", directory.path}).exit_status == 1);
    CHECK(run_picket({"profile", "import-mde", theirs, "-o", directory.path + "/none/x"}).exit_status == 1);
}

TEST_CASE("a full disk under the output is an error, not a success") {
    if (!std::filesystem::exists("/dev/full")) {
        MESSAGE("skipped: no /dev/full");
        return;
    }
    const auto outcome = sys::run({"/bin/sh", "-c", "\"$0\" --help > /dev/full", PICKET_PROGRAM});
    REQUIRE(outcome);
    CHECK(outcome->exit_status == 1);
}
