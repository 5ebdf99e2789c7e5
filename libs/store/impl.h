#pragma once
#include <algorithm>
#include <chrono>
#include <mutex>

#include <picket/store/store.h>

#include "chain.h"
#include "database.h"

namespace picket::store {

struct Store::Impl {
    Impl(std::string file, Database opened, StoreLimits bounds)
        : path(std::move(file)), database(std::move(opened)), limits(bounds) {}

    const std::string path;
    Database database;
    const StoreLimits limits;
    mutable std::mutex mutex;
    bool recovered = false;
    /// As stored, so that no append has to read or count; this process is the only writer.
    EventChain chain;
    std::uint64_t event_count = 0;
    std::uint64_t threat_count = 0;
};

inline std::int64_t to_stored(WallTime time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}
inline WallTime from_stored(std::int64_t nanoseconds) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(nanoseconds)));
}
/// A LIMIT that SQLite takes and that memory bears.
inline std::int64_t to_limit(std::size_t limit) {
    return static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000));
}

} // namespace picket::store
