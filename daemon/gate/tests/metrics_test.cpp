#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <picket/base/text.h>

#include "metrics.h"

using namespace picket;
using namespace picket::daemon;
namespace fs = std::filesystem;

namespace {

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

data::Json unhealthy() {
    return {{"healthy", false},
            {"health_issues", {{{"name", "no_engine"}}, {{"name", "no_engine"}}, {{"name", "od\"d\nname"}}}},
            {"real_time_protection_active", true},
            {"engine_workers", 3},
            {"product_expiration_days", 20},
            {"definitions_updated_minutes_ago", 2}};
}

std::string content_of(const fs::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

} // namespace

TEST_CASE("metrics are what Prometheus reads: each name announced once, each sample on a line of its own") {
    gate::GateStatistics statistics;
    statistics.denied = 7;
    statistics.unscanned[0] = 5;
    const std::string text = metrics_text(unhealthy(), statistics, WallTime(std::chrono::seconds(1'000)));
    CHECK(contains(text, "picket_healthy 0\n"));
    CHECK(contains(text, "picket_real_time_protection_active 1\n"));
    CHECK(contains(text, "picket_health_issue{name=\"no_engine\"} 1\n"));
    CHECK(contains(text, "picket_health_issue{name=\"od\\\"d\\\\x0aname\"} 1\n"));
    CHECK(contains(text, "picket_answers_total{decision=\"deny\"} 7\n"));
    CHECK(contains(text, "picket_unscanned_total{reason=\"deadline\"} 5\n"));
    CHECK(contains(text, "picket_build_days_left 20\n"));
    CHECK(contains(text, "picket_definitions_age_seconds 120\n"));
    CHECK(contains(text, "picket_metrics_timestamp_seconds 1000\n"));
    std::vector<std::string> announced;
    for (const std::string_view line : split(text, '\n'))
        if (line.starts_with("# TYPE "))
            announced.emplace_back(split(line, ' ')[2]);
    for (const std::string& name : announced)
        CHECK(std::count(announced.begin(), announced.end(), name) == 1);
}

TEST_CASE("the file is replaced as a whole, and only in a folder that is root's") {
    std::string pattern = (fs::temp_directory_path() / "picket-metrics-XXXXXX").string();
    const fs::path folder = mkdtemp(pattern.data());
    const bool is_root = geteuid() == 0;
    CHECK(write_metrics(folder, "one 1\n").has_value() == is_root);
    if (is_root) {
        REQUIRE(write_metrics(folder, "two 2\n"));
        CHECK(content_of(folder / "picket.prom") == "two 2\n");
        CHECK(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);
        fs::permissions(folder, fs::perms::all);
        CHECK(write_metrics(folder, "three 3\n").error().code() == ErrorCode::permission);
    }
    CHECK_FALSE(write_metrics(folder / "missing", "x 1\n"));
    fs::remove_all(folder);
}
