#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include <picket/base/text.h>
#include <picket/profile/effective.h>
#include <picket/profile/validate.h>

using namespace picket;
using namespace picket::profile;
namespace fs = std::filesystem;

namespace {
std::string first(const std::string& text, Format format = Format::yaml, Layer layer = Layer::managed) {
    const Validation validation = validate(text, format, "p", layer);
    return validation.ok() ? "" : to_text(validation.problems.front());
}
std::string exclusion(const std::string& fields) {
    return "antivirusEngine:\n  exclusions:\n    - {" + fields + "}\n";
}
bool accepts_path(const std::string& path, bool is_directory) {
    return first(exclusion("$type: excludedPath, path: '" + path +
                           "', isDirectory: " + (is_directory ? "true" : "false")))
        .empty();
}
std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
} // namespace

TEST_CASE("everything that is wrong is told, each with its place and what would be right") {
    const Validation validation = validate("antivirusEngine:\n"
                                           "  enforcmentLevel: passive\n"
                                           "  maximumOnDemandScanThreads: '4'\n"
                                           "  scanArchives: enabled\n"
                                           "realTimeProtection:\n"
                                           "  openDeadlineMs: 50\n"
                                           "  openFailureAction: alow\n",
                                           Format::yaml, "site.yaml");
    std::string all;
    for (const Problem& problem : validation.problems)
        all += to_text(problem) + "\n";
    CHECK(all ==
          "site.yaml:2:3: antivirusEngine.enforcmentLevel: no such key; did you mean enforcementLevel?\n"
          "site.yaml:3:3: antivirusEngine.maximumOnDemandScanThreads: must be a whole number, not \"4\"; did you "
          "mean 4 without quotes?\n"
          "site.yaml:4:3: antivirusEngine.scanArchives: must be true or false, not \"enabled\"; did you mean true?\n"
          "site.yaml:6:3: realTimeProtection.openDeadlineMs: must be 100 to 10000, not 50\n"
          "site.yaml:7:3: realTimeProtection.openFailureAction: must be one of allow, deny, not \"alow\"; did you "
          "mean allow?\n");
}

TEST_CASE("JSON problems have their places too, however it is laid out") {
    CHECK(first("{\n\t\"antivirusEngine\": {\n\t\t\"scanArchivs\": true\n\t}\n}", Format::json) ==
          "p:3:3: antivirusEngine.scanArchivs: no such key; did you mean scanArchives?");
    CHECK(first(R"({"engine":{"workers":65}})", Format::json) == "p:1:12: engine.workers: must be 0 to 64, not 65");
    CHECK(first("{\"engine\":\n{", Format::json).find("p:2:") == 0);
    CHECK(first("{\"a\\u0062\\\"~/\": 1}", Format::json).find("no such key") != std::string::npos);
    CHECK(first("a: [1", Format::yaml).find("p:1:") == 0);
}

TEST_CASE("a right key in the wrong section is sent where it belongs") {
    CHECK(first("engine:\n  scanArchives: true\n").find("did you mean antivirusEngine.scanArchives?") !=
          std::string::npos);
    CHECK(first("openDeadlineMs: 100\n").find("realTimeProtection.openDeadlineMs") != std::string::npos);
}

TEST_CASE("numbers keep to their ranges, also absurd ones") {
    for (const char* bad :
         {"-1", "65", "18446744073709551615", "9223372036854775808", "-9223372036854775808", "1.5", "1e3"})
        CHECK_FALSE(first(std::string(R"({"engine":{"workers":)") + bad + "}}", Format::json).empty());
    CHECK(first(R"({"engine":{"workers":64,"scanTimeLimitSeconds":1}})", Format::json).empty());
}

TEST_CASE("no document, no object, no text: each is an answer") {
    for (const char* bad : {"", "null", "3", "[]", "\"x\"", "~"})
        CHECK_FALSE(first(bad).empty());
    CHECK(first("{}").empty());
    CHECK_FALSE(first(std::string(2'000'000, ' ')).empty());
    CHECK_FALSE(first(std::string("\0\1\2", 3)).empty());
    CHECK_FALSE(first(std::string(100'000, '{'), Format::json).empty());
    std::string many = "antivirusEngine:\n";
    for (int i = 0; i < 1'000; ++i)
        many += "  key" + std::to_string(i) + ": 1\n";
    CHECK(validate(many, Format::yaml, "p").problems.size() == kMaximumProblems);
}

TEST_CASE("exclusions: kinds, and what each must have") {
    CHECK(first(exclusion("$type: excludedPath, path: /srv/x")).empty());
    CHECK(first(exclusion("$type: excludedFileExtension, extension: log")).empty());
    CHECK(first(exclusion("$type: excludedFileName, name: core")).empty());
    CHECK(first(exclusion("$type: excludedProcess, process: /usr/sbin/mysqld")).empty());
    CHECK(first(exclusion("$type: excludedProcess, process: rsync")).empty());
    CHECK(first(exclusion("path: /srv/x")).find("lacks the key \"$type\"") != std::string::npos);
    CHECK(first(exclusion("$type: excludedPath")).find("lacks the key \"path\"") != std::string::npos);
    CHECK(first(exclusion("$type: excludePath, path: /srv/x")).find("did you mean excludedPath?") != std::string::npos);
    CHECK(first(exclusion("$type: excludedPath, path: /srv/x, scopes: [epp]")).find("no such key") !=
          std::string::npos);
    CHECK(first(exclusion("$type: excludedFileExtension, extension: 'a*'")).find('*') != std::string::npos);
    CHECK_FALSE(first(exclusion("$type: excludedFileName, name: a/b")).empty());
    CHECK_FALSE(first(exclusion("$type: excludedProcess, process: bin/x")).empty());
    CHECK(first("exclusionSettings:\n  exclusions: [{$type: excludedPath, path: /srv/x, scopes: [global]}]\n").empty());
    CHECK(first("exclusionSettings:\n  exclusions: [{$type: excludedPath, path: /srv/x, scopes: []}]\n") != "");
}

TEST_CASE("an exclusion that would cover the system is refused, with the reason") {
    for (const char* bad :
         {"/",    "//",       "/.",      "/*",   "/*/*",    "/usr", "/usr/",    "/usr/*", "/u*",         "/etc",
          "/bin", "/usr/bin", "/usr/b*", "/tmp", "/home/*", "/var", "relative", "srv/x",  "/srv/../usr", ".."}) {
        CAPTURE(bad);
        CHECK_FALSE(accepts_path(bad, true));
    }
    CHECK(first(exclusion("$type: excludedPath, path: /usr/, isDirectory: true")).find("covers /usr") !=
          std::string::npos);
    CHECK_FALSE(accepts_path("/tmp/*", false));
    CHECK_FALSE(accepts_path("/srv/x/", false));
    CHECK_FALSE(first(exclusion("$type: excludedPath, path: \"/srv/a\\nb\"")).empty());
    for (const char* good : {"/srv/build", "/var/lib/mysql", "/home/*/git", "/opt/app/", "/tmp/build-*", "/usrx"}) {
        CAPTURE(good);
        CHECK(accepts_path(good, true));
    }
}

TEST_CASE("a comma in one element is not two file systems") {
    CHECK_FALSE(first("antivirusEngine: {unmonitoredFilesystems: ['nfs,fuse']}").empty());
    CHECK_FALSE(first("antivirusEngine: {unmonitoredFilesystems: [NFS]}").empty());
    CHECK(first("antivirusEngine: {unmonitoredFilesystems: [nfs4, fuse.sshfs]}").empty());
}

TEST_CASE("what only a central profile may hold is refused in a local one") {
    const std::string text = "antivirusEngine: {exclusionsMergePolicy: admin_only}";
    CHECK(first(text).empty());
    CHECK(first(text, Format::yaml, Layer::local).find("only a central profile") != std::string::npos);
    CHECK_FALSE(first("exclusionSettings: {exclusions: []}", Format::yaml, Layer::local).empty());
}

TEST_CASE("the schema describes every key completely, and its defaults are valid") {
    CHECK(keys().size() > 15);
    std::set<std::string> settings;
    for (const KeyInfo& key : keys()) {
        CAPTURE(key.pointer);
        CHECK_FALSE(key.help().empty());
        CHECK_FALSE(key.default_value().is_null());
        const data::Json& node = *key.node;
        CHECK(data::string_or(node, "x-picket-since", "").find('.') != std::string::npos);
        CHECK(data::member(node, "x-picket-live").is_boolean());
        const auto layers = data::strings_of(data::member(node, "x-picket-layers"));
        CHECK(
            (layers == std::vector<std::string>{"managed", "local"} || layers == std::vector<std::string>{"managed"}));
        const std::string merge = data::string_or(node, "x-picket-merge", "");
        CHECK((merge == "override" || (merge == "merge" && data::string_or(node, "type", "") == "array")));
        for (const auto& [name, unused] : node.items()) // a misspelt annotation would count as absent
            CHECK((!name.starts_with("x-picket-") ||
                   std::set<std::string>{"x-picket-since", "x-picket-live", "x-picket-layers", "x-picket-merge",
                                         "x-picket-merge-key", "x-picket-local-blocked-by", "x-picket-setting",
                                         "x-picket-format"}
                       .contains(name)));
        CHECK((key.setting.empty() || settings.insert(key.setting).second));
        for (const KeyInfo::Block& block : key.local_blocked_by)
            CHECK(find_key(block.pointer) != nullptr);
    }
    const Merged defaults = merge({});
    CHECK(first(data::to_text(defaults.document), Format::json).empty());
    CHECK(find_key("/no/such") == nullptr);
    CHECK(find_key_of_setting("open-deadline-ms")->pointer == "/realTimeProtection/openDeadlineMs");
}

TEST_CASE("docs/profile.md is what the schema says") {
    const std::string text = read(fs::path(PICKET_SOURCE_DIR) / "docs/profile.md");
    for (const KeyInfo& key : keys()) {
        CAPTURE(key.dotted);
        const auto heading = text.find("### " + key.dotted + "\n");
        REQUIRE(heading != std::string::npos);
        const std::string section = text.substr(heading, text.find("\n#", heading) - heading);
        CHECK(section.find(key.help()) != std::string::npos);
        CHECK(section.find("default `" + data::to_text(key.default_value()) + "`") != std::string::npos);
        CHECK((key.setting.empty() || section.find("`picket config " + key.setting) != std::string::npos));
    }
}
