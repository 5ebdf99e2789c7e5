#include <picket/gate/verdict_cache.h>

#include <algorithm>
#include <bit>
#include <type_traits>

#include <picket/base/check.h>

namespace picket::gate {
namespace {
constexpr std::size_t kMaximumThreatNames = 4'096; // an engine that invents names must not fill our memory
}

VerdictCache::VerdictCache(std::size_t capacity)
    : capacity_(std::bit_ceil(std::max(capacity, kWays))),
      entries_(static_cast<Entry*>(std::calloc(capacity_, sizeof(Entry)))), set_mask_(capacity_ / kWays - 1) {
    static_assert(std::is_trivially_copyable_v<Entry>);
    PICKET_CHECK(entries_ != nullptr);
}

VerdictCache::Entry* VerdictCache::set_of(const watch::FileKey& key) {
    return &entries_[(watch::FileKeyHash{}(key)&set_mask_) * kWays];
}

VerdictCache::Entry* VerdictCache::lookup(const watch::FileKey& key) {
    Entry* const set = set_of(key);
    for (std::size_t way = 0; way < kWays; ++way)
        if (set[way].epoch == epoch_ && set[way].key == key)
            return &set[way];
    return nullptr;
}

std::optional<Finding> VerdictCache::find(const watch::FileKey& key) {
    Entry* const entry = lookup(key);
    if (entry == nullptr)
        return std::nullopt;
    entry->stamp = ++stamp_;
    return Finding{entry->verdict, threat_names_[entry->threat]};
}

std::uint32_t VerdictCache::intern(const std::string& name) {
    if (name.empty())
        return 0;
    const auto known = std::find(threat_names_.begin(), threat_names_.end(), name);
    if (known != threat_names_.end())
        return static_cast<std::uint32_t>(known - threat_names_.begin());
    if (threat_names_.size() >= kMaximumThreatNames)
        flush(); // drops the names as well
    threat_names_.push_back(name);
    return static_cast<std::uint32_t>(threat_names_.size() - 1);
}

void VerdictCache::store(const watch::FileKey& key, const Finding& finding) {
    if (finding.verdict > Verdict::limit_exceeded)
        return;
    const std::uint32_t threat = intern(finding.threat_name);
    Entry* const set = set_of(key);
    Entry* victim = lookup(key);
    for (std::size_t way = 0; way < kWays && victim == nullptr; ++way)
        if (set[way].epoch != epoch_)
            victim = &set[way];
    if (victim == nullptr)
        victim = std::min_element(set, set + kWays, [this](const Entry& a, const Entry& b) {
            return stamp_ - a.stamp > stamp_ - b.stamp; // the older one first, also when the stamp wraps
        });
    if (victim->epoch != epoch_)
        ++used_;
    *victim = {key, epoch_, ++stamp_, threat, finding.verdict};
}

void VerdictCache::drop(const watch::FileKey& key) {
    if (Entry* const entry = lookup(key); entry != nullptr) {
        entry->epoch = 0;
        --used_;
    }
}

void VerdictCache::flush() {
    used_ = 0;
    threat_names_.resize(1);
    if (++epoch_ == 0) { // wrapped: what is left from an epoch long ago must not come back to life
        std::fill(entries_.get(), entries_.get() + capacity_, Entry{});
        epoch_ = 1;
    }
}

} // namespace picket::gate
