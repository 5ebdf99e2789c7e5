#pragma once
#include <atomic>
#include <memory>
#include <string>

#include <picket/sys/package_files.h>

namespace picket::daemon {

/// Keeps what an installed package brought, and nobody has changed, out of the quarantine: there the definitions are
/// wrong and not the file, and moving it may end the host. find() belongs to one thread, which nobody waits for.
class PackageGuard {
  public:
    /// `files` may be null: then there are no such files.
    explicit PackageGuard(std::unique_ptr<sys::PackageFiles> files) : files_(std::move(files)) {}

    /// The package whose unchanged file this is, counted; "" where it is none, was changed, or cannot be compared.
    std::string find(const std::string& path, int file);
    std::uint64_t found() const { return found_.load(); }

  private:
    std::unique_ptr<sys::PackageFiles> files_;
    std::atomic<std::uint64_t> found_{0};
};

} // namespace picket::daemon
