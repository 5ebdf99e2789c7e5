#include "findings.h"

#include <clamav.h>
#include <doctest/doctest.h>
#include <picket/scan/engine_protocol.h>

using namespace picket;
using namespace picket::engine_core;

TEST_CASE("names are shown without libclamav's suffix and fit the wire") {
    CHECK(shown_name("Eicar.UNOFFICIAL") == "Eicar");
    CHECK(shown_name("a b\x1b[31m\xff") == "a?b?[31m?");
    CHECK(shown_name(".UNOFFICIAL") == "Unnamed");
    CHECK(shown_name(std::string(500, 'x')).size() == 127);
}

TEST_CASE("of several alerts the worst counts") {
    using Names = std::vector<std::string>;
    const std::uint32_t all = scan::kScanHeuristics | scan::kScanPotentiallyUnwanted;
    CHECK(finding_from_alerts(Names{"PUA.A", "Heuristics.Limits.Exceeded.MaxFiles", "Bad"}, 0).threat_name == "Bad");
    CHECK(finding_from_alerts(Names{"PUA.A", "Heuristics.Limits.Exceeded.MaxFiles"}, all).verdict ==
          Verdict::limit_exceeded);
    CHECK(finding_from_alerts(Names{"PUA.A"}, all).verdict == Verdict::potentially_unwanted);
    CHECK(finding_from_alerts(Names{"PUA.A"}, 0).verdict == Verdict::clean);
    CHECK(finding_from_alerts(Names{"Heuristics.Phishing.Email"}, 0).verdict == Verdict::clean);
    CHECK(finding_from_alerts(Names{"Heuristics.Phishing.Email"}, all).verdict == Verdict::malicious);
}

TEST_CASE("no error is clean: no space and no memory are limits") {
    CHECK(verdict_from_error(CL_EMEM) == Verdict::limit_exceeded);
    CHECK(verdict_from_error(CL_EWRITE) == Verdict::limit_exceeded);
    CHECK(verdict_from_error(CL_EREAD) == Verdict::unreadable);
    CHECK(verdict_from_error(CL_EFORMAT) == Verdict::engine_error);
    CHECK(verdict_from_error(12345) == Verdict::engine_error);
}
