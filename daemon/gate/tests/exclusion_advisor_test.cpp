#include <doctest/doctest.h>

#include <picket/base/time_text.h>

#include "exclusion_advisor.h"

using namespace picket;
using namespace picket::daemon;

namespace {

const profile::PathLookup kDisk = [](const std::string& path) -> std::optional<profile::PathFacts> {
    if (path == "/srv/upload")
        return profile::PathFacts{0, true};
    return profile::PathFacts{};
};

profile::EffectiveProfile with(const char* exclusions, const char* now) {
    profile::EffectiveProfile effective;
    profile::Merged merged = profile::merge(
        {{profile::Layer::local, "settings.json",
          data::parse_json(std::string(R"({"antivirusEngine":{"exclusions":)") + exclusions + "}}").value()}});
    effective.at = parse_time(now).value();
    effective.policy = profile::compile(merged.document, effective.at);
    effective.document = std::move(merged.document);
    effective.sources = std::move(merged.sources);
    return effective;
}

std::string told(const OpensSeen& seen, const profile::EffectiveProfile& profile) {
    std::string text;
    for (const ExclusionAdvice& advice : advise_exclusions(seen, profile, kDisk, 10))
        text += std::string(to_string(advice.kind)) + " " + advice.type + " " + advice.value + "\n";
    return text;
}

} // namespace

TEST_CASE("what costs most is proposed with the command, and what would let malware in is not") {
    const OpensSeen seen{
        100'000,
        {{"/usr/sbin/postgres", 40'000}, {"/bin/bash", 20'000}, {"/usr/bin/rare", 900}},
        {{"/var/lib/pg/a", 20'000}, {"/var/lib/pg/b", 21'000}, {"/srv/upload/x", 15'000}, {"/tmp/y", 16'000}},
        {{"/srv/big.iso", Milliseconds(2'500), 1 << 30}, {"/srv/quick", Milliseconds(20), 10}}};
    const auto nothing = with("[]", "2027-01-01");
    CHECK(told(seen, nothing) == "exclude process /usr/sbin/postgres\n"
                                 "refrain process /bin/bash\n"
                                 "exclude folder /var/lib/pg\n"
                                 "refrain folder /tmp\n"
                                 "refrain folder /srv/upload\n"
                                 "exclude file /srv/big.iso\n");
    const auto first = advise_exclusions(seen, nothing, kDisk, 1);
    REQUIRE(first.size() == 1);
    CHECK(first[0].command ==
          "picket exclusion process add --path /usr/sbin/postgres --reason TEXT --owner NAME --expires 90d");
    CHECK(first[0].why == "makes about 40 % of all opens");
    CHECK(told({900, seen.executables, {}, {}}, nothing).find("rare") == std::string::npos);
}

TEST_CASE(
    "exclusions that there are: the dangerous and the expired are named, the harmless ones are not proposed again") {
    const auto profile = with(R"([{"$type":"excludedPath","path":"/srv/upload","isDirectory":true},
        {"$type":"excludedPath","path":"/srv/db","isDirectory":true},
        {"$type":"excludedFileName","name":"old","expires":"2026-12-01"}])",
                              "2027-01-01");
    CHECK(told({}, profile) == "risk folder /srv/upload\nexpired name old\n");
    CHECK(told({10'000, {}, {{"/srv/db/table", 9'000}}, {}}, profile).find("/srv/db") == std::string::npos);
}

TEST_CASE("a name that a shell would take apart gives no command") {
    const OpensSeen seen{10'000, {{"/opt/a b;rm", 9'000}}, {}, {}};
    const auto advice = advise_exclusions(seen, with("[]", "2027-01-01"), kDisk, 5);
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].command.empty());
}
