#include "root_links.h"

#include <array>
#include <climits>
#include <deque>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::host {
namespace {

constexpr int kMaximumLinks = 40; // what the kernel allows

void push_front(std::deque<std::string>& pending, std::string_view path) {
    const auto parts = split(path, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
        if (!part->empty() && *part != ".")
            pending.emplace_front(*part);
}

void drop_last(std::string& path) {
    path.resize(path.empty() ? 0 : path.rfind('/'));
}

Result<std::string> link_target(const sys::Root& root, const std::string& path) {
    const auto parent = PICKET_TRY(root.open_parent(path));
    std::string target = read_link_at(parent.directory.get(), parent.name.c_str());
    if (target.empty())
        return Error(ErrorCode::unavailable, fmt::format("the link {} changed meanwhile", escape_for_display(path)));
    return target;
}

} // namespace

std::string read_link_at(int directory_fd, const char* name) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = readlinkat(directory_fd, name, target.data(), target.size());
    return length <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

Result<std::string> resolve_in_root(const sys::Root& root, std::string_view path) {
    std::deque<std::string> pending;
    push_front(pending, path);
    std::string resolved;
    int links = 0;
    while (!pending.empty()) {
        const std::string name = std::move(pending.front());
        pending.pop_front();
        if (name == "..") {
            drop_last(resolved);
            continue;
        }
        const std::string next = resolved + "/" + name;
        const auto status = root.status(next);
        if (!status)
            return status.error();
        if (!S_ISLNK(status->st_mode)) {
            resolved = next;
            continue;
        }
        if (++links > kMaximumLinks)
            return Error(ErrorCode::invalid_input, fmt::format("too many links: {}", escape_for_display(path)));
        const std::string target = PICKET_TRY(link_target(root, next));
        if (target.front() == '/')
            resolved.clear();
        push_front(pending, target);
        if (pending.size() > PATH_MAX)
            return Error(ErrorCode::invalid_input, fmt::format("too long: {}", escape_for_display(path)));
    }
    return resolved.empty() ? std::string("/") : resolved;
}

Result<std::string> read_through_links(const sys::Root& root, std::string_view path, Bytes limit) {
    return root.read(PICKET_TRY(resolve_in_root(root, path)), limit);
}

std::string nearest_existing_directory(const sys::Root& root, std::string_view path) {
    std::string wanted(path);
    while (!wanted.empty() && wanted != "/") {
        const auto resolved = resolve_in_root(root, wanted);
        if (resolved) {
            const auto status = root.status(*resolved);
            if (status && S_ISDIR(status->st_mode))
                return *resolved;
        }
        drop_last(wanted);
    }
    return "/";
}

} // namespace picket::host
