#pragma once
#include <cstdint>
#include <string>
#include <sys/stat.h>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/data/json.h>

namespace picket::remedy {

/// How far a file has come; the start-up pass (reconcile.cpp) finishes or undoes what a power cut left half done.
enum class EntryState {
    copied,    ///< the copy is on the disk, the original may still be at its place
    complete,  ///< the vault holds the only copy
    restoring, ///< the file may already be back at restore_path
};

/// What tells the judged file from any other.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size_bytes = 0;
    timespec modified{};
    std::int64_t generation = -1; ///< FS_IOC_GETVERSION; -1 where the file system has none

    static FileIdentity of(const struct stat& status);
    bool same_file(const struct stat& status) const { return status.st_dev == device && status.st_ino == inode; }
    bool same_content_time(const struct stat& status) const;
};

/// One line of the vault's index: ID.json. Its key makes ID.data readable; without it the bytes are inert.
struct Entry {
    std::string id;
    EntryState state = EntryState::copied;
    std::string path; ///< bytes, as the kernel gave them
    std::string threat_name;
    std::string threat_id;
    std::string definitions; ///< generation that judged it; empty where there was none
    std::string sha256;      ///< of the plain content
    FileIdentity identity;
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t mode = 0;          ///< permission bits as they were, special ones included: for the record, never restored
    std::string quarantined;  ///< RFC 3339
    std::string removal_name; ///< what the original is called between its rename and its unlink
    std::string restore_path; ///< only while restoring
    std::string restore_name; ///< temporary name beside restore_path
    ByteVector key;           ///< AES-256
    ByteVector counter;       ///< initial counter block
};

/// 1 to 64 of a-z, 0-9 and '-', not led by '-': safe as a file name.
bool is_entry_id(std::string_view id);
std::string to_document(const Entry& entry);
/// corrupt where a field is missing, of another type or out of range, or names another id.
Result<Entry> parse_entry(const std::string& id, std::string_view document);
/// As `quarantine.list` shows it: no key.
data::Json to_listing(const Entry& entry);

} // namespace picket::remedy
