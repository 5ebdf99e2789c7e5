#include <doctest/doctest.h>

#include <filesystem>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <picket/profile/local.h>
#include <picket/profile/views.h>

#include "tree.h"

using namespace picket;
using namespace picket::profile;
namespace fs = std::filesystem;

namespace {
std::string shown(const sys::Root& root, const std::string& name) {
    return data::to_text(config_show_json(load(root), name).value()["settings"][0]["value"]);
}
} // namespace

TEST_CASE("a setting is written, read back, and written once") {
    const Tree tree;
    const sys::Root root = tree.root();
    CHECK(set_setting(root, "open-deadline-ms", "500").value());
    CHECK_FALSE(set_setting(root, "open-deadline-ms", " 500 ").value());
    CHECK(load(root).policy->open_deadline == Milliseconds(500));
    CHECK(set_setting(root, "scan-archives", "disabled").value());
    CHECK_FALSE(load(root).policy->scan_archives);
    CHECK(set_setting(root, "enforcement-level", "audit").value());
    CHECK_FALSE(set_setting(root, "quarantine", "enabled").value());
    CHECK(load(root).problems.empty());
    struct stat status {};
    REQUIRE(stat((tree.path / "var/lib/picket/settings.json").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
}

TEST_CASE("real-time-protection and passive-mode are switches over the level") {
    const Tree tree;
    const sys::Root root = tree.root();
    CHECK_FALSE(set_setting(root, "real-time-protection", "enabled").value());
    CHECK(set_setting(root, "real-time-protection", "disabled").value());
    CHECK(shown(root, "enforcement-level") == "\"on_demand\"");
    CHECK(set_setting(root, "passive-mode", "enabled").value());
    CHECK(shown(root, "passive-mode") == "\"enabled\"");
    CHECK_FALSE(set_setting(root, "real-time-protection", "disabled").value());
    CHECK(set_setting(root, "passive-mode", "disabled").value());
    CHECK(shown(root, "enforcement-level") == "\"real_time\"");
    CHECK(set_setting(root, "enforcement-level", "audit").value());
    CHECK_FALSE(set_setting(root, "real-time-protection", "enabled").value());
    CHECK_FALSE(set_setting(root, "passive-mode", "disabled").value());
    CHECK(shown(root, "enforcement-level") == "\"audit\"");
}

TEST_CASE("a wrong name or value changes nothing and says what would be right") {
    const Tree tree;
    const sys::Root root = tree.root();
    const auto message = [&](const char* name, const std::string& value) {
        const auto result = set_setting(root, name, value);
        REQUIRE_FALSE(result);
        CHECK(result.error().code() == ErrorCode::invalid_input);
        return result.error().message();
    };
    CHECK(message("open-deadline-ms", "50") == "open-deadline-ms must be 100 to 10000, not 50");
    CHECK(message("open-deadline-ms", "fast") == "open-deadline-ms must be a whole number, not \"fast\"");
    CHECK(message("open-deadlin-ms", "500").find("did you mean open-deadline-ms?") != std::string::npos);
    CHECK(message("scan-archives", "maybe") == "scan-archives must be enabled or disabled, not \"maybe\"");
    CHECK(message("enforcement-level", "realtime") == "enforcement-level must be one of real_time, audit, on_demand, "
                                                      "passive, not \"realtime\"; did you mean real_time?");
    message("quarantine", "\xff");
    message("maximum-on-demand-scan-threads", "99999999999999999999");
    CHECK_FALSE(fs::exists(tree.path / "var/lib/picket/settings.json"));
}

TEST_CASE("what a managed profile sets is refused locally, with the file's name") {
    const Tree tree;
    const sys::Root root = tree.root();
    tree.managed("30-install.json", R"({"antivirusEngine":{"enforcementLevel":"real_time","allowedThreats":["M"],
        "exclusions":[{"$type":"excludedPath","path":"/srv/m","isDirectory":true}]}})");
    for (const auto& [name, value] : {std::pair{"enforcement-level", "passive"},
                                      {"real-time-protection", "disabled"},
                                      {"passive-mode", "enabled"}}) {
        const auto result = set_setting(root, name, value);
        REQUIRE_FALSE(result);
        CHECK(result.error().code() == ErrorCode::permission);
        CHECK(result.error().message().find("managed.d/30-install.json") != std::string::npos);
    }
    CHECK_FALSE(set_setting(root, "real-time-protection", "enabled").value());
    CHECK(set_setting(root, "scan-archives", "disabled").value());
    CHECK_FALSE(add_exclusion(root, "folder", "/srv/m/").value());
    const auto removed = remove_exclusion(root, "folder", "/srv/m");
    CHECK(removed.error().code() == ErrorCode::permission);
    CHECK(removed.error().message().find("30-install.json") != std::string::npos);
    CHECK(remove_allowed_threat(root, "M").error().code() == ErrorCode::permission);
}

TEST_CASE("exclusions are added, listed in one spelling, and removed") {
    const Tree tree;
    const sys::Root root = tree.root();
    CHECK(add_exclusion(root, "folder", "/srv//build/").value());
    CHECK_FALSE(add_exclusion(root, "folder", "/srv/build").value());
    CHECK(add_exclusion(root, "file", "/srv/build").value());
    CHECK(add_exclusion(root, "extension", ".log").value());
    CHECK(add_exclusion(root, "process", "/usr/sbin/mysqld").value());
    CHECK(add_exclusion(root, "process", "rsync").value());
    CHECK(add_exclusion(root, "name", "core").value());
    const PolicySnapshot policy = load(root).policy;
    CHECK(policy->exclusions.excludes_path("/srv/build/x"));
    CHECK(policy->exclusions.excludes_path("/x.log"));
    CHECK(policy->exclusions.excludes_process("/usr/sbin/mysqld"));
    CHECK(exclusion_list_json(load(root))["exclusions"].size() == 6);
    CHECK(remove_exclusion(root, "folder", "/srv/build/").value());
    CHECK_FALSE(remove_exclusion(root, "folder", "/srv/build").value());
    CHECK(remove_exclusion(root, "extension", "log").value());
    CHECK(exclusion_list_json(load(root))["exclusions"].size() == 4);
}

TEST_CASE("a dangerous or senseless exclusion is refused with the reason") {
    const Tree tree;
    const sys::Root root = tree.root();
    for (const auto& refused : {std::pair<const char*, const char*>{"folder", "/"},
                                {"folder", "/usr"},
                                {"folder", "/etc/"},
                                {"folder", "/bin"},
                                {"folder", "/home/*"},
                                {"folder", "srv"},
                                {"folder", ""},
                                {"folder", "/srv/../etc"},
                                {"folder", "/srv/a\nb"},
                                {"folder", "/srv/\xff"},
                                {"file", "/tmp/*"},
                                {"file", "/srv/x/"},
                                {"extension", "*"},
                                {"extension", ""},
                                {"extension", "a/b"},
                                {"name", "a/b"},
                                {"process", "usr/bin/x"},
                                {"process", "/usr/bin/"},
                                {"disk", "/srv"}}) {
        CAPTURE(refused.second);
        const auto result = add_exclusion(root, refused.first, refused.second);
        REQUIRE_FALSE(result);
        CHECK(result.error().code() == ErrorCode::invalid_input);
        CHECK(result.error().message().size() > 10);
    }
    CHECK(add_exclusion(root, "folder", "/usr").error().message().find("covers /usr") != std::string::npos);
    CHECK_FALSE(fs::exists(tree.path / "var/lib/picket/settings.json"));
}

TEST_CASE("admin_only and disallowed actions refuse local additions") {
    const Tree tree;
    const sys::Root root = tree.root();
    CHECK(add_exclusion(root, "name", "core").value());
    tree.managed("50-site.json",
                 R"({"antivirusEngine":{"exclusionsMergePolicy":"admin_only","disallowedThreatActions":["allow"]}})");
    const auto refused = add_exclusion(root, "name", "x");
    CHECK(refused.error().code() == ErrorCode::permission);
    CHECK(refused.error().message().find("50-site.json") != std::string::npos);
    const auto threat = add_allowed_threat(root, "T");
    CHECK(threat.error().code() == ErrorCode::permission);
    CHECK(threat.error().message().find("50-site.json") != std::string::npos);
    CHECK(remove_exclusion(root, "name", "core").value());
}

TEST_CASE("threats are allowed by name, and no longer") {
    const Tree tree;
    const sys::Root root = tree.root();
    CHECK(add_allowed_threat(root, "Eicar-Test-Signature").value());
    CHECK_FALSE(add_allowed_threat(root, "Eicar-Test-Signature").value());
    CHECK(load(root).policy->is_allowed_threat("Eicar-Test-Signature"));
    CHECK(remove_allowed_threat(root, "Eicar-Test-Signature").value());
    CHECK_FALSE(remove_allowed_threat(root, "Eicar-Test-Signature").value());
    CHECK_FALSE(add_allowed_threat(root, ""));
    CHECK_FALSE(add_allowed_threat(root, "a b"));
    CHECK_FALSE(add_allowed_threat(root, "a\n"));
    CHECK_FALSE(add_allowed_threat(root, std::string(500, 'x')));
}

TEST_CASE("the action for a type of threat is set, once, and only where no managed profile holds it") {
    const Tree tree;
    const sys::Root root = tree.root();
    CHECK(set_threat_action(root, "archive_bomb", "block").value());
    CHECK_FALSE(set_threat_action(root, "archive_bomb", "block").value());
    CHECK(set_threat_action(root, "archive_bomb", "off").value());
    CHECK_FALSE(set_threat_action(root, "potentially_unwanted_application", "audit").value()); // the default
    CHECK(load(root).policy->archive_bomb == ThreatAction::off);
    CHECK(load(root).policy->potentially_unwanted == ThreatAction::audit);
    const auto list = threat_policy_json(load(root))["threat_policy"];
    REQUIRE(list.size() == 2);
    for (const auto& row : list)
        CHECK(row["source"] == (row["type"] == "archive_bomb" ? "local" : "default"));

    for (const auto& [type, action] :
         {std::pair{"archive_bombs", "block"}, {"archive_bomb", "blok"}, {"", "block"}, {"archive_bomb", "\xff"}})
        CHECK(set_threat_action(root, type, action).error().code() == ErrorCode::invalid_input);

    tree.managed("30-install.json",
                 R"({"antivirusEngine":{"threatTypeSettings":[{"key":"archive_bomb","value":"audit"}]}})");
    const auto refused = set_threat_action(root, "archive_bomb", "block");
    CHECK(refused.error().code() == ErrorCode::permission);
    CHECK(refused.error().message().find("30-install.json") != std::string::npos);
    CHECK(set_threat_action(root, "potentially_unwanted_application", "block").value());
    tree.managed("50-site.json", R"({"antivirusEngine":{"threatTypeSettingsMergePolicy":"admin_only"}})");
    CHECK(load(root).policy->potentially_unwanted == ThreatAction::audit);
    CHECK(set_threat_action(root, "potentially_unwanted_application", "off").error().code() == ErrorCode::permission);
}

TEST_CASE("a damaged settings.json is not written over") {
    const Tree tree;
    tree.settings("{\"x\": 1}");
    const auto result = set_setting(tree.root(), "quarantine", "disabled");
    CHECK(result.error().code() == ErrorCode::corrupt);
    CHECK(result.error().message().find("settings.json:1:2") != std::string::npos);
    CHECK(tree.read("/var/lib/picket/settings.json") == "{\"x\": 1}");
}

TEST_CASE("changes at the same time do not lose one another") {
    const Tree tree;
    constexpr int kProcesses = 4;
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            const sys::Root root = tree.root();
            int failed = 0;
            for (int j = 0; j < 5; ++j)
                failed += add_exclusion(root, "name", "n" + std::to_string(i * 10 + j)) ? 0 : 1;
            _exit(failed);
        }
        children.push_back(child);
    }
    int failed = 0;
    for (const pid_t child : children) {
        int status = 0;
        waitpid(child, &status, 0);
        failed += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
    }
    CHECK(failed + static_cast<int>(load(tree.root()).policy->exclusions.names.size()) == kProcesses * 5);
}
