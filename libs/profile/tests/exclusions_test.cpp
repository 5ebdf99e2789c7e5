#include <doctest/doctest.h>

#include <picket/base/time_text.h>
#include <picket/profile/exclusions.h>
#include <picket/profile/in_force.h>
#include <picket/profile/local.h>
#include <picket/profile/views.h>

#include "tree.h"

using namespace picket;
using namespace picket::profile;

namespace {

WallTime at(const char* text) {
    return parse_time(text).value();
}

EffectiveProfile loaded(const Tree& tree, const char* now) {
    return load(tree.root(), LoadMode::read_only, at(now));
}

const char* const kManaged = R"({"antivirusEngine":{"exclusions":[{"$type":"excludedPath","path":"/srv/m",
    "isDirectory":true,"reason":"backup, ticket 7","owner":"storage team","expires":"2027-03-31"}]}})";

} // namespace

TEST_CASE("an exclusion with an end counts to the end of that day and not a moment longer") {
    const Tree tree;
    tree.managed("50-ansible.json", kManaged);
    const EffectiveProfile before = loaded(tree, "2027-03-31T23:59:59Z");
    const EffectiveProfile after = loaded(tree, "2027-04-01T00:00:00Z");
    CHECK(before.problems.empty());
    CHECK(before.policy->exclusions.excludes_path("/srv/m/x"));
    CHECK(before.policy->next_expiry == at("2027-04-01"));
    CHECK_FALSE(after.policy->exclusions.excludes_path("/srv/m/x"));
    CHECK_FALSE(after.policy->next_expiry);
    CHECK(after.policy->generation != before.policy->generation);
    const data::Json row = exclusion_list_json(after)["exclusions"][0];
    CHECK(row["status"] == "expired");
    CHECK(row["reason"] == "backup, ticket 7");
    CHECK(row["owner"] == "storage team");
    CHECK(row["expires"] == "2027-04-01T00:00:00.000Z");
    CHECK(exclusion_list_json(before)["exclusions"][0]["status"] == "in_force");
}

TEST_CASE("what expired between two looks is told once, also over a restart") {
    const Tree tree;
    tree.managed("50-ansible.json", kManaged);
    const EffectiveProfile before = loaded(tree, "2027-03-01");
    const EffectiveProfile after = loaded(tree, "2027-05-01");
    REQUIRE(find_expired(before, after).size() == 1);
    CHECK(find_expired(before, after)[0].owner == "storage team");
    CHECK(find_expired(before, before).empty());
    CHECK(find_expired(after, after).empty());
    REQUIRE(remember_in_force(tree.root(), before));
    const auto remembered = read_in_force(tree.root());
    REQUIRE(remembered);
    CHECK(remembered->policy->generation == before.policy->generation);
    CHECK(find_expired(*remembered, after).size() == 1);
}

TEST_CASE("the highest layer's word about an exclusion counts, and each exclusion is listed once") {
    const Tree tree;
    tree.settings(
        R"({"antivirusEngine":{"exclusions":[{"$type":"excludedPath","path":"/srv/m/","isDirectory":true}]}})");
    CHECK(loaded(tree, "2028-01-01").policy->exclusions.excludes_path("/srv/m/x"));
    tree.managed("50-ansible.json", kManaged);
    const EffectiveProfile profile = loaded(tree, "2028-01-01");
    CHECK_FALSE(profile.policy->exclusions.excludes_path("/srv/m/x"));
    CHECK(list_exclusions(profile).size() == 1);
}

TEST_CASE("notes are checked like every other value") {
    const auto problem = [](const char* notes) {
        const std::string text =
            std::string(R"({"antivirusEngine":{"exclusions":[{"$type":"excludedFileName","name":"x",)") + notes +
            "}]}}";
        const Validation validation = validate(text, Format::json, "f");
        return validation.ok() ? std::string() : to_text(validation.problems.front());
    };
    CHECK(problem(R"("expires":"2027-02-28","reason":"r","owner":"o")") == "");
    CHECK(problem(R"("expires":"2027-02-28T10:00:00Z")") == "");
    for (const char* const bad : {"2027-02-30", "28.02.2027", "2027-02-28T10:00:00+01:00", "tomorrow!!"})
        CHECK(problem(("\"expires\":\"" + std::string(bad) + "\"").c_str()).find("such as 2027-03-31") !=
              std::string::npos);
    CHECK(problem(R"("expires":"90d")") != "");
    CHECK(problem(R"("reason":"")") != "");
    CHECK(problem(R"("owner":"a\nb")").find("control characters") != std::string::npos);
    CHECK(problem(R"("expirse":"2027-02-28")").find("did you mean expires?") != std::string::npos);
}

TEST_CASE("an exclusion is added with its notes, changed by adding it again, and put in force again after its end") {
    const Tree tree;
    const sys::Root root = tree.root();
    const WallTime now = at("2027-01-01T08:00:00Z");
    CHECK(add_exclusion(root, "folder", "/srv/b", {"builds", "ci", "30d"}, now).value());
    CHECK_FALSE(add_exclusion(root, "folder", "/srv/b", {}, now).value());
    const data::Json row = exclusion_list_json(loaded(tree, "2027-01-02"))["exclusions"][0];
    CHECK(row["expires"] == "2027-01-31T08:00:00.000Z");
    CHECK(row["reason"] == "builds");
    CHECK(add_exclusion(root, "folder", "/srv/b", {"builds", "ci", "2027-02-28"}, now).value());
    CHECK_FALSE(add_exclusion(root, "folder", "/srv/b", {"builds", "ci", "2027-02-28"}, now).value());
    CHECK(list_exclusions(loaded(tree, "2027-01-02")).size() == 1);
    CHECK(add_exclusion(root, "folder", "/srv/b", {}, at("2027-03-01")).value()); // it was over
    CHECK(loaded(tree, "2029-01-01").policy->exclusions.excludes_path("/srv/b/x"));
    CHECK(remove_exclusion(root, "folder", "/srv/b").value());
    CHECK(list_exclusions(loaded(tree, "2027-01-02")).empty());

    const auto refused = [&](const NewExclusionNotes& notes) {
        const auto result = add_exclusion(root, "folder", "/srv/c", notes, now);
        return result ? std::string() : result.error().message();
    };
    CHECK(refused({"", "", "2026-12-31"}).find("is over") != std::string::npos);
    CHECK(refused({"", "", "soon"}).find("90d") != std::string::npos);
    CHECK(refused({std::string(501, 'x'), "", ""}).find("500") != std::string::npos);
    tree.managed("50-ansible.json", kManaged);
    const auto managed = add_exclusion(root, "folder", "/srv/m", {"", "", "2028-01-01"}, now);
    REQUIRE_FALSE(managed);
    CHECK(managed.error().code() == ErrorCode::permission);
    CHECK_FALSE(add_exclusion(root, "folder", "/srv/m", {}, now).value());
}

TEST_CASE("dangerous exclusions are told as such, harmless ones are not") {
    const PathLookup disk = [](const std::string& path) -> std::optional<PathFacts> {
        if (path == "/srv/upload")
            return PathFacts{0, true};
        if (path == "/srv/app" || path == "/srv/app/run")
            return PathFacts{1000, false};
        return path == "/srv/gone" ? std::nullopt : std::optional(PathFacts{});
    };
    const auto told = [&](const char* type, const char* value) {
        const auto dangers = exclusion_dangers(type, value, disk);
        return dangers.empty() ? std::string() : dangers.front();
    };
    for (const auto& [type, value] : {std::pair{"folder", "/srv/db"},
                                      {"folder", "/srv/gone"},
                                      {"file", "/srv/db/t"},
                                      {"process", "/usr/sbin/postgres"},
                                      {"folder", "/var/lib/postgresql"}})
        CHECK(told(type, value) == "");
    struct Row {
        const char* type;
        const char* value;
        const char* word;
    };
    for (const Row& row : {Row{"folder", "/", "the whole system"},
                           {"folder", "/tmp", "covers /tmp"},
                           {"folder", "/tmp/build", "anybody may make a file"},
                           {"file", "/var/tmp/x", "anybody may make a file"},
                           {"folder", "/home/ann", "a whole home"},
                           {"folder", "/home/*", "covers /home"},
                           {"process", "/bin/bash", "starts whatever it is told"},
                           {"process", "/usr/bin/python3.11", "interpreter"},
                           {"process", "/usr/bin/rsync", "from elsewhere"},
                           {"process", "postgres", "bare name"},
                           {"process", "/srv/app/run", "belongs to uid 1000"},
                           {"folder", "/srv/upload", "may be written to by others"},
                           {"folder", "/srv/app/*", "belongs to uid 1000"},
                           {"extension", "SH", "can be run"},
                           {"extension", "log", "in every folder"},
                           {"name", "x.jar", "can be run"}})
        CHECK_MESSAGE(told(row.type, row.value).find(row.word) != std::string::npos, row.value, ": ",
                      told(row.type, row.value));
}
