#include <picket/gate/activity.h>

#include <algorithm>

namespace picket::gate {

void HeavyHitters::add(const std::string& name, std::uint64_t weight) {
    if (const auto known = counts_.find(name); known != counts_.end()) {
        known->second += weight;
        return;
    }
    std::uint64_t inherited = 0;
    if (counts_.size() >= capacity_) {
        const auto least = std::min_element(counts_.begin(), counts_.end(),
                                            [](const auto& a, const auto& b) { return a.second < b.second; });
        inherited = least->second;
        counts_.erase(least);
    }
    counts_.emplace(name, inherited + weight);
}

std::vector<HeavyHitters::Entry> HeavyHitters::top(std::size_t limit) const {
    std::vector<Entry> entries;
    entries.reserve(counts_.size());
    for (const auto& [name, count] : counts_)
        entries.push_back({name, count});
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.count != b.count ? a.count > b.count : a.name < b.name; });
    entries.resize(std::min(limit, entries.size()));
    return entries;
}

void Activity::note_slow(SlowScan scan) {
    const auto same =
        std::find_if(slowest_.begin(), slowest_.end(), [&](const SlowScan& known) { return known.path == scan.path; });
    if (same == slowest_.end())
        slowest_.push_back(std::move(scan));
    else if (scan.took > same->took)
        *same = std::move(scan);
    std::stable_sort(slowest_.begin(), slowest_.end(),
                     [](const SlowScan& a, const SlowScan& b) { return a.took > b.took; });
    slowest_.resize(std::min(slowest_.size(), kSlowest));
}

} // namespace picket::gate
