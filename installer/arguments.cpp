#include "arguments.h"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/model/tag.h>
#include <picket/sys/file.h>
#include <picket/trust/onboarding.h>
#include <picket/trust/rules.h>

#include "verb_table.h"

namespace picket::installer {
namespace {

using install::Request;

constexpr std::uint64_t kLongestLockTimeoutSeconds = 86'400;
constexpr std::size_t kLongestRing = 32;
constexpr Bytes kSupportMatrixLimit = mebibytes(1);

Result<void> read_tags(const command_line::Invocation& invocation, Request& request) {
    for (const std::string& text : invocation.all("--tag")) {
        const auto equals = text.find('=');
        if (equals == std::string::npos)
            return Error(ErrorCode::invalid_input,
                         fmt::format("--tag {}: KEY=VALUE is needed", escape_for_display(text)));
        const std::string key = text.substr(0, equals);
        const std::string value = text.substr(equals + 1);
        if (const auto good = check_tag(key, value); !good)
            return good.error().with_context("--tag");
        request.tags[key] = value;
    }
    return {};
}

Result<void> read_lock_timeout(const command_line::Invocation& invocation, Request& request) {
    if (!invocation.has("--lock-timeout"))
        return {};
    const auto seconds = parse_unsigned(invocation.get("--lock-timeout"));
    if (!seconds || *seconds > kLongestLockTimeoutSeconds)
        return Error(ErrorCode::invalid_input,
                     fmt::format("--lock-timeout: 0 to {} seconds", kLongestLockTimeoutSeconds));
    request.lock_timeout = std::chrono::seconds(*seconds);
    return {};
}

Result<void> read_files(const command_line::Invocation& invocation, Request& request) {
    if (invocation.has("--trust-key"))
        request.trust_key = PICKET_TRY(trust::read_key_argument(invocation.get("--trust-key"))).to_base64();
    if (!invocation.has("--support-matrix"))
        return {};
    const std::string path = invocation.get("--support-matrix");
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return Error::from_errno(errno, fmt::format("--support-matrix {}", escape_for_display(path)));
    request.support_matrix = PICKET_TRY(sys::read_all(fd.get(), kSupportMatrixLimit));
    return {};
}

} // namespace

Result<install::RepositoryWish> repository_of(const command_line::Invocation& invocation) {
    install::RepositoryWish wish{invocation.get("--from-repo"), invocation.get("--ring"), invocation.all("--repo-key")};
    if (wish.url.empty() && !wish.keys.empty())
        return Error(ErrorCode::invalid_input, "--repo-key belongs to --from-repo URL");
    if (!invocation.has("--ring"))
        return wish;
    if (wish.url.empty())
        return Error(ErrorCode::invalid_input, "--ring belongs to --from-repo URL");
    if (wish.ring.empty() || wish.ring.size() > kLongestRing || wish.ring.front() < 'a' || wish.ring.front() > 'z' ||
        wish.ring.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
        return Error(ErrorCode::invalid_input, fmt::format("--ring {}: 1 to {} of a-z, 0-9 and -, a letter first",
                                                           escape_for_display(wish.ring), kLongestRing));
    wish.url += (wish.url.ends_with('/') ? "" : "/") + wish.ring;
    return wish;
}

Result<Request> request_of(const command_line::Invocation& invocation) {
    Request request;
    request.verb = kind_of(invocation.verb->words);
    request.is_root = geteuid() == 0;
    request.onboarding = invocation.get("--onboarding", invocation.get("FILE"));
    request.bundle = invocation.get("--bundle");
    install::RepositoryWish repository = PICKET_TRY(repository_of(invocation));
    request.from_repo = std::move(repository.url);
    request.ring = std::move(repository.ring);
    request.repo_keys = std::move(repository.keys);
    if (!request.from_repo.empty() && !request.bundle.empty())
        return Error(ErrorCode::invalid_input, "--bundle and --from-repo exclude each other");
    request.profiles = invocation.all("--profile");
    request.accepted = invocation.all("--accept");
    request.replace_org = invocation.has("--replace-org");
    request.version = invocation.get("--version");
    request.allow_downgrade = invocation.has("--allow-downgrade");
    request.dry_run = invocation.has("--dry-run");
    if (invocation.has("--purge") && invocation.has("--keep-state"))
        return Error(ErrorCode::invalid_input, "--keep-state and --purge exclude each other");
    if (invocation.has("--purge"))
        request.uninstall_mode = install::UninstallMode::purge;
    PICKET_TRY(read_tags(invocation, request));
    PICKET_TRY(read_lock_timeout(invocation, request));
    PICKET_TRY(read_files(invocation, request));
    return request;
}

} // namespace picket::installer
