#include <picket/sandbox/landlock.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <picket/base/unique_fd.h>

namespace picket::sandbox {
namespace {

constexpr long kCreateRuleset = 444; // the same number on every architecture
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr std::uint32_t kAskVersion = 1U << 0;
constexpr int kRulePathBeneath = 1;

constexpr std::uint64_t kWriteFile = 1ULL << 1;
constexpr std::uint64_t kReadFile = 1ULL << 2;
constexpr std::uint64_t kReadDir = 1ULL << 3;
constexpr std::uint64_t kRemoveDir = 1ULL << 4;
constexpr std::uint64_t kRemoveFile = 1ULL << 5;
constexpr std::uint64_t kMakeDir = 1ULL << 7;
constexpr std::uint64_t kMakeRegular = 1ULL << 8;
constexpr std::uint64_t kAllOfAbi1 = (1ULL << 13) - 1;
constexpr std::uint64_t kRefer = 1ULL << 13;       // ABI 2
constexpr std::uint64_t kTruncate = 1ULL << 14;    // ABI 3
constexpr std::uint64_t kDeviceIoctl = 1ULL << 15; // ABI 5
constexpr std::uint64_t kTcpBindAndConnect = 3;    // ABI 4
constexpr std::uint64_t kScopeAbstractSocket = 1;  // ABI 6
constexpr std::uint64_t kScopeSignal = 2;

struct RulesetAttributes {
    std::uint64_t handled_files = 0;
    std::uint64_t handled_network = 0;
    std::uint64_t scoped = 0;
};

struct __attribute__((packed)) PathBeneath {
    std::uint64_t allowed = 0;
    std::int32_t parent_fd = -1;
};

std::uint64_t handled_files(int abi) {
    return kAllOfAbi1 | (abi >= 2 ? kRefer : 0) | (abi >= 3 ? kTruncate : 0) | (abi >= 5 ? kDeviceIoctl : 0);
}

std::uint64_t rights(FileAccess access, int abi) {
    const std::uint64_t read = kReadFile | kReadDir;
    if (access == FileAccess::read)
        return read;
    return read | kWriteFile | kRemoveDir | kRemoveFile | kMakeDir | kMakeRegular | (abi >= 3 ? kTruncate : 0);
}

/// An older kernel refuses a longer structure than it knows.
std::size_t attribute_size(int abi) {
    if (abi >= 6)
        return sizeof(RulesetAttributes);
    return abi >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

} // namespace

int landlock_abi() {
    const long abi = syscall(kCreateRuleset, nullptr, std::size_t{0}, kAskVersion);
    return abi > 0 ? static_cast<int>(abi) : 0;
}

Result<void> restrict_files(const LandlockOptions& options) {
    const int abi = landlock_abi();
    if (abi == 0)
        return Error(ErrorCode::unavailable, "this kernel has no Landlock (5.13 or later, enabled, is needed)");
    RulesetAttributes attributes;
    attributes.handled_files = handled_files(abi);
    attributes.handled_network = options.allow_tcp ? 0 : kTcpBindAndConnect;
    attributes.scoped = kScopeAbstractSocket | (options.isolate_signals ? kScopeSignal : 0);
    const UniqueFd ruleset(static_cast<int>(syscall(kCreateRuleset, &attributes, attribute_size(abi), 0U)));
    if (!ruleset)
        return Error::from_errno(errno, "making a Landlock ruleset");
    for (const FileRule& rule : options.allowed) {
        const PathBeneath beneath{rights(rule.access, abi), rule.directory};
        if (syscall(kAddRule, ruleset.get(), kRulePathBeneath, &beneath, 0U) != 0)
            return Error::from_errno(errno, "adding a Landlock rule");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return Error::from_errno(errno, "setting no_new_privs");
    if (syscall(kRestrictSelf, ruleset.get(), 0U) != 0)
        return Error::from_errno(errno, "entering the Landlock domain");
    return {};
}

} // namespace picket::sandbox
