#include "confinement.h"

#include <sys/resource.h>
#include <unistd.h>

#include <picket/base/bytes.h>
#include <picket/sandbox/network_only.h>
#include <picket/sandbox/privileges.h>

namespace picket::link {
namespace {

constexpr std::uint64_t kLargestFile = gibibytes(1).count; // definitions::kMaximumFileSize
constexpr std::uint64_t kDescriptors = 128;

Result<void> become_user(const std::string& user) {
    if (geteuid() != 0)
        return {};
    const sandbox::Identity identity = PICKET_TRY(sandbox::find_identity(user));
    if (identity.uid == 0)
        return Error(ErrorCode::invalid_input, "--user: picket-link does not run as root");
    return sandbox::become(identity);
}

} // namespace

Result<void> confine(const std::string& user) {
    PICKET_TRY(become_user(user));
    PICKET_TRY(sandbox::drop_all_capabilities());
    PICKET_TRY(sandbox::become_undumpable());
    PICKET_TRY(sandbox::set_limits({{RLIMIT_FSIZE, kLargestFile}, {RLIMIT_NOFILE, kDescriptors}, {RLIMIT_CORE, 0}}));
    return sandbox::restrict_to_network();
}

} // namespace picket::link
