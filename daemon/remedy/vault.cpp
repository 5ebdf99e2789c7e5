#include "vault.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::remedy {
namespace {

/// A damaged entry is shown as what it is, not left out.
data::Json listing_of(const Index& index, const std::string& id) {
    const auto entry = index.load(id);
    if (entry)
        return to_listing(*entry);
    return data::Json{{"quarantine_id", id}, {"damaged", true}, {"message", entry.error().message()}};
}

} // namespace

Result<Vault> Vault::open(Disk& disk, const Clock& clock, int root, VaultOptions options) {
    UniqueFd own_root(fcntl(root, F_DUPFD_CLOEXEC, 3));
    if (!own_root)
        return Error::from_errno(errno, "dup of the root directory");
    Index index = PICKET_TRY(Index::open(disk, root, options.directory, options.maximum_entries));
    Vault vault(disk, clock, std::move(own_root), std::move(index), std::move(options));
    PICKET_TRY(vault.reconcile());
    return vault;
}

Result<void> Vault::check_known(const std::string& id) const {
    const std::vector<std::string> ids = index_.ids();
    if (!std::binary_search(ids.begin(), ids.end(), id))
        return Error(ErrorCode::not_found,
                     fmt::format("nothing in quarantine has the id '{}'", escape_for_display(id)));
    return {};
}

Result<void> Vault::remove(const std::string& id) {
    PICKET_TRY(check_known(id));
    return index_.drop(id);
}

Result<data::Json> Vault::find(const std::string& id) const {
    PICKET_TRY(check_known(id));
    return listing_of(index_, id);
}

ListPage Vault::list(const std::string& after, Bytes limit) const {
    ListPage page;
    const std::vector<std::string> ids = index_.ids();
    std::size_t used = 0;
    for (auto id = std::upper_bound(ids.begin(), ids.end(), after); id != ids.end(); ++id) {
        data::Json item = listing_of(index_, *id);
        used += data::to_text(item).size() + 1;
        if (used > limit.count && !page.items.empty()) {
            page.more = true;
            break;
        }
        page.items.push_back(std::move(item));
    }
    return page;
}

} // namespace picket::remedy
