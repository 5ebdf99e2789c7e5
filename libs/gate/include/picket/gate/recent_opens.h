#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include <picket/base/clock.h>

namespace picket::gate {

/// Which files the kernel asked about a moment ago: how a canary's open is proved to have reached the gate. Fixed size;
/// a later file may take the place of an earlier one, so "not seen" proves something only when it comes again and
/// again. One thread.
class RecentOpens {
  public:
    void note(std::uint64_t device, std::uint64_t inode, MonotonicTime now) {
        slot(device, inode) = {device, inode, now};
    }
    bool seen_since(std::uint64_t device, std::uint64_t inode, MonotonicTime since) const {
        const Slot& found = slots_[index(device, inode)];
        return found.device == device && found.inode == inode && found.when >= since;
    }

  private:
    struct Slot {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        MonotonicTime when{};
    };
    static constexpr std::size_t kSlots = 4'096; ///< a power of two
    static std::size_t index(std::uint64_t device, std::uint64_t inode) {
        return static_cast<std::size_t>((inode * 0x9e3779b97f4a7c15U ^ device * 0xc2b2ae3d27d4eb4fU) >> 32) &
               (kSlots - 1);
    }
    Slot& slot(std::uint64_t device, std::uint64_t inode) { return slots_[index(device, inode)]; }

    std::array<Slot, kSlots> slots_{};
};

} // namespace picket::gate
