#include "walk.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/random.h>

namespace picket::remedy {
namespace {

constexpr std::size_t kMaximumPath = 64 * 1024;
constexpr long kOpenat2 = 437; // the same on every architecture
constexpr std::uint64_t kResolveNoMagicLinks = 0x02;
constexpr std::uint64_t kResolveNoSymlinks = 0x04;
constexpr std::uint64_t kResolveBeneath = 0x08;

struct OpenHow {
    std::uint64_t flags;
    std::uint64_t mode;
    std::uint64_t resolve;
};

Error refused(std::string_view why, std::string_view path) {
    return Error(ErrorCode::invalid_input, fmt::format("{}: {}", why, escape_for_display(path.substr(0, 4096))));
}

Result<std::vector<std::string>> components_of(std::string_view path) {
    if (path.empty() || path.front() != '/')
        return refused("not an absolute path", path);
    if (path.size() > kMaximumPath || path.find('\0') != std::string_view::npos || path.back() == '/')
        return refused("not the path of a file", path);
    std::vector<std::string> components;
    for (const std::string_view part : split(path, '/')) {
        if (part == "..")
            return refused("'..' in a path", path);
        if (!part.empty() && part != ".")
            components.emplace_back(part);
    }
    if (components.empty())
        return refused("not the path of a file", path);
    return components;
}

Result<UniqueFd> step_by_step(int root, const std::vector<std::string>& directories, std::string_view path) {
    UniqueFd current(openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (const std::string& name : directories) {
        if (!current)
            break;
        current = UniqueFd(openat(current.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    }
    if (!current)
        return Error::from_errno(errno, fmt::format("open the directory of {}", escape_for_display(path)));
    return current;
}

} // namespace

Result<Place> find_place(int root, std::string_view path) {
    std::vector<std::string> components = PICKET_TRY(components_of(path));
    std::string name = std::move(components.back());
    components.pop_back();
    const std::string below = components.empty() ? "." : join(components, "/");
    OpenHow how{O_PATH | O_DIRECTORY | O_CLOEXEC, 0, kResolveBeneath | kResolveNoSymlinks | kResolveNoMagicLinks};
    UniqueFd directory(static_cast<int>(syscall(kOpenat2, root, below.c_str(), &how, sizeof how)));
    if (directory)
        return Place{std::move(directory), std::move(name)};
    // Anything may stand behind a failure (no such call, EPERM of a container's filter, a path over PATH_MAX, a rename
    // seen on the way): the slow walk gives the true answer.
    directory = PICKET_TRY(step_by_step(root, components, path));
    return Place{std::move(directory), std::move(name)};
}

std::string random_name(std::string_view prefix) {
    return std::string(prefix) + to_hex(crypto::random_bytes(16));
}

} // namespace picket::remedy
