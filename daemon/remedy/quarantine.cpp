#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "content.h"
#include "removal.h"
#include "vault.h"

namespace picket::remedy {
namespace {

struct ReasonRow {
    int errno_value;
    const char* reason;
};

/// What a refusal of the disk means to the gate. Everything else is an error of ours or of the hardware.
constexpr std::array<ReasonRow, 13> kReasons{{
    {EROFS, "read_only"},
    {EPERM, "read_only"}, // immutable, append-only
    {EACCES, "read_only"},
    {EBUSY, "read_only"}, // somebody mounted over it
    {ETXTBSY, "read_only"},
    {EOPNOTSUPP, "read_only"},
    {ENOSPC, "exhausted"},
    {EDQUOT, "exhausted"},
    {EFBIG, "exhausted"},
    {ENOMEM, "exhausted"},
    {ENOENT, "no_parent"},
    {ENOTDIR, "no_parent"},
    {ELOOP, "no_parent"},
}};

std::string reason_of(const Error& error) {
    const auto* row = std::find_if(kReasons.begin(), kReasons.end(),
                                   [&](const ReasonRow& each) { return each.errno_value == error.errno_value(); });
    if (row != kReasons.end())
        return row->reason;
    switch (error.code()) {
    case ErrorCode::conflict:
        return "changed";
    case ErrorCode::exhausted:
        return "exhausted";
    case ErrorCode::not_found:
        return "no_parent";
    default:
        return "";
    }
}

bool unchanged(const struct stat& before, const struct stat& after) {
    return before.st_size == after.st_size && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
           before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
           before.st_ctim.tv_nsec == after.st_ctim.tv_nsec;
}

} // namespace

Result<QuarantineOutcome> Vault::quarantine(const QuarantineRequest& request, int judged_fd) {
    if (!is_entry_id(request.id))
        return Error(ErrorCode::invalid_input, fmt::format("'{}' is no quarantine id: a-z, 0-9 and '-', at most 64",
                                                           escape_for_display(request.id)));
    auto outcome = take(request, judged_fd);
    if (outcome)
        return outcome;
    const std::string reason = reason_of(outcome.error());
    if (reason.empty())
        return outcome;
    return QuarantineOutcome{.removed = false, .reason = reason, .message = outcome.error().message()};
}

/// Everything that is known of the file before a byte is copied; refuses what cannot be taken in any case.
Result<Entry> Vault::describe(const QuarantineRequest& request, int judged_fd) const {
    const struct stat status = PICKET_TRY(disk_.status_of(judged_fd));
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, "the descriptor is not one of a regular file");
    if (status.st_dev != request.device || status.st_ino != request.inode ||
        static_cast<std::uint64_t>(status.st_size) != request.size_bytes)
        return Error(ErrorCode::conflict, "the descriptor is not the file that was judged, or its size has changed");
    if (status.st_nlink == 0)
        return Error(ErrorCode::not_found, "the file has no name any more");
    if (request.size_bytes > options_.maximum_file.count)
        return Error(ErrorCode::exhausted,
                     fmt::format("larger than the vault takes ({})", to_human(options_.maximum_file)));
    const Bytes space = PICKET_TRY(disk_.space_at(index_.directory()));
    if (space.count < request.size_bytes + options_.reserve.count)
        return Error(ErrorCode::exhausted, fmt::format("the vault's file system has only {} left", to_human(space)));

    Entry entry;
    entry.id = request.id;
    entry.path = request.path;
    entry.threat_name = request.threat_name;
    entry.threat_id = request.threat_id;
    entry.definitions = request.definitions;
    entry.identity = FileIdentity::of(status);
    entry.identity.generation = generation_of(judged_fd);
    entry.uid = status.st_uid;
    entry.gid = status.st_gid;
    entry.mode = status.st_mode & 07777;
    entry.quarantined = to_rfc3339(clock_.wall());
    entry.removal_name = random_name("picket-held-");
    return entry;
}

Result<void> Vault::copy_once(Entry& entry, int judged_fd) {
    const struct stat before = PICKET_TRY(disk_.status_of(judged_fd));
    const UniqueFd target = PICKET_TRY(index_.create_data(entry.id));
    const auto sealed = seal(disk_, judged_fd, static_cast<std::uint64_t>(before.st_size), target.get());
    const auto after = disk_.status_of(judged_fd);
    if (!sealed || !after || !unchanged(before, *after)) {
        (void)index_.drop_data(entry.id);
        return !sealed  ? sealed.error()
               : !after ? after.error()
                        : Error(ErrorCode::conflict, "the file changed while it was copied");
    }
    entry.identity.size_bytes = static_cast<std::uint64_t>(before.st_size);
    entry.identity.modified = before.st_mtim;
    entry.sha256 = sealed->sha256;
    entry.key = sealed->key;
    entry.counter = sealed->counter;
    return {};
}

/// A writer may just have finished: once more, not for ever.
Result<void> Vault::copy(Entry& entry, int judged_fd) {
    auto first = copy_once(entry, judged_fd);
    if (first || first.error().code() != ErrorCode::conflict || first.error().errno_value() != 0)
        return first;
    return copy_once(entry, judged_fd);
}

Result<QuarantineOutcome> Vault::take(const QuarantineRequest& request, int judged_fd) {
    Entry entry = PICKET_TRY(describe(request, judged_fd));
    auto place = locate(disk_, root_.get(), request.path, entry.identity);
    if (!place)
        // A path that cannot be walked (deleted, another mount namespace, a link on the way) is no fault of the caller.
        return place.error().code() == ErrorCode::invalid_input ? Error(ErrorCode::not_found, place.error().message())
                                                                : place.error();
    PICKET_TRY(copy(entry, judged_fd));
    if (const auto saved = index_.save(entry); !saved) {
        (void)index_.drop(entry.id);
        return saved.error();
    }
    if (const auto removed = remove_judged(disk_, *place, entry.removal_name, entry.identity, judged_fd); !removed) {
        (void)index_.drop(entry.id);
        return removed.error();
    }
    entry.state = EntryState::complete;
    (void)index_.save(entry); // where this fails, the next start finds no original and completes the entry
    QuarantineOutcome outcome{.removed = true, .sha256 = entry.sha256, .size_bytes = entry.identity.size_bytes};
    if (const auto left = disk_.status_of(judged_fd); left)
        outcome.hard_links = left->st_nlink;
    return outcome;
}

} // namespace picket::remedy
