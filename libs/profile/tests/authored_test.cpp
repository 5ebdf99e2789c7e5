#include <doctest/doctest.h>

#include <filesystem>

#include <picket/profile/authored.h>
#include <picket/profile/effective.h>

#include "tree.h"

using namespace picket;
using namespace picket::profile;
namespace fs = std::filesystem;

namespace {

/// Authored files in a folder of their own.
struct Folder : Tree {
    Rendering render_file(const std::string& name) const { return render(read(name), path.string() + name); }
    std::string problem(const std::string& name) const {
        const Rendering rendering = render_file(name);
        if (rendering.ok())
            return "";
        std::string text = to_text(rendering.problems.front());
        const std::string top = path.string();
        for (auto at = text.find(top); at != std::string::npos; at = text.find(top))
            text.erase(at, top.size());
        return text;
    }
};

std::string shown(const Rendering& rendering, const char* pointer) {
    return data::to_text(value_at(rendering.document, pointer));
}

} // namespace

TEST_CASE("extends: what stands above wins, lists that merge add up, and nothing else is said") {
    const Folder folder;
    folder.write("/site.yaml", "extends: ./base/common.yaml\n"
                               "antivirusEngine:\n"
                               "  scanArchives: false\n"
                               "  unmonitoredFilesystems: [nfs4]\n"
                               "  exclusions: [{$type: excludedPath, path: /srv//b/, isDirectory: true}]\n");
    folder.write("/base/common.yaml", "extends: ./more.json\n"
                                      "antivirusEngine:\n"
                                      "  scanArchives: true\n"
                                      "  unmonitoredFilesystems: [cifs]\n"
                                      "  threatTypeSettings: [{key: archive_bomb, value: block}]\n");
    folder.write("/base/more.json", R"({"antivirusEngine":{"exclusions":[{"$type":"excludedPath","path":"/srv/a"},
                                        {"$type":"excludedPath","path":"/srv/b","isDirectory":true}]},
                                        "engine":{"workers":3}})");
    const Rendering rendering = folder.render_file("/site.yaml");
    REQUIRE(rendering.ok());
    CHECK(data::to_text(rendering.document) ==
          R"({"antivirusEngine":{"exclusions":[{"$type":"excludedPath","isDirectory":false,"path":"/srv/a"},)"
          R"({"$type":"excludedPath","isDirectory":true,"path":"/srv/b"}],"scanArchives":false,)"
          R"("threatTypeSettings":[{"key":"archive_bomb","value":"block"}],"unmonitoredFilesystems":["nfs4"]},)"
          R"("engine":{"workers":3}})");
    CHECK(rendering.files.size() == 3);
    CHECK(rendering.files.front() == folder.path.string() + "/base/more.json");
    CHECK(validate(data::to_text(rendering.document), Format::json, "p").ok());
}

TEST_CASE("a shipped profile is extended by its name, in whatever folder one is") {
    const Rendering rendering = render("extends: hardened-server\nengine: {workers: 2}\n", "site.yaml");
    REQUIRE(rendering.ok());
    CHECK(shown(rendering, "/realTimeProtection/openFailureAction") == "\"deny\"");
    CHECK(shown(rendering, "/engine/workers") == "2");
    CHECK(rendering.files == std::vector<std::string>{"hardened-server", "site.yaml"});
}

TEST_CASE("what is wrong is told of the file in which it stands") {
    const Folder folder;
    folder.write("/site.yaml", "# mine\nextends: ./base.yaml\nengine: {worker: 2}\n");
    folder.write("/base.yaml", "antivirusEngine:\n  scanArchive: true\n");
    const Rendering rendering = folder.render_file("/site.yaml");
    REQUIRE(rendering.problems.size() == 2);
    CHECK(to_text(rendering.problems[0]).find("/site.yaml:3:10: engine.worker: no such key") != std::string::npos);
    CHECK(to_text(rendering.problems[1]).find("/base.yaml:2:3: antivirusEngine.scanArchive") != std::string::npos);
}

TEST_CASE("cycles, escapes and too long chains are one clear message each") {
    const Folder folder;
    folder.write("/self.yaml", "engine: {workers: 1}\nextends: ./self.yaml\n");
    CHECK(folder.problem("/self.yaml") ==
          "/self.yaml:2:1: extends: \"./self.yaml\" comes round to a file that extends this one");
    folder.write("/a.yaml", "extends: ./sub/b.yaml\n");
    folder.write("/sub/b.yaml", "extends: ././/b.yaml\n");
    CHECK(folder.problem("/a.yaml").starts_with("/sub/b.yaml:1:1: extends: "));
    for (const char* way : {"../x.yaml", "./../x.yaml", "/etc/x.yaml", "./sub/../../x.yaml", "./sub/.."}) {
        folder.write("/escape.yaml", std::string("extends: ") + way + "\n");
        CHECK(folder.problem("/escape.yaml").find("leads out of the folder") != std::string::npos);
    }
    for (int i = 0; i < 12; ++i)
        folder.write("/n" + std::to_string(i) + ".yaml", "extends: ./n" + std::to_string(i + 1) + ".yaml\n");
    CHECK(folder.problem("/n0.yaml") == "/n8.yaml:1:1: extends: is the 9th in a row; at most 8 are allowed");
    folder.write("/n12.yaml", "{}\n");
    CHECK(folder.problem("/n4.yaml") == "");
    fs::create_symlink("/etc/passwd", folder.path / "link.yaml");
    folder.write("/linked.yaml", "extends: ./link.yaml\n");
    CHECK(folder.problem("/linked.yaml").starts_with("/linked.yaml:1:1: extends: \"./link.yaml\" cannot be read"));
    folder.write("/missing.yaml", "extends: ./none.yaml\n");
    CHECK(folder.problem("/missing.yaml").starts_with("/missing.yaml:1:1: extends: \"./none.yaml\" cannot be read"));
    REQUIRE(mkfifo((folder.path / "pipe.yaml").c_str(), 0600) == 0);
    folder.write("/piped.yaml", "extends: ./pipe.yaml\n");
    CHECK(folder.problem("/piped.yaml").find("cannot be read") != std::string::npos);
}

TEST_CASE("extends takes one name; a near one is suggested") {
    const auto first = [](const std::string& text) { return to_text(render(text, "p.yaml").problems.at(0)); };
    CHECK(first("extends: baseline-serve\n").find("did you mean baseline-server?") != std::string::npos);
    CHECK(first("extends: common.yaml\n").find("did you mean ./common.yaml?") != std::string::npos);
    for (const char* bad : {"3", "[baseline-server]", "~", "''", "{a: b}", "true"})
        CHECK(first(std::string("extends: ") + bad + "\n").starts_with("p.yaml:1:1: extends: must be the name of a "));
    CHECK_FALSE(render("extends: [", "p.yaml").ok());
    CHECK_FALSE(render("", "p.yaml").ok());
}

TEST_CASE("a host takes no file that extends another") {
    const Validation validation = validate(R"({"extends": "passive"})", Format::json, "p");
    REQUIRE_FALSE(validation.ok());
    CHECK(to_text(validation.problems.front()) ==
          "p:1:2: extends: is for files that people write: a host reads what `picket profile render` makes of them");
    const Tree tree;
    tree.managed("50-a.json", R"({"extends": "passive"})");
    CHECK(load(tree.root()).policy->enforcement_level == EnforcementLevel::real_time);
}

TEST_CASE("anchors and merge keys") {
    const Rendering rendering = render("antivirusEngine:\n"
                                       "  exclusions:\n"
                                       "    - &folder {$type: excludedPath, isDirectory: true, path: /srv/a}\n"
                                       "    - {<<: *folder, path: /srv/b}\n"
                                       "scheduledScan:\n"
                                       "  weeklyConfiguration: {timeOfDay: &night 180}\n"
                                       "  dailyConfiguration: {timeOfDay: *night}\n",
                                       "p.yaml");
    REQUIRE(rendering.ok());
    CHECK(value_at(rendering.document, "/antivirusEngine/exclusions").size() == 2);
    CHECK(shown(rendering, "/scheduledScan/dailyConfiguration/timeOfDay") == "180");
}

TEST_CASE("every shipped profile renders to a profile that a host takes") {
    std::vector<std::string> names;
    for (const ShippedProfile& profile : shipped_profiles()) {
        CAPTURE(profile.name);
        names.emplace_back(profile.name);
        const std::string file = std::string(PICKET_SOURCE_DIR) + "/profiles/" + std::string(profile.name) + ".yaml";
        const Rendering rendering = render(profile.text, file);
        REQUIRE(rendering.ok());
        CHECK(validate(data::to_pretty_text(rendering.document), Format::json, file).ok());
        // Its head says what it is for, and what that costs.
        const std::string head(profile.text.substr(0, profile.text.find("\n\n") + 1));
        CHECK(head.starts_with("# " + std::string(profile.name) + ": "));
        CHECK((head.find("# Trades: ") != std::string::npos || profile.text.find("# Trades: ") != std::string::npos));
    }
    CHECK(names == std::vector<std::string>{"audit-first", "baseline-server", "ci-runner", "container-host",
                                            "database-host", "file-server", "hardened-server", "passive"});
}

TEST_CASE("the shipped profiles do what their heads say") {
    const auto policy = [](const std::string& name) {
        const Rendering rendering = render("extends: " + name + "\n", "p.yaml");
        REQUIRE(rendering.ok());
        return compile(merge({{Layer::managed, "m", rendering.document}}).document);
    };
    CHECK(policy("audit-first")->enforcement_level == EnforcementLevel::audit);
    CHECK(policy("passive")->enforcement_level == EnforcementLevel::passive);
    CHECK_FALSE(policy("passive")->quarantine);
    CHECK(policy("hardened-server")->open_failure == Decision::deny);
    CHECK_FALSE(policy("hardened-server")->local_restore);
    CHECK_FALSE(policy("database-host")->scan_archives);
    CHECK(policy("database-host")->open_deadline == Milliseconds(5'000));
    CHECK(policy("database-host")->schedule.weekly_full);
    CHECK(policy("container-host")->engine_workers == 4);
    CHECK(policy("ci-runner")->potentially_unwanted == ThreatAction::block);
    CHECK(policy("ci-runner")->archive_bomb == ThreatAction::audit);
    CHECK(policy("ci-runner")->open_deadline == Milliseconds(500));
    CHECK(policy("file-server")->open_failure == Decision::deny);
    CHECK(policy("file-server")->exec_failure == Decision::allow);
    CHECK(policy("file-server")->archive_bomb == ThreatAction::block);
    for (const ShippedProfile& profile : shipped_profiles()) // none of them excludes anything
        CHECK_FALSE(policy(std::string(profile.name))->exclusions.has_path_rules());
}
