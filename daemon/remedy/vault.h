#pragma once
#include <optional>
#include <string>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/data/json.h>
#include <picket/model/paths.h>

#include "disk.h"
#include "index.h"
#include "walk.h"

namespace picket::remedy {

struct VaultOptions {
    std::string directory = paths::kQuarantineDirectory; ///< below the root
    Bytes maximum_file = gibibytes(4);
    Bytes reserve = mebibytes(16); ///< left free on the vault's file system
    std::size_t maximum_entries = 100'000;
};

struct QuarantineRequest {
    std::string id;
    std::string path;
    std::string threat_name;
    std::string threat_id;
    std::string definitions;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size_bytes = 0;
};

/// Where `removed` is false, nothing is in the vault and the file is where it was.
struct QuarantineOutcome {
    bool removed = false;
    std::string reason; ///< changed, no_parent, read_only, exhausted; empty where removed
    std::string message;
    std::string sha256;
    std::uint64_t size_bytes = 0;
    std::uint64_t hard_links = 0; ///< other names the content still has
};

struct RestoreRequest {
    std::string id;
    std::string destination; ///< empty = where it was
    bool overwrite = false;
};

struct RestoreOutcome {
    std::string path;
    std::string sha256;
};

struct ListPage {
    std::vector<data::Json> items;
    bool more = false; ///< ask again with `after` = the last item's id
};

/// What the start-up pass did.
struct Reconciled {
    std::size_t removals_finished = 0;
    std::size_t copies_dropped = 0; ///< the original was untouched
    std::size_t restores_finished = 0;
    std::size_t restores_undone = 0;
    std::size_t leftovers_removed = 0;
    std::size_t undecided = 0; ///< damaged, or the place cannot be reached now: kept
};

/// The quarantine. Whatever call a power cut or a full disk ends, exactly one good copy of a file exists and the index
/// is true after the next open(). One thread.
class Vault {
  public:
    /// `disk` and `clock` must outlive it; `root` is the directory that all paths are below ("/" on a running host).
    static Result<Vault> open(Disk& disk, const Clock& clock, int root, VaultOptions options = {});

    /// Copy, index, remove: in this order. Error only where nothing of the kinds in QuarantineOutcome::reason happened.
    Result<QuarantineOutcome> quarantine(const QuarantineRequest& request, int judged_fd);
    /// With the former owner's rights, following no link. not_found, conflict (name taken, or another owner's),
    /// permission (the owner may not write there), corrupt (nothing appears), exhausted. The entry is gone afterwards.
    Result<RestoreOutcome> restore(const RestoreRequest& request);
    /// Destroys the copy for good; not_found where there is none.
    Result<void> remove(const std::string& id);
    /// The one entry as `list` shows it; not_found.
    Result<data::Json> find(const std::string& id) const;
    /// Items of at most `limit` bytes of JSON in the order of their ids, those after `after`.
    ListPage list(const std::string& after, Bytes limit) const;
    const Reconciled& reconciled() const { return reconciled_; }
    std::size_t size() const { return index_.ids().size(); }

  private:
    Vault(Disk& disk, const Clock& clock, UniqueFd root, Index index, VaultOptions options)
        : disk_(disk), clock_(clock), root_(std::move(root)), index_(std::move(index)), options_(std::move(options)) {}

    Result<void> check_known(const std::string& id) const;
    Result<Entry> describe(const QuarantineRequest& request, int judged_fd) const;
    Result<void> copy(Entry& entry, int judged_fd);
    Result<void> copy_once(Entry& entry, int judged_fd);
    Result<QuarantineOutcome> take(const QuarantineRequest& request, int judged_fd);

    Result<void> check_destination(const Entry& entry, bool overwrite) const;
    struct Placed {
        Place place;
        struct stat status {}; ///< of the file that was made
    };
    Result<Placed> place_content(const Entry& entry, bool overwrite);
    Result<void> confirm(const Placed& placed);
    void undo_restore(Entry entry);

    Result<void> reconcile();
    Result<void> reconcile_entry(Entry entry);
    Result<void> reconcile_copied(Entry entry);
    Result<void> reconcile_restoring(Entry entry);

    Disk& disk_;
    const Clock& clock_;
    UniqueFd root_;
    Index index_;
    VaultOptions options_;
    Reconciled reconciled_;
};

} // namespace picket::remedy
