#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <picket/sys/package_files.h>

#include "remedy_client.h"

namespace picket::daemon {

/// Keeps what an installed package brought, and nobody has changed, out of the quarantine: there the definitions are
/// wrong and not the file, and moving it may end the host. find() belongs to one thread, which nobody waits for.
class PackageGuard {
  public:
    explicit PackageGuard(std::vector<std::unique_ptr<sys::PackageFiles>> records) : records_(std::move(records)) {}

    /// Why this file stays: it is the unchanged file of a package, or one below a system folder while the records
    /// cannot be read; counted. "" where it is none, was changed, or cannot be compared.
    std::string why_it_stays(const std::string& path, int file);
    std::uint64_t found() const { return found_.load(); }

  private:
    std::vector<std::unique_ptr<sys::PackageFiles>> records_;
    std::atomic<std::uint64_t> found_{0};
};

/// What this host has: dpkg's records are read here, rpm's by remedy, which may start rpm. Both must outlive it.
std::vector<std::unique_ptr<sys::PackageFiles>> package_records_of(const sys::Root& root, const RemedyClient& remedy);

} // namespace picket::daemon
