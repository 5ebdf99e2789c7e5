#include <picket/gate/verdict_cache.h>

#include <algorithm>
#include <bit>
#include <utility>

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

watch::FileKey VerdictCache::Entry::key_now() const {
    return {key[0].load(kRelaxed), key[1].load(kRelaxed), key[2].load(kRelaxed),
            static_cast<std::int64_t>(key[3].load(kRelaxed)), static_cast<std::int64_t>(key[4].load(kRelaxed))};
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
    const Verdict verdict = entry->verdict.load(kRelaxed);
    return Finding{verdict, verdict == Verdict::clean ? "" : threat_names_[entry->detail]};
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

void VerdictCache::store(const watch::FileKey& key, const Finding& finding, std::optional<std::uint32_t> generation) {
    if (finding.verdict > Verdict::limit_exceeded)
        return;
    const std::uint32_t threat = intern(finding.threat_name);
    Entry* const set = set_of(key);
    const std::uint64_t epoch = epoch_.load(kRelaxed);
    Entry* victim = lookup(key, epoch);
    if (victim == nullptr)
        victim = lookup(key, epoch - 1);
    if (victim == nullptr)
        victim = lookup(key, kRestored);
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
    const bool is_clean = finding.verdict == Verdict::clean;
    victim->has_generation = is_clean && generation.has_value();
    victim->detail = is_clean ? generation.value_or(0) : threat;
}

std::vector<CleanVerdict> VerdictCache::clean_verdicts() const {
    const std::uint64_t epoch = epoch_.load(kRelaxed);
    std::vector<CleanVerdict> all;
    for (std::size_t i = 0; i < capacity_; ++i) {
        const Entry& entry = entries_[i];
        const std::uint64_t of = entry.epoch.load(kRelaxed);
        if ((of == epoch || of == kRestored) && entry.verdict.load(kRelaxed) == Verdict::clean && entry.has_generation)
            all.push_back({entry.key_now(), entry.detail});
    }
    return all;
}

void VerdictCache::restore(const CleanVerdict& verdict) {
    Entry* const set = set_of(verdict.key);
    const std::uint64_t epoch = epoch_.load(kRelaxed);
    if (lookup(verdict.key, epoch) != nullptr || lookup(verdict.key, kRestored) != nullptr)
        return;
    for (std::size_t way = 0; way < kWays; ++way) {
        Entry& entry = set[way];
        if (entry.epoch.load(kRelaxed) >= epoch - 1)
            continue;
        entry.fill(verdict.key, kRestored, Verdict::clean);
        entry.has_generation = true;
        entry.detail = verdict.generation;
        entry.stamp = stamp_;
        has_restored_ = true;
        return;
    }
}

std::optional<std::uint32_t> VerdictCache::restored_generation(const watch::FileKey& key) {
    const Entry* const entry = lookup(key, kRestored);
    return entry == nullptr ? std::nullopt : std::optional(entry->detail);
}

void VerdictCache::confirm(const watch::FileKey& key) {
    Entry* const entry = lookup(key, kRestored);
    if (entry == nullptr)
        return;
    entry->fill(key, epoch_.load(kRelaxed), Verdict::clean);
    entry->stamp = ++stamp_;
    ++used_;
}

void VerdictCache::drop_restored(const watch::FileKey& key) {
    if (Entry* const entry = lookup(key, kRestored); entry != nullptr)
        entry->epoch.store(0, kRelaxed);
}

void VerdictCache::forget_device(std::uint64_t device) {
    const std::uint64_t epoch = epoch_.load(kRelaxed);
    for (std::size_t i = 0; i < capacity_; ++i) {
        Entry& entry = entries_[i];
        const std::uint64_t of = entry.epoch.load(kRelaxed);
        if (of == 0 || entry.key[0].load(kRelaxed) != device)
            continue;
        entry.epoch.store(0, kRelaxed);
        used_ -= of == epoch ? 1 : 0;
    }
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

/// What was restored was said under the definitions and the policy that are over now.
void VerdictCache::forget_restored() {
    if (!std::exchange(has_restored_, false))
        return;
    for (std::size_t i = 0; i < capacity_; ++i)
        if (entries_[i].epoch.load(kRelaxed) == kRestored)
            entries_[i].epoch.store(0, kRelaxed);
}

void VerdictCache::begin_epoch(std::uint64_t steps) {
    forget_restored();
    used_ = 0;
    threat_names_.resize(1);
    epoch_.fetch_add(steps);
}

} // namespace picket::gate
