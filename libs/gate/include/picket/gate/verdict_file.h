#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/watch/file_facts.h>
#include <picket/watch/filesystem_identity.h>

namespace picket::gate {

/// A clean verdict that is to outlive the process; `generation` is the inode's, so that an inode that was given to
/// another file is not taken for the old one.
struct CleanVerdict {
    watch::FileKey key;
    std::uint32_t generation = 0;
};

/// What the daemon knew to be clean when it ended in order, with everything that must still hold for it to count.
struct VerdictFile {
    std::string build;       ///< of Picket
    std::string boot_id;     ///< of the kernel that ran then
    std::string engine;      ///< its version
    std::string definitions; ///< generation
    std::uint64_t policy = 0;
    WallTime saved{}; ///< to the second
    std::vector<watch::FilesystemIdentity> filesystems;
    std::vector<CleanVerdict> verdicts; ///< of these file systems only
};

inline constexpr std::size_t kMaximumStoredVerdicts = 131'072;
inline constexpr std::size_t kMaximumStoredFilesystems = 1'000;

/// The verdicts of other file systems than `filesystems` are left out. With a digest of all at the end.
std::string encode(const VerdictFile& file);
/// corrupt where a single byte is not as it was written; nothing of it is believed then.
Result<VerdictFile> decode(const std::string& bytes);

/// Those that still count, with the keys that the files have now; the rest is forgotten. Empty, and `why` says so in
/// one sentence, where the whole does not.
struct Situation {
    std::string build;
    std::string boot_id;
    std::uint64_t policy = 0;
    WallTime now{};
    std::vector<watch::FilesystemIdentity> filesystems;
};
std::vector<CleanVerdict> still_valid(const VerdictFile& file, const Situation& situation, std::string& why);

} // namespace picket::gate
