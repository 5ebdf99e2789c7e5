#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <picket/model/verdict.h>
#include <picket/watch/file_facts.h>

namespace picket::gate {

/// What was said of a file with exactly this key, under the current definitions and policy. Fixed size: a set of four
/// entries per hash, the least recently used of the four makes room. Whoever stores decides whether the file may be
/// stored at all; the cache only remembers. One thread.
class VerdictCache {
  public:
    /// `capacity` is rounded up to a power of two; 64 bytes an entry, touched only as it fills.
    explicit VerdictCache(std::size_t capacity = 131'072);

    std::optional<Finding> find(const watch::FileKey& key);
    /// Only clean, malicious, potentially_unwanted and limit_exceeded are worth remembering.
    void store(const watch::FileKey& key, const Finding& finding);
    void drop(const watch::FileKey& key);
    /// Everything, at once: new definitions, another policy, lost events.
    void flush();
    std::size_t size() const { return used_; }

  private:
    struct Entry {
        watch::FileKey key;
        std::uint32_t epoch = 0; ///< valid only where it equals epoch_
        std::uint32_t stamp = 0;
        std::uint32_t threat = 0; ///< index into threat_names_
        Verdict verdict = Verdict::clean;
    };
    static constexpr std::size_t kWays = 4;

    Entry* set_of(const watch::FileKey& key);
    Entry* lookup(const watch::FileKey& key);
    std::uint32_t intern(const std::string& name);

    struct Free {
        void operator()(Entry* entries) const { std::free(entries); }
    };
    std::size_t capacity_;
    std::unique_ptr<Entry[], Free> entries_; ///< calloc: the kernel gives pages as they are touched
    std::size_t set_mask_;
    std::uint32_t epoch_ = 1;
    std::uint32_t stamp_ = 0;
    std::size_t used_ = 0;
    std::vector<std::string> threat_names_{""};
};

} // namespace picket::gate
