#include <doctest/doctest.h>

#include <fstream>
#include <set>

#include <picket/profile/effective.h>
#include <picket/profile/import_mde.h>

#include "mde_keys.h"

using namespace picket;
using namespace picket::profile;

namespace {

/// What became of a text, one line an entry; notes left out.
std::string told(const std::string& text) {
    const MdeImport imported = import_mde(text, "m");
    REQUIRE_FALSE(imported.problem);
    std::string all;
    for (const ImportEntry& entry : imported.entries)
        if (entry.action != ImportAction::noted)
            all += to_text(entry, "m") + "\n";
    return all;
}
std::string document(const std::string& text) {
    return data::to_text(import_mde(text, "m").document);
}
std::string in_engine(const std::string& members) {
    return R"({"antivirusEngine":{)" + members + "}}";
}
bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a whole real file: taken, converted, dropped, each with its place") {
    const std::string text = "{\n"
                             " \"antivirusEngine\": {\n"
                             "  \"enforcementLevel\": \"real_time\",\n"
                             "  \"maximumOnDemandScanThreads\": \"4\",\n"
                             "  \"behaviorMonitoring\": \"enabled\",\n"
                             "  \"scanArchives\": \"disabled\",\n"
                             "  \"exclusions\": [\n"
                             "   {\"$type\": \"excludedPath\", \"isDirectory\": \"true\", \"path\": \"/srv/db\"},\n"
                             "   {\"$type\": \"excludedFileName\", \"name\": \"/usr/bin/rsync\"},\n"
                             "   {\"$type\": \"excludedPath\", \"isDirectory\": true, \"path\": \"/\"}],\n"
                             "  \"unmonitoredFilesystems\": [\"nfs,Fuse\"]\n"
                             " }\n"
                             "}\n";
    CHECK(
        told(text) ==
        "m:3:3: antivirusEngine.enforcementLevel: taken\n"
        "m:4:3: antivirusEngine.maximumOnDemandScanThreads: converted: \"4\" is a number\n"
        "m:5:3: antivirusEngine.behaviorMonitoring: dropped: Picket watches files, not the behaviour of programs\n"
        "m:6:3: antivirusEngine.scanArchives: converted: \"disabled\" is false here; there for scans on demand only, "
        "here at open, too\n"
        "  weakens protection: archives are no longer scanned\n"
        "m:8:4: antivirusEngine.exclusions[0]: converted: isDirectory: \"true\" is true here\n"
        "  weakens protection: new exclusion: folder /srv/db\n"
        "m:9:4: antivirusEngine.exclusions[1]: converted: a file name there is the name of a program: excludedProcess "
        "here\n"
        "  weakens protection: new exclusion: process /usr/bin/rsync\n"
        "m:10:4: antivirusEngine.exclusions[2]: dropped: path: \"/\" covers the whole system, which would switch "
        "protection off where malware starts; exclude single folders below it\n"
        "m:11:3: antivirusEngine.unmonitoredFilesystems[0]: converted\n"
        "  weakens protection: no longer watched: file systems of type nfs\n"
        "m:11:3: antivirusEngine.unmonitoredFilesystems[1]: converted: \"Fuse\" is \"fuse\" here\n"
        "  weakens protection: no longer watched: file systems of type fuse\n");
    CHECK(
        document(text) ==
        R"({"antivirusEngine":{"enforcementLevel":"real_time","exclusions":[{"$type":"excludedPath","isDirectory":true,)"
        R"("path":"/srv/db"},{"$type":"excludedProcess","process":"/usr/bin/rsync"}],"maximumOnDemandScanThreads":4,)"
        R"("scanArchives":false,"unmonitoredFilesystems":["nfs","fuse"]}})");
}

TEST_CASE("the faults of real files are forgiven here, and by nobody else") {
    for (const auto& [theirs, ours] : std::vector<std::pair<std::string, std::string>>{
             {R"("scanResultsRetentionDays":"90")", R"("scanResultsRetentionDays":90)"},
             {R"("scanHistoryMaximumItems":"10000")", R"("scanHistoryMaximumItems":10000)"},
             {R"("maximumOnDemandScanThreads":2.0)", R"("maximumOnDemandScanThreads":2)"},
             {R"("scanArchives":"enabled")", R"("scanArchives":true)"},
             {R"("scanArchives":"True")", R"("scanArchives":true)"},
             {R"("scanArchives":0)", R"("scanArchives":false)"},
             {R"("scheduledScan":true)", R"("scheduledScan":"enabled")"},
             {R"("enforcementLevel":"Real-Time ")", R"("enforcementLevel":"real_time")"},
             {R"("exclusionsMergePolicy":"Admin_Only")", R"("exclusionsMergePolicy":"admin_only")"},
             {R"("unmonitoredFilesystems":"NFS, cifs")", R"("unmonitoredFilesystems":["nfs","cifs"])"},
             {R"("disallowedThreatActions":"allow")", R"("disallowedThreatActions":["allow"])"},
             {R"("threatTypeSettings":[{"key":"archive_bomb","value":"Block"}])",
              R"("threatTypeSettings":[{"key":"archive_bomb","value":"block"}])"},
             {R"("enableRealTimeProtection":"true")", R"("enforcementLevel":"real_time")"},
             {R"("enableRealTimeProtection":false)", R"("enforcementLevel":"on_demand")"},
             {R"("passiveMode":true,"enableRealTimeProtection":true)", R"("enforcementLevel":"passive")"}}) {
        const std::string shown(theirs);
        CAPTURE(shown);
        CHECK(document(in_engine(theirs)) == in_engine(ours));
        CHECK(contains(told(in_engine(theirs)), "converted"));
        CHECK_FALSE(validate(in_engine(theirs), Format::json, "p").ok());
    }
}

TEST_CASE("what does not fit is dropped, with what would") {
    for (const auto& [theirs, reason] : std::vector<std::pair<std::string, std::string>>{
             {R"("maximumOnDemandScanThreads":65)", "must be 1 to 64, not 65"},
             {R"("maximumOnDemandScanThreads":"many")", "must be a whole number"},
             {R"("maximumOnDemandScanThreads":1e300)", "must be a whole number"},
             {R"("maximumOnDemandScanThreads":"-1")", "must be a whole number"},
             {R"("scheduledScan":"diabled")", "did you mean disabled?"},
             {R"("scheduledScan":{"dailyConfiguration":{}})", "must be"},
             {R"("scanArchives":null)", "holds nothing"},
             {R"("scanArchives":[true])", "must be true or false"},
             {R"("enforcmentLevel":"passive")", "did you mean antivirusEngine.enforcementLevel?"},
             {R"("passiveMode":"perhaps")", "must be true or false"},
             {R"("info":"x")", "no such key there either"},
             {R"x("allowedThreats":["EICAR-Test-File (not a virus)"])x", "names mean nothing to this one"},
             {R"("exclusions":"/srv")", "must be a list"},
             {R"("exclusions":["/srv"])", "must be a section with keys"},
             {R"("exclusions":[{"path":"/srv/x"}])", "$type must be"},
             {R"("exclusions":[{"$type":"excludedPath"}])", "path must be text, not nothing"},
             {R"("exclusions":[{"$type":"excludedPath","path":"srv/x"}])", "is not absolute"},
             {R"("exclusions":[{"$type":"excludedPath","path":"/srv/x/"}])", "ends in / as only a folder does"},
             {R"("exclusions":[{"$type":"excludedPath","path":"/srv/?","isDirectory":true}])", "? stands for one"},
             {R"("exclusions":[{"$type":"excludedPath","path":"/home/*/","isDirectory":true}])", "covers /home"},
             {R"("exclusions":[{"$type":"excludedPath","path":"/srv/x","isDirectory":"maybe"}])",
              "isDirectory: must be"},
             {R"("unmonitoredFilesystems":["no such thing"])", "is not a type of file system"},
             {R"("disallowedThreatActions":["delete"])", "must be one of allow, restore"},
             {R"("threatTypeSettings":[{"key":"virus","value":"block"}])", "must be one of"}}) {
        const std::string shown(theirs);
        CAPTURE(shown);
        const std::string all = told(in_engine(theirs));
        CHECK(contains(all, "dropped"));
        CHECK(contains(all, reason));
        CHECK_FALSE(contains(all, "weakens"));
    }
    CHECK(contains(told(R"({"antivirusEngine":[]})"), "must be a section with keys"));
    CHECK(contains(told(R"({"cloudService":{"proxy":"http://p"},"edr":{"tags":[]},"networkProtection":{}})"),
                   "cloudService.proxy: dropped: the proxy comes with"));
    CHECK(contains(told(R"({"cloudService":{"definitionUpdatesInterval":60}})"), "must be 900 to 86400, not 60"));
    CHECK(document(R"({"cloudService":{"definitionUpdatesInterval":28800}})") ==
          R"({"definitions":{"updateIntervalSeconds":28800}})");
}

TEST_CASE("exclusions keep their meaning, or say that they cannot") {
    const auto exclusion = [](const std::string& section, const std::string& members) {
        return R"({")" + section + R"(":{"exclusions":[{)" + members + "}]}}";
    };
    const std::string path = R"("$type":"excludedPath","path":"/srv/x")";
    CHECK(contains(told(exclusion("exclusionSettings", path)), "without a scope it is global there and epp here"));
    CHECK(
        contains(document(exclusion("exclusionSettings", path + R"(,"scopes":["Global"])")), R"("scopes":["global"])"));
    CHECK(contains(told(exclusion("exclusionSettings", path + R"(,"scopes":["global"])")), "global does not count in"));
    CHECK(contains(document(exclusion("exclusionSettings", path + R"(,"scopes":"epp,global")")),
                   R"("scopes":["epp","global"])"));
    CHECK(contains(told(exclusion("antivirusEngine", path + R"(,"scopes":["epp"])")), "scopes do not count"));
    CHECK(contains(document(exclusion("antivirusEngine", R"("$type":"excludedfileextension","extension":"*.log")")),
                   R"("extension":"log")"));
    CHECK(contains(told(exclusion("antivirusEngine", R"("$type":"excludedFileName","name":"rsync")")),
                   "a bare name is weak"));
    CHECK(
        contains(told(exclusion("antivirusEngine", R"("$type":"excludedPath","path":"/srv/*/git")")), "one component"));
}

TEST_CASE("midnight is midnight") {
    const auto minute = [](const char* at) {
        return document(std::string(R"({"scheduledScan":{"dailyConfiguration":{"timeOfDay":)") + at + "}}}");
    };
    CHECK(minute("1440") == minute("0"));
    CHECK(minute("\"1440\"") == minute("0"));
    CHECK(contains(minute("885"), "885"));
}

TEST_CASE("a key twice: the last one counts, and it is told") {
    const std::string text = in_engine(R"("enforcementLevel":"real_time","enforcementLevel":"passive")");
    CHECK(document(text) == in_engine(R"("enforcementLevel":"passive")"));
    CHECK(contains(told(text), "antivirusEngine.enforcementLevel: dropped: the key was there before"));
    CHECK(contains(told(text), "weakens protection: enforcement level lowered from real_time to passive"));
    CHECK_FALSE(import_mde(R"({"a":{"info":1,"info":2},"a":{"info":3,"info":4}})", "m").problem);
}

TEST_CASE("what the file leaves to other defaults is noted") {
    std::set<std::string> noted;
    for (const ImportEntry& entry : import_mde(in_engine(R"("scheduledScan":"enabled")"), "m").entries)
        if (entry.action == ImportAction::noted)
            noted.insert(entry.key);
    CHECK(noted == std::set<std::string>{"antivirusEngine.enforcementLevel", "antivirusEngine.unmonitoredFilesystems",
                                         "scheduledScan.dailyConfiguration.timeOfDay"});
}

TEST_CASE("no JSON, or no object: one problem with its place, and nothing is imported") {
    for (const char* bad : {"", "{", "[]", "null", "3", "{\"a\":}", "{'a':1}", "{\"a\":1,}", "// x\n{}", "\xff"}) {
        CAPTURE(bad);
        const MdeImport imported = import_mde(bad, "m");
        REQUIRE(imported.problem);
        CHECK(imported.document == data::Json::object());
        CHECK(imported.entries.empty());
    }
    CHECK(to_text(*import_mde("{\n \"a\" 1}", "m").problem).starts_with("m:2:"));
    CHECK(import_mde(std::string(2'000'000, ' '), "m").problem);
    CHECK(import_mde(std::string(100'000, '['), "m").problem);
    CHECK_FALSE(import_mde("\xef\xbb\xbf{}", "m").problem);
}

TEST_CASE("more than a profile may hold is dropped, not refused") {
    std::string text = R"({"antivirusEngine":{"exclusions":[)";
    for (int i = 0; i < 1'200; ++i)
        text += std::string(i == 0 ? "" : ",") + R"({"$type":"excludedPath","path":"/srv/)" + std::to_string(i) + "\"}";
    const MdeImport imported = import_mde(text + "]}}", "m");
    CHECK(value_at(imported.document, "/antivirusEngine/exclusions").size() == 1'000);
    CHECK(validate(data::to_text(imported.document), Format::json, "p").ok());
}

TEST_CASE("every target of the key table is a key of ours; each key is there once; what is dropped says why") {
    std::set<std::string_view> seen;
    for (const MdeKey& key : mde_keys()) {
        CAPTURE(key.key);
        CHECK(seen.insert(key.key).second);
        if (key.treatment == MdeTreatment::dropped)
            CHECK_FALSE(key.remark.empty());
        else if (key.treatment != MdeTreatment::old_switch)
            CHECK(find_key(key.target) != nullptr);
    }
}

TEST_CASE("docs/migrate-from-defender.md has every key") {
    std::ifstream file(std::string(PICKET_SOURCE_DIR) + "/docs/migrate-from-defender.md");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (const MdeKey& key : mde_keys()) {
        CAPTURE(key.key);
        CHECK(contains(text, "| `" + std::string(key.key) + "` |"));
    }
}
