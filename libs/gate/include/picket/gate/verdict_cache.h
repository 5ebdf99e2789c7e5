#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <picket/gate/verdict_file.h>
#include <picket/model/verdict.h>
#include <picket/watch/file_facts.h>

namespace picket::gate {

/// What was said of a file with exactly this key, under the current definitions and policy. Fixed size: a set of four
/// entries per hash, the least recently used of the four makes room. Whoever stores decides whether the file may be
/// stored at all; the cache only remembers. One thread, but for knows_clean().
class VerdictCache {
  public:
    /// `capacity` is rounded up to a power of two; 64 bytes an entry, touched only as it fills.
    explicit VerdictCache(std::size_t capacity = 131'072);

    std::optional<Finding> find(const watch::FileKey& key);
    /// True where the file was found clean before the last age(), and nothing is known of it since.
    bool was_clean(const watch::FileKey& key);
    /// On any thread, waiting for nobody and keeping nobody waiting. False also where it cannot be told just now.
    bool knows_clean(const watch::FileKey& key) const;
    /// Only clean, malicious, potentially_unwanted and limit_exceeded are worth remembering. `generation`: the inode's;
    /// without one a clean verdict does not outlive the process.
    void store(const watch::FileKey& key, const Finding& finding, std::optional<std::uint32_t> generation = {});
    /// What is known to be clean and may outlive the process.
    std::vector<CleanVerdict> clean_verdicts() const;
    /// What an earlier process knew, in free places only. It answers nothing before it is confirmed.
    void restore(const CleanVerdict& verdict);
    /// The inode's generation that a restored verdict on exactly this key was about: whoever finds the file to have it
    /// calls confirm(), else drop_restored().
    std::optional<std::uint32_t> restored_generation(const watch::FileKey& key);
    void confirm(const watch::FileKey& key);
    void drop_restored(const watch::FileKey& key);
    /// Of one device: what was mounted there may have been replaced.
    void forget_device(std::uint64_t device);
    void drop(const watch::FileKey& key);
    /// What is known becomes what was known; what was known before is forgotten.
    void age();
    /// Everything, at once: another policy, lost events.
    void flush();
    std::size_t size() const { return used_; }

  private:
    /// `sequence` is odd while the rest is written; who reads on another thread looks at it before and after.
    struct Entry {
        std::array<std::atomic<std::uint64_t>, 5> key;
        std::atomic<std::uint64_t> epoch; ///< 0: never used
        std::atomic<std::uint32_t> sequence;
        std::atomic<Verdict> verdict;
        bool has_generation; ///< of a clean verdict
        std::uint32_t stamp;
        /// Of a clean verdict the inode's generation, where it is known; else an index into threat_names_.
        std::uint32_t detail;

        watch::FileKey key_now() const;
        bool holds(const watch::FileKey& wanted) const;
        void fill(const watch::FileKey& with, std::uint64_t in_epoch, Verdict what);
    };
    static_assert(sizeof(Entry) <= 64 && std::atomic<std::uint64_t>::is_always_lock_free);
    static constexpr std::size_t kWays = 4;
    static constexpr std::uint64_t kRestored = ~0ULL; ///< in no epoch: found by nobody who does not look for it

    Entry* set_of(const watch::FileKey& key) const;
    Entry* lookup(const watch::FileKey& key, std::uint64_t epoch);
    void begin_epoch(std::uint64_t steps);
    void forget_restored();
    std::uint32_t intern(const std::string& name);

    struct Free {
        void operator()(Entry* entries) const { std::free(entries); }
    };
    std::size_t capacity_;
    std::unique_ptr<Entry[], Free> entries_; ///< calloc: the kernel gives pages as they are touched
    std::size_t set_mask_;
    std::atomic<std::uint64_t> epoch_{2};
    std::uint32_t stamp_ = 0;
    std::size_t used_ = 0;
    bool has_restored_ = false;
    std::vector<std::string> threat_names_{""};
};

} // namespace picket::gate
