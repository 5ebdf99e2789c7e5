#include <picket/definitions/store.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "manifest.h"

namespace picket::definitions {
namespace {

constexpr std::string_view kTargetPrefix = "generations/";
constexpr std::size_t kMostGenerations = 1'000;

Error unknown_generation(const std::string& name) {
    return Error(ErrorCode::not_found,
                 fmt::format("there is no generation {} of definitions", escape_for_display(name)));
}

} // namespace

Result<UniqueFd> Store::lock() const {
    UniqueFd directory = PICKET_TRY(root_.open_file(directory_, O_RDONLY | O_DIRECTORY));
    if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return Error(ErrorCode::conflict, fmt::format("another process is changing {}", directory_));
        return Error::from_errno(errno, fmt::format("locking {}", directory_));
    }
    return directory;
}

Result<std::string> Store::current() const {
    return target_of("current");
}

Result<std::string> Store::candidate() const {
    return target_of("candidate");
}

Result<std::string> Store::target_of(std::string_view link) const {
    const auto parent = root_.open_parent(fmt::format("{}/{}", directory_, link));
    if (!parent)
        return parent.error();
    std::array<char, PATH_MAX> target{};
    const ssize_t length = readlinkat(parent->directory.get(), parent->name.c_str(), target.data(), target.size());
    if (length < 0 && errno == EINVAL)
        return Error(ErrorCode::corrupt, fmt::format("{}/{} should be a link to generations/NAME", directory_, link));
    if (length < 0)
        return Error::from_errno(errno, fmt::format("reading {}/{}", directory_, link));
    std::string_view name(target.data(), static_cast<std::size_t>(length));
    if (!name.starts_with(kTargetPrefix) || !is_generation_name(name.substr(kTargetPrefix.size())))
        return Error(ErrorCode::corrupt, fmt::format("{}/{} points to {}; it should be generations/NAME", directory_,
                                                     link, escape_for_display(name)));
    return std::string(name.substr(kTargetPrefix.size()));
}

Result<std::vector<std::string>> Store::list() const {
    auto names = root_.list(directory_ + "/generations", kMostGenerations);
    if (!names && names.error().code() == ErrorCode::not_found)
        return std::vector<std::string>{};
    if (!names)
        return names.error();
    std::erase_if(*names, [](const std::string& name) { return !is_generation_name(name); });
    return names;
}

Result<std::vector<std::string>> Store::files_of(const std::string& name) const {
    if (!is_generation_name(name))
        return unknown_generation(name);
    std::vector<std::string> files = PICKET_TRY(root_.list(path_of(name), kMaximumFiles + 1));
    std::erase_if(files, [](const std::string& file) { return !is_definition_file(file); });
    return files;
}

Result<Generation> Store::describe(const std::string& name) const {
    if (!is_generation_name(name))
        return unknown_generation(name);
    const auto text = root_.read(path_of(name) + "/" + std::string(kManifestName), mebibytes(1));
    if (!text)
        return text.error().with_context(fmt::format("generation {}", name));
    return parse_manifest(name, *text);
}

Result<void> Store::rename_and_sync(const std::string& from, const std::string& to) const {
    const auto source = PICKET_TRY(root_.open_parent(from));
    const auto target = PICKET_TRY(root_.open_parent(to));
    if (renameat(source.directory.get(), source.name.c_str(), target.directory.get(), target.name.c_str()) != 0)
        return Error::from_errno(errno, fmt::format("renaming {} to {}", from, to));
    const UniqueFd directory(openat(target.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || fsync(directory.get()) != 0)
        return Error::from_errno(errno, fmt::format("making the renaming of {} permanent", to));
    return {};
}

Result<void> Store::make_current(const std::string& name) const {
    return point("current", name);
}

Result<void> Store::set_candidate(const std::string& name) const {
    return point("candidate", name);
}

Result<void> Store::clear_candidate() const {
    const UniqueFd held = PICKET_TRY(lock());
    PICKET_TRY(root_.remove(directory_ + "/candidate"));
    return {};
}

Result<void> Store::point(std::string_view link, const std::string& name) const {
    const UniqueFd held = PICKET_TRY(lock());
    if (!is_generation_name(name) || !root_.exists(path_of(name)))
        return unknown_generation(name);
    const std::string temporary = fmt::format("{}/.{}.new", directory_, link);
    PICKET_TRY(root_.remove(temporary));
    const auto parent = PICKET_TRY(root_.open_parent(temporary));
    const std::string target = std::string(kTargetPrefix) + name;
    if (symlinkat(target.c_str(), parent.directory.get(), parent.name.c_str()) != 0)
        return Error::from_errno(errno, fmt::format("making {}", temporary));
    return rename_and_sync(temporary, fmt::format("{}/{}", directory_, link));
}

Result<std::string> Store::rollback() const {
    const std::string now = PICKET_TRY(current());
    std::vector<std::string> names = PICKET_TRY(list());
    std::erase_if(names, [&](const std::string& name) { return name >= now; });
    if (names.empty())
        return Error(ErrorCode::not_found, fmt::format("there is no generation older than {}", now));
    PICKET_TRY(make_current(names.back()));
    return names.back();
}

} // namespace picket::definitions
