#pragma once
#include <optional>
#include <string>

#include <picket/base/clock.h>
#include <picket/data/json.h>
#include <picket/sys/package_files.h>

namespace picket::daemon {

/// Asks picket-remedy (docs/control-protocol.md "The remedy protocol"), one connection a question. Thread-safe;
/// unavailable where nobody answers in time.
class RemedyClient {
  public:
    explicit RemedyClient(std::string socket_path) : path_(std::move(socket_path)) {}

    struct Quarantined {
        bool removed = false;
        std::string sha256;
        std::string reason;  ///< where not removed
        std::string message; ///< likewise
    };
    struct Target {
        std::string quarantine_id;
        std::string path;
        std::string threat_name;
        std::string threat_id;
        std::string definitions;
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        std::uint64_t size = 0;
    };
    /// `file`: it, or the socket that it lies in where it is put away (watch::EventFile).
    Result<Quarantined> quarantine(const Target& target, int file, bool put_away = false) const;
    struct Restored {
        std::string path;
        std::string sha256;
    };
    Result<Restored> restore(const std::string& quarantine_id, const std::string& destination, bool overwrite) const;
    /// Drops one vault entry for good.
    Result<void> remove(const std::string& quarantine_id) const;
    /// What the package manager's records say of a file, where they are not ours to read (rpm's); unavailable where
    /// that cannot be told.
    Result<std::optional<sys::PackageFileRecord>> package_file(std::string_view path) const;
    /// One entry; not_found.
    Result<data::Json> find(const std::string& quarantine_id) const;
    /// Every entry, page by page.
    Result<data::Json> list() const;

  private:
    Result<data::Json> ask(const data::Json& request, int file = -1) const;
    std::string path_;
};

} // namespace picket::daemon
