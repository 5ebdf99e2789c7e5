#include <doctest/doctest.h>

#include <picket/profile/effective.h>
#include <picket/profile/views.h>
#include <picket/profile/weakening.h>

#include "tree.h"

using namespace picket;
using namespace picket::profile;

namespace {
constexpr const char* kLevel = "/antivirusEngine/enforcementLevel";

PolicySnapshot policy(const std::string& text) {
    return compile(merge({{Layer::managed, "m", data::parse_json(text).value()}}).document);
}
} // namespace

TEST_CASE("what protects less is told, what protects more is not") {
    const auto told = [](const std::string& before, const std::string& after) {
        std::string all;
        for (const Weakening& weakening : find_weakenings(*policy(before), *policy(after)))
            all += weakening.kind + ": " + weakening.message + "\n";
        return all;
    };
    CHECK(told("{}", "{}") == "");
    const std::string weak = R"({"antivirusEngine":{"enforcementLevel":"passive","scanArchives":false,
        "nonExecMountPolicy":"mute","unmonitoredFilesystems":["nfs"],"allowedThreats":["T"],
        "threatTypeSettings":[{"key":"archive_bomb","value":"off"}],
        "exclusions":[{"$type":"excludedPath","path":"/srv/x","isDirectory":true}]},
        "realTimeProtection":{"openDeadlineMs":100,"quarantine":"disabled"}})";
    CHECK(told("{}", weak) == "enforcement_level: enforcement level lowered from real_time to passive\n"
                              "quarantine: quarantine disabled: what is found stays where it is\n"
                              "noexec_mounts: mounts with noexec are no longer watched\n"
                              "scan_archives: archives are no longer scanned\n"
                              "deadline: openDeadlineMs lowered from 2000 to 100\n"
                              "threat_type: action on archive bombs lowered from audit to off\n"
                              "unmonitored_filesystem: no longer watched: file systems of type nfs\n"
                              "exclusion: new exclusion: folder /srv/x\n"
                              "allowed_threat: newly allowed threat: T\n");
    CHECK(told(weak, "{}") == "");
    CHECK(told(R"({"realTimeProtection":{"openFailureAction":"deny","execFailureAction":"deny"}})", "{}") ==
          "failure_action: openFailureAction changed from deny to allow\n"
          "failure_action: execFailureAction changed from deny to allow\n");
    CHECK(told("{}", R"({"definitions":{"updateIntervalSeconds":86400}})") ==
          "definitions_interval: definitions are looked for every 86400 s, and were every 14400 s\n");
    CHECK(told(R"({"definitions":{"minimumAgeSeconds":3600}})", R"({"definitions":{"minimumAgeSeconds":86400}})") ==
          "definitions_age: definitions are taken when they are 86400 s old, and were at 3600 s\n");
    CHECK(told(R"({"definitions":{"minimumAgeSeconds":3600}})", "{}") == "");
}

TEST_CASE("a weakening names whose word it is: who says so now, or who no longer says otherwise") {
    const auto layer = [](Layer kind, const char* file, const char* text) {
        return LayerDocument{kind, file, data::parse_json(text).value()};
    };
    const auto profile = [](const std::vector<LayerDocument>& layers) {
        Merged merged = merge(layers);
        EffectiveProfile effective;
        effective.policy = compile(merged.document);
        effective.document = std::move(merged.document);
        effective.sources = std::move(merged.sources);
        return effective;
    };
    const auto told = [&](const std::vector<LayerDocument>& before, const std::vector<LayerDocument>& after) {
        std::string all;
        for (const Weakening& weakening : find_weakenings(profile(before), profile(after)))
            all += std::string(to_string(weakening.source.layer)) + " " + weakening.source.file + ": " +
                   weakening.message + "\n";
        return all;
    };
    const LayerDocument local =
        layer(Layer::local, "settings", R"({"antivirusEngine":{"scanArchives":false,"allowedThreats":["L"],
        "threatTypeSettings":[{"key":"archive_bomb","value":"off"}],
        "exclusions":[{"$type":"excludedPath","path":"/srv/l","isDirectory":true}]}})");
    const LayerDocument managed = layer(Layer::managed, "50", R"({"antivirusEngine":{"unmonitoredFilesystems":["nfs"]},
        "exclusionSettings":{"exclusions":[{"$type":"excludedProcess","process":"rsync"}]}})");
    CHECK(told({}, {local, managed}) == "local settings: archives are no longer scanned\n"
                                        "local settings: action on archive bombs lowered from audit to off\n"
                                        "managed 50: no longer watched: file systems of type nfs\n"
                                        "local settings: new exclusion: folder /srv/l\n"
                                        "managed 50: new exclusion: process rsync\n"
                                        "local settings: newly allowed threat: L\n");
    const LayerDocument strict = layer(Layer::managed, "10", R"({"realTimeProtection":{"openFailureAction":"deny"},
        "antivirusEngine":{"scheduledScan":"enabled","disallowedThreatActions":["restore"],"scanArchives":true}})");
    const LayerDocument loose = layer(Layer::managed, "30", R"({"realTimeProtection":{"openFailureAction":"allow"}})");
    CHECK(told({strict}, {strict, loose}) == "managed 30: openFailureAction changed from deny to allow\n");
    CHECK(told({loose, strict}, {}) ==
          "managed 10: scheduled scans no longer take place (10 no longer says otherwise)\n"
          "managed 10: the host's administrators may restore files from the quarantine (10 no longer says otherwise)\n"
          "managed 10: openFailureAction changed from deny to allow (10 no longer says otherwise)\n");
    CHECK(told({local, strict}, {local}).starts_with("managed 10: archives are no longer scanned (10 no longer"));
}

TEST_CASE("the control protocol's forms") {
    const Tree tree;
    tree.managed("a.json", R"({"antivirusEngine":{"enforcementLevel":"audit","allowedThreats":["M"]},
        "exclusionSettings":{"exclusions":[{"$type":"excludedProcess","process":"rsync"}]}})");
    tree.settings(
        R"({"antivirusEngine":{"scanArchives":false,"exclusions":[{"$type":"excludedPath","path":"/srv/x"}]}})");
    const EffectiveProfile profile = load(tree.root());
    const std::string file = tree.path.string() + "/etc/picket/managed.d/a.json";
    CHECK(data::to_text(*config_show_json(profile, "real-time-protection")) ==
          R"({"settings":[{"default":"enabled","managed":true,"name":"real-time-protection","source":")" + file +
              R"(","value":"enabled"}]})");
    CHECK(
        data::to_text(*config_show_json(profile, "scan-archives")) ==
        R"({"settings":[{"default":"enabled","managed":false,"name":"scan-archives","source":"local","value":"disabled"}]})");
    CHECK(config_show_json(profile).value()["settings"].size() >= 12);
    CHECK(config_show_json(profile, "scan-archive").error().message().find("scan-archives") != std::string::npos);
    CHECK(data::to_text(exclusion_list_json(profile)) ==
          R"({"exclusions":[{"expires":null,"owner":"","reason":"","source":"local","status":"in_force","type":"file",)"
          R"("value":"/srv/x"},{"expires":null,"owner":"","reason":"","source":")" +
              file + R"(","status":"in_force","type":"process","value":"rsync"}]})");
    CHECK(data::to_text(allowed_threats_json(profile)) ==
          R"({"allowed_threats":[{"name":"M","source":")" + file + R"("}]})");
    const data::Json shown = profile_show_json(profile);
    CHECK(shown["document"] == profile.document);
    CHECK(shown["sources"][kLevel]["layer"] == "managed");
    CHECK(shown["problems"].empty());
    CHECK(shown["generation"].get<std::string>().size() == 16);
}
