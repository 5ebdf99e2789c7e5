#include <doctest/doctest.h>

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/profile/effective.h>

#include "tree.h"

using namespace picket;
using namespace picket::profile;
namespace fs = std::filesystem;

namespace {
LayerDocument layer(Layer which, const std::string& file, const std::string& text) {
    return {which, file, data::parse_json(text).value()};
}
std::string value(const EffectiveProfile& profile, const std::string& pointer) {
    return data::to_text(value_at(profile.document, pointer));
}
std::string all_problems(const EffectiveProfile& profile) {
    std::string all;
    for (const Problem& problem : profile.problems)
        all += to_text(problem) + "\n";
    return all;
}
constexpr const char* kLevel = "/antivirusEngine/enforcementLevel";
} // namespace

TEST_CASE("without any file the defaults protect") {
    const Tree tree;
    const EffectiveProfile profile = load(tree.root());
    CHECK(profile.status == ProfileStatus::defaults);
    CHECK(profile.problems.empty());
    CHECK(profile.policy->enforcement_level == EnforcementLevel::real_time);
    CHECK(profile.policy->real_time_active());
    CHECK(profile.policy->unmonitored_filesystems.empty());
    CHECK(profile.policy->open_deadline == Milliseconds(2'000));
    CHECK(profile.policy->quarantine);
    CHECK(profile.policy->local_restore);
    CHECK_FALSE(profile.policy->exclusions.has_path_rules());
    CHECK(profile.sources.at(kLevel).layer == Layer::defaults);
}

TEST_CASE("every key reaches the policy") {
    const Merged merged = merge({layer(Layer::managed, "m", R"({
        "antivirusEngine": {"enforcementLevel": "audit", "scanArchives": false, "maximumOnDemandScanThreads": 9,
            "nonExecMountPolicy": "mute", "unmonitoredFilesystems": ["nfs", "fuse"], "allowedThreats": ["T-1"],
            "disallowedThreatActions": ["restore"], "scanResultsRetentionDays": 7, "scanHistoryMaximumItems": 6000,
            "threatTypeSettings": [{"key": "archive_bomb", "value": "block"},
                                   {"key": "potentially_unwanted_application", "value": "off"}],
            "exclusions": [{"$type": "excludedPath", "path": "/srv//d/", "isDirectory": true},
                           {"$type": "excludedFileExtension", "extension": ".log"},
                           {"$type": "excludedProcess", "process": "rsync"}]},
        "exclusionSettings": {"exclusions": [{"$type": "excludedPath", "path": "/srv/f", "scopes": ["epp"]},
                                             {"$type": "excludedFileName", "name": "core"}]},
        "realTimeProtection": {"openDeadlineMs": 300, "openFailureAction": "deny", "execFailureAction": "deny",
                               "quarantine": "disabled"},
        "quarantine": {"maximumPerMinute": 5, "retentionDays": 0},
        "definitions": {"updateIntervalSeconds": 900, "minimumAgeSeconds": 86400},
        "product": {"expirationWarningDays": 0, "afterExpiration": "warning"},
        "engine": {"workers": 3, "scanTimeLimitSeconds": 5}})")});
    const PolicySnapshot policy = compile(merged.document);
    CHECK(policy->enforcement_level == EnforcementLevel::audit);
    CHECK_FALSE(policy->scan_archives);
    CHECK(policy->maximum_on_demand_scan_threads == 9);
    CHECK(policy->mute_noexec_mounts);
    CHECK(policy->is_unmonitored("nfs"));
    CHECK_FALSE(policy->is_unmonitored("nfs4"));
    CHECK(policy->is_unmonitored("fuse.sshfs"));
    CHECK_FALSE(policy->is_unmonitored("fuseblk"));
    CHECK(policy->is_allowed_threat("T-1"));
    CHECK_FALSE(policy->is_allowed_threat("T-10"));
    CHECK_FALSE(policy->local_restore);
    CHECK(policy->scan_results_retention_days == 7);
    CHECK(policy->scan_history_maximum_items == 6'000);
    CHECK(policy->archive_bomb == ThreatAction::block);
    CHECK(policy->potentially_unwanted == ThreatAction::off);
    CHECK(policy->open_deadline == Milliseconds(300));
    CHECK(policy->open_failure == Decision::deny);
    CHECK(policy->exec_failure == Decision::deny);
    CHECK_FALSE(policy->quarantine);
    CHECK(policy->quarantine_maximum_per_minute == 5);
    CHECK(policy->quarantine_retention_days == 0);
    CHECK(policy->definitions_interval == std::chrono::seconds(900));
    CHECK(policy->definitions_minimum_age == std::chrono::seconds(86'400));
    CHECK(policy->expiration_warning_days == 0);
    CHECK_FALSE(policy->expired_is_unhealthy);
    CHECK(policy->engine_workers == 3);
    CHECK(policy->scan_time_limit == Milliseconds(5'000));
    CHECK(policy->exclusions.excludes_path("/srv/d/x"));
    CHECK(policy->exclusions.excludes_path("/srv/f"));
    CHECK(policy->exclusions.excludes_path("/x/y.log"));
    CHECK(policy->exclusions.excludes_path("/x/core"));
    CHECK(policy->exclusions.excludes_process("/usr/bin/rsync"));
}

TEST_CASE("the highest layer wins, managed files in the order of their names") {
    const Tree tree;
    tree.managed("50-b.json", R"({"antivirusEngine":{"enforcementLevel":"audit"}})");
    tree.managed("10-a.json", R"({"antivirusEngine":{"enforcementLevel":"on_demand","scanArchives":false}})");
    tree.managed(".hidden.json", "broken");
    tree.managed("notes.txt", "broken");
    tree.settings(R"({"antivirusEngine":{"enforcementLevel":"passive","maximumOnDemandScanThreads":5}})");
    const EffectiveProfile profile = load(tree.root());
    CHECK(all_problems(profile) == "");
    CHECK(profile.status == ProfileStatus::in_force);
    CHECK(value(profile, kLevel) == "\"audit\"");
    CHECK(profile.sources.at(kLevel).file == tree.path.string() + "/etc/picket/managed.d/50-b.json");
    CHECK(value(profile, "/antivirusEngine/scanArchives") == "false");
    CHECK(value(profile, "/antivirusEngine/maximumOnDemandScanThreads") == "5");
    CHECK(profile.sources.at("/antivirusEngine/maximumOnDemandScanThreads").layer == Layer::local);
    CHECK(profile.files.size() == 3);
}

TEST_CASE("lists add up, each element with its source, equal ones once") {
    const Merged merged =
        merge({layer(Layer::local, "l", R"({"antivirusEngine":{"allowedThreats":["L","Both"],"exclusions":[
             {"$type":"excludedPath","path":"/srv/x/","isDirectory":true}]}})"),
               layer(Layer::managed, "m1", R"({"antivirusEngine":{"allowedThreats":["Both","M"],
             "threatTypeSettings":[{"key":"archive_bomb","value":"off"}],
             "exclusions":[{"$type":"excludedPath","path":"/srv//x","isDirectory":true}]}})"),
               layer(Layer::managed, "m2",
                     R"({"antivirusEngine":{"threatTypeSettings":[{"key":"archive_bomb","value":"block"}]}})")});
    CHECK(data::to_text(value_at(merged.document, "/antivirusEngine/allowedThreats")) == R"(["L","Both","M"])");
    CHECK(merged.sources.at("/antivirusEngine/allowedThreats/0").file == "l");
    CHECK(merged.sources.at("/antivirusEngine/allowedThreats/1").file == "m1");
    CHECK(value_at(merged.document, "/antivirusEngine/exclusions").size() == 1);
    CHECK(merged.sources.at("/antivirusEngine/exclusions/0").layer == Layer::managed);
    const PolicySnapshot policy = compile(merged.document);
    CHECK(policy->archive_bomb == ThreatAction::block);
    CHECK(policy->potentially_unwanted == ThreatAction::audit);
}

TEST_CASE("admin_only switches local elements off") {
    const LayerDocument local = layer(Layer::local, "l", R"({"antivirusEngine":{"allowedThreats":["L"],
        "threatTypeSettings":[{"key":"archive_bomb","value":"off"}],
        "exclusions":[{"$type":"excludedFileName","name":"core"}]}})");
    const auto policy_with = [&](const std::string& managed) {
        return compile(merge({local, layer(Layer::managed, "m", managed)}).document);
    };
    CHECK(policy_with("{}")->exclusions.has_path_rules());
    CHECK_FALSE(
        policy_with(R"({"antivirusEngine":{"exclusionsMergePolicy":"admin_only"}})")->exclusions.has_path_rules());
    CHECK_FALSE(policy_with(R"({"exclusionSettings":{"mergePolicy":"admin_only"}})")->exclusions.has_path_rules());
    CHECK(policy_with("{}")->archive_bomb == ThreatAction::off);
    CHECK(policy_with(R"({"antivirusEngine":{"threatTypeSettingsMergePolicy":"admin_only"}})")->archive_bomb ==
          ThreatAction::audit);
    CHECK(policy_with("{}")->is_allowed_threat("L"));
    CHECK_FALSE(policy_with(R"({"antivirusEngine":{"disallowedThreatActions":["allow"]}})")->is_allowed_threat("L"));
}

TEST_CASE("a bad managed file: the last good set stays, also over a restart, until the set is good again") {
    const Tree tree;
    tree.managed("10-a.json", R"({"antivirusEngine":{"enforcementLevel":"audit"}})");
    CHECK(load(tree.root()).status == ProfileStatus::in_force);
    tree.managed("10-a.json", R"({"antivirusEngine":{"enforcementLevel":"on_demand"}})");
    tree.managed("50-b.json", "{\n  \"antivirusEngine\": {\"scanArchive\": true}\n}");
    for (int restart = 0; restart < 2; ++restart) {
        const EffectiveProfile profile = load(tree.root());
        CHECK(profile.status == ProfileStatus::last_good);
        CHECK(profile.policy->enforcement_level == EnforcementLevel::audit);
        CHECK(all_problems(profile) == tree.path.string() +
                                           "/etc/picket/managed.d/50-b.json:2:23: "
                                           "antivirusEngine.scanArchive: no such key; did you mean scanArchives?\n");
    }
    fs::remove(tree.path / "etc/picket/managed.d/50-b.json");
    CHECK(load(tree.root()).policy->enforcement_level == EnforcementLevel::on_demand);
    fs::remove(tree.path / "etc/picket/managed.d/10-a.json");
    CHECK(load(tree.root()).policy->enforcement_level == EnforcementLevel::real_time);
    tree.managed("50-b.json", "{");
    CHECK(load(tree.root()).policy->enforcement_level == EnforcementLevel::real_time);
}

TEST_CASE("a bad managed set that was never good, and a damaged memory, leave the defaults") {
    const Tree tree;
    tree.managed("a.json", "{");
    CHECK(load(tree.root()).status == ProfileStatus::defaults);
    CHECK(load(tree.root()).policy->enforcement_level == EnforcementLevel::real_time);
    for (const char* damaged : {"", "x", "{}", R"({"schema":2,"managed":[]})",
                                R"({"schema":1,"managed":[{"file":"f","document":{"x":1}}]})"}) {
        tree.write("/var/lib/picket/profile/last-good.json", damaged, 0600);
        const EffectiveProfile profile = load(tree.root());
        CHECK(profile.status == ProfileStatus::defaults);
        CHECK(profile.problems.size() == 2);
    }
}

TEST_CASE("a bad settings.json does not count and takes nothing away") {
    const Tree tree;
    tree.managed("a.json", R"({"engine":{"workers":2}})");
    for (const char* bad :
         {"{", R"({"antivirusEngine":{"enforcementLevel":"passive","x":1}})",
          R"({"antivirusEngine":{"exclusionsMergePolicy":"merge"}})",
          R"({"antivirusEngine":{"exclusions":[{"$type":"excludedPath","path":"/","isDirectory":true}]}})"}) {
        tree.settings(bad);
        const EffectiveProfile profile = load(tree.root());
        CHECK(profile.problems.size() == 1);
        CHECK(profile.status == ProfileStatus::in_force);
        CHECK(profile.policy->enforcement_level == EnforcementLevel::real_time);
        CHECK(profile.policy->engine_workers == 2);
    }
}

TEST_CASE("a managed file that others may write, or that is no file, makes the set bad") {
    const std::string good = R"({"antivirusEngine":{"enforcementLevel":"passive"}})";
    const auto is_refused = [](const Tree& tree) {
        const EffectiveProfile profile = load(tree.root());
        return !profile.problems.empty() && profile.policy->enforcement_level == EnforcementLevel::real_time;
    };
    const Tree group;
    group.write("/etc/picket/managed.d/a.json", good, 0664);
    CHECK(is_refused(group));
    const Tree folder;
    folder.managed("a.json", good);
    fs::permissions(folder.path / "etc/picket/managed.d", fs::perms::others_write, fs::perm_options::add);
    CHECK(is_refused(folder));
    const Tree link;
    link.write("/elsewhere.json", good);
    fs::create_directories(link.path / "etc/picket/managed.d");
    fs::create_symlink(link.path / "elsewhere.json", link.path / "etc/picket/managed.d/a.json");
    CHECK(is_refused(link));
    const Tree fifo;
    fs::create_directories(fifo.path / "etc/picket/managed.d");
    REQUIRE(mkfifo((fifo.path / "etc/picket/managed.d/a.json").c_str(), 0600) == 0);
    CHECK(is_refused(fifo));
    const Tree directory;
    fs::create_directories(directory.path / "etc/picket/managed.d/a.json");
    CHECK(is_refused(directory));
    const Tree linked_folder;
    linked_folder.write("/evil/a.json", good);
    fs::create_directories(linked_folder.path / "etc/picket");
    fs::create_directory_symlink(linked_folder.path / "evil", linked_folder.path / "etc/picket/managed.d");
    CHECK(is_refused(linked_folder));
}

TEST_CASE("more than the bounds is an answer") {
    const Tree large;
    large.managed("a.json", std::string(2'000'000, ' '));
    CHECK(load(large.root()).problems.size() == 1);
    const Tree many;
    for (int i = 0; i < 1'001; ++i)
        many.managed(std::to_string(i) + ".json", "{}");
    CHECK(load(many.root()).problems.size() == 1);
}

TEST_CASE("read_only writes nothing; remember writes only what is new") {
    const Tree tree;
    tree.managed("a.json", R"({"engine":{"workers":2}})");
    load(tree.root(), LoadMode::read_only);
    CHECK_FALSE(fs::exists(tree.path / "var"));
    load(tree.root());
    struct stat first {};
    struct stat second {};
    const std::string remembered = tree.path / "var/lib/picket/profile/last-good.json";
    REQUIRE(stat(remembered.c_str(), &first) == 0);
    CHECK((first.st_mode & 07777) == 0600);
    load(tree.root());
    REQUIRE(stat(remembered.c_str(), &second) == 0);
    CHECK(first.st_ino == second.st_ino);
}

TEST_CASE("equal documents have equal generations, known for ever") {
    CHECK(compile(merge({}).document)->generation == compile(merge({}).document)->generation);
    CHECK(compile(merge({}).document)->generation !=
          compile(merge({layer(Layer::managed, "m", R"({"engine":{"workers":2}})")}).document)->generation);
    CHECK(compile(data::Json::object())->generation == 0x08f44b07b5901a25U); // FNV-1a of "{}"
    CHECK(generation_text(0x1f) == "000000000000001f");
}
