#pragma once
#include <string>
#include <vector>

#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

#include "disk.h"
#include "entry.h"

namespace picket::remedy {

/// The vault's directory: ID.data beside ID.json. An entry exists from the moment its ID.json does; every change of it
/// is on the disk when the call returns. One thread, one process (a lock on the directory).
class Index {
  public:
    /// Makes the directory (0700) where it is missing. conflict: another remedy holds it. permission: somebody else
    /// owns it or may write into it.
    static Result<Index> open(Disk& disk, int root, const std::string& directory, std::size_t maximum_entries);

    /// A new empty ID.data, 0600. conflict where the id is taken, exhausted where the vault is full.
    Result<UniqueFd> create_data(const std::string& id);
    Result<UniqueFd> open_data(const std::string& id) const;
    Result<void> save(const Entry& entry);
    Result<Entry> load(const std::string& id) const;
    /// The index first: a power cut leaves at most bytes without a key, which the next start removes.
    Result<void> drop(const std::string& id);
    Result<void> drop_data(const std::string& id);

    std::vector<std::string> ids() const { return ids_; } ///< sorted
    /// Names of ID.data without an ID.json, and of half-written documents: only a crash leaves them.
    Result<std::vector<std::string>> leftovers() const;
    Result<void> remove_leftover(const std::string& name);
    int directory() const { return directory_.get(); }

  private:
    Index(Disk& disk, UniqueFd directory, std::size_t maximum_entries)
        : disk_(disk), directory_(std::move(directory)), maximum_entries_(maximum_entries) {}
    Result<std::vector<std::string>> names() const;
    Result<void> read_ids();

    Disk& disk_;
    UniqueFd directory_;
    std::size_t maximum_entries_;
    std::vector<std::string> ids_;
};

} // namespace picket::remedy
