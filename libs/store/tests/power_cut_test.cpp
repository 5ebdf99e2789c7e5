#include <doctest/doctest.h>

#include <array>
#include <set>

#include <fmt/format.h>
#include <picket/store/store.h>

#include "place.h"
#include "power_cut.h"

using namespace picket;
using namespace picket::store;
namespace fs = std::filesystem;

namespace {

constexpr StoreLimits kLimits{.maximum_events = 6};
constexpr std::array kFates = {PowerCut::Fate::lost,      PowerCut::Fate::kept,   PowerCut::Fate::only_last,
                               PowerCut::Fate::last_torn, PowerCut::Fate::random, PowerCut::Fate::random_again};

/// Records numbered from `first`; the number of each is acknowledged once the store has answered.
void record_some(const std::string& file, PowerCut& power, std::uint64_t first, std::uint64_t last) {
    const auto store = Store::open(file, kLimits).value();
    for (std::uint64_t i = first; i <= last; ++i) {
        Event event;
        event.path = fmt::format("/event-{}", i);
        event.message = std::string(i % 3 == 0 ? 9'000 : 10, 'm'); // over several pages, too
        REQUIRE(store->append_event(event));
        power.acknowledge(i);
        Threat threat;
        threat.path = fmt::format("/threat-{}", i);
        REQUIRE(store->record_threat(threat));
        power.acknowledge(100 + i);
        ScanRecord scan;
        scan.id = fmt::format("{:016}", i);
        REQUIRE(store->save_scan(scan));
        power.acknowledge(200 + i);
    }
}

/// What was promised and is not there; everything else that a power cut must not do is an error in itself.
std::size_t losses(const fs::path& folder, const std::vector<std::uint64_t>& acknowledged) {
    const auto opened = Store::open((folder / "state.db").string(), kLimits);
    if (!opened || (*opened)->recovered_from_corruption() || (*opened)->verify_events().value().fault)
        return acknowledged.size() + 1;
    std::set<std::string> there;
    const auto threats = (*opened)->threats().value();
    for (const Threat& threat : threats)
        there.insert(threat.path);
    const auto scans = (*opened)->scans().value();
    for (const ScanRecord& scan : scans)
        there.insert(scan.id);
    std::size_t lost = 0;
    for (const std::uint64_t number : acknowledged) {
        const std::uint64_t i = number % 100;
        const bool found = number < 100   ? (*opened)->last_sequence() >= i
                           : number < 200 ? there.count(fmt::format("/threat-{}", i)) == 1
                                          : there.count(fmt::format("{:016}", i)) == 1;
        lost += found ? 0 : 1;
    }
    return lost;
}

/// Cuts the power after each step; gives the first state that lost something, as text.
std::string first_loss(const PowerCut& power, PowerCut::Syncs syncs) {
    const Place place(fast_directory());
    for (std::size_t count = 0; count <= power.steps().size(); ++count)
        for (const PowerCut::Fate fate : kFates) {
            place.empty();
            power.restore(count, fate, syncs, place.path);
            if (const std::size_t lost = losses(place.path, power.acknowledged(count)); lost > 0)
                return fmt::format("after step {} of {}, fate {}: {} lost", count, power.steps().size(),
                                   static_cast<int>(fate), lost);
        }
    return "";
}

} // namespace

TEST_CASE("a power cut at any step takes nothing that was acknowledged, also over restarts and checkpoints") {
    const Place place(fast_directory());
    PowerCut power(place.path);
    record_some(place.file(), power, 1, 5);
    record_some(place.file(), power, 6, 9);
    power.stop();
    CHECK(power.steps().size() > 100);
    CHECK(first_loss(power, PowerCut::Syncs::honest) == "");
    CHECK(first_loss(power, PowerCut::Syncs::ignored) != ""); // what the disk forgets is found
}
