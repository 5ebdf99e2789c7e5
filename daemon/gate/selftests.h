#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/clock.h>

namespace picket::daemon {

/// What became of the files that running self-tests have announced. Thread-safe.
class SelfTests {
  public:
    struct Result {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        MonotonicTime until{};
        bool blocked = false;
        bool detected = false;
        bool quarantined = false;
        std::string failure; ///< why it was not quarantined
        std::string threat_name;
        std::string quarantine_id;
    };
    static constexpr std::chrono::seconds kLifetime{30};

    void expect(std::uint64_t device, std::uint64_t inode, MonotonicTime now) {
        std::lock_guard lock(mutex_);
        std::erase_if(results_, [now](const Result& result) { return result.until + kLifetime < now; });
        if (results_.size() < 64)
            results_.push_back({device, inode, now + kLifetime});
    }
    template <typename Change>
    void update(std::uint64_t device, std::uint64_t inode, Change change) {
        std::lock_guard lock(mutex_);
        for (Result& result : results_)
            if (result.device == device && result.inode == inode)
                change(result);
    }
    /// The newest one of that file.
    std::optional<Result> find(std::uint64_t device, std::uint64_t inode) const {
        std::lock_guard lock(mutex_);
        for (auto result = results_.rbegin(); result != results_.rend(); ++result)
            if (result->device == device && result->inode == inode)
                return *result;
        return std::nullopt;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<Result> results_;
};

} // namespace picket::daemon
