#include <picket/gate/verdict_cache.h>

#include <algorithm>
#include <bit>

#include <picket/base/check.h>

namespace picket::gate {
namespace {

constexpr std::size_t kMaximumThreatNames = 4'096; // an engine that invents names must not fill our memory
constexpr auto kRelaxed = std::memory_order_relaxed;

std::array<std::uint64_t, 5> words_of(const watch::FileKey& key) {
    return {key.device, key.inode, key.size, static_cast<std::uint64_t>(key.mtime_ns),
            static_cast<std::uint64_t>(key.ctime_ns)};
}

} // namespace

bool VerdictCache::Entry::holds(const watch::FileKey& wanted) const {
    const auto words = words_of(wanted);
    return std::equal(words.begin(), words.end(), key.begin(),
                      [](std::uint64_t word, const auto& own) { return own.load(std::memory_order_acquire) == word; });
}

void VerdictCache::Entry::fill(const watch::FileKey& with, std::uint64_t in_epoch, Verdict what) {
    // Each store is a release and each load of the other thread an acquire, and no fence is needed (TSan knows none):
    // whoever sees a word that is written here sees that the sequence is odd, or has moved on.
    const std::uint32_t before = sequence.load(kRelaxed);
    sequence.store(before + 1, kRelaxed);
    const auto words = words_of(with);
    for (std::size_t i = 0; i < words.size(); ++i)
        key[i].store(words[i], std::memory_order_release);
    verdict.store(what, std::memory_order_release);
    epoch.store(in_epoch, std::memory_order_release);
    sequence.store(before + 2, std::memory_order_release);
}

VerdictCache::VerdictCache(std::size_t capacity)
    : capacity_(std::bit_ceil(std::max(capacity, kWays))),
      entries_(static_cast<Entry*>(std::calloc(capacity_, sizeof(Entry)))), set_mask_(capacity_ / kWays - 1) {
    PICKET_CHECK(entries_ != nullptr);
}

VerdictCache::Entry* VerdictCache::set_of(const watch::FileKey& key) const {
    return &entries_[(watch::FileKeyHash{}(key)&set_mask_) * kWays];
}

VerdictCache::Entry* VerdictCache::lookup(const watch::FileKey& key, std::uint64_t epoch) {
    Entry* const set = set_of(key);
    for (std::size_t way = 0; way < kWays; ++way)
        if (set[way].epoch.load(kRelaxed) == epoch && set[way].holds(key))
            return &set[way];
    return nullptr;
}

bool VerdictCache::knows_clean(const watch::FileKey& key) const {
    const Entry* const set = set_of(key);
    for (std::size_t way = 0; way < kWays; ++way) {
        const Entry& entry = set[way];
        const std::uint32_t before = entry.sequence.load(std::memory_order_acquire);
        const bool clean = entry.epoch.load(std::memory_order_acquire) == epoch_.load(kRelaxed) &&
                           entry.verdict.load(std::memory_order_acquire) == Verdict::clean && entry.holds(key);
        if (clean && before % 2 == 0 && entry.sequence.load(kRelaxed) == before)
            return true;
    }
    return false;
}

std::optional<Finding> VerdictCache::find(const watch::FileKey& key) {
    Entry* const entry = lookup(key, epoch_.load(kRelaxed));
    if (entry == nullptr)
        return std::nullopt;
    entry->stamp = ++stamp_;
    return Finding{entry->verdict.load(kRelaxed), threat_names_[entry->threat]};
}

bool VerdictCache::was_clean(const watch::FileKey& key) {
    const Entry* const entry = lookup(key, epoch_.load(kRelaxed) - 1);
    return entry != nullptr && entry->verdict.load(kRelaxed) == Verdict::clean;
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
    const std::uint64_t epoch = epoch_.load(kRelaxed);
    Entry* victim = lookup(key, epoch);
    if (victim == nullptr)
        victim = lookup(key, epoch - 1);
    for (std::size_t way = 0; way < kWays && victim == nullptr; ++way)
        if (set[way].epoch.load(kRelaxed) < epoch - 1)
            victim = &set[way];
    if (victim == nullptr)
        victim = std::min_element(set, set + kWays, [this](const Entry& a, const Entry& b) {
            return stamp_ - a.stamp > stamp_ - b.stamp; // the older one first, also when the stamp wraps
        });
    if (victim->epoch.load(kRelaxed) != epoch)
        ++used_;
    victim->fill(key, epoch, finding.verdict);
    victim->stamp = ++stamp_;
    victim->threat = threat;
}

void VerdictCache::drop(const watch::FileKey& key) {
    if (Entry* const entry = lookup(key, epoch_.load(kRelaxed)); entry != nullptr) {
        entry->epoch.store(0, kRelaxed);
        --used_;
    }
}

void VerdictCache::age() {
    begin_epoch(1);
}

void VerdictCache::flush() {
    begin_epoch(2); // so that nothing is from the epoch before this one
}

void VerdictCache::begin_epoch(std::uint64_t steps) {
    used_ = 0;
    threat_names_.resize(1);
    epoch_.fetch_add(steps);
}

} // namespace picket::gate
