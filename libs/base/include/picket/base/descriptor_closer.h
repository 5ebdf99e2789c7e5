#pragma once

namespace picket {

/// Closes descriptors instead of the thread that is done with them: for a thread that must not wait, where close(2) may
/// (a FUSE or network server is asked to flush, and may itself be waiting for that thread).
class DescriptorCloser {
  public:
    virtual ~DescriptorCloser() = default;
    /// True where the descriptor is taken over. Neither waits nor throws.
    virtual bool take(int fd) noexcept = 0;
};

/// Every UniqueFd that ends on the calling thread asks this one first; null: none. It must outlive the thread.
void close_through(DescriptorCloser* closer);

} // namespace picket
