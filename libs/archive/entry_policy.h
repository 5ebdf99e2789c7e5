#pragma once
#include <cstdint>
#include <set>
#include <string>

#include <picket/archive/reader.h>

namespace picket::archive {

/// The rules that do not need libarchive. The child holds itself to them to stop early, the parent holds the child to
/// them because it may be subverted.
class EntryPolicy {
  public:
    EntryPolicy(const Limits& limits, Bytes archive_size);
    Result<void> count_entry();
    Result<void> begin(const std::string& name);
    Result<void> data(std::size_t size);
    Result<void> end();
    bool inside_entry() const { return inside_; }

  private:
    const Limits limits_;
    const std::uint64_t total_limit_;
    std::set<std::string> names_;
    std::size_t entries_ = 0;
    std::uint64_t entry_size_ = 0;
    std::uint64_t total_ = 0;
    bool inside_ = false;
};

} // namespace picket::archive
