#include "index.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "walk.h"

namespace picket::remedy {
namespace {

constexpr Bytes kMaximumDocument = kibibytes(256);
constexpr std::string_view kData = ".data";
constexpr std::string_view kDocument = ".json";

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

std::string stem(const std::string& name, std::string_view end) {
    return name.substr(0, name.size() - end.size());
}
std::string data_name(const std::string& id) {
    return id + std::string(kData);
}
std::string document_name(const std::string& id) {
    return id + std::string(kDocument);
}

Result<void> only_ours(int directory, const std::string& path) {
    struct stat status {};
    if (fstat(directory, &status) != 0)
        return Error::from_errno(errno, path);
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        return Error(ErrorCode::permission,
                     fmt::format("{} must belong to uid {} with mode 0700, not to uid {} with {:04o}", path, geteuid(),
                                 status.st_uid, status.st_mode & 07777));
    return {};
}

} // namespace

Result<Index> Index::open(Disk& disk, int root, const std::string& directory, std::size_t maximum_entries) {
    const Place place = PICKET_TRY(find_place(root, directory));
    if (mkdirat(place.directory.get(), place.name.c_str(), 0700) == 0)
        PICKET_TRY(disk.sync_directory(place.directory.get()));
    else if (errno != EEXIST)
        return Error::from_errno(errno, fmt::format("mkdir {}", directory));
    UniqueFd fd(openat(place.directory.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd)
        return Error::from_errno(errno, fmt::format("open {}", directory));
    PICKET_TRY(only_ours(fd.get(), directory));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        return Error(ErrorCode::conflict, fmt::format("another picket-remedy works in {}", directory));
    Index index(disk, std::move(fd), maximum_entries);
    PICKET_TRY(index.read_ids());
    return index;
}

Result<std::vector<std::string>> Index::names() const {
    UniqueFd fd(openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return Error::from_errno(errno, "open the vault");
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd.get()), closedir);
    if (!stream)
        return Error::from_errno(errno, "read the vault");
    (void)fd.release(); // closedir closes it
    std::vector<std::string> names;
    for (errno = 0; const dirent* entry = readdir(stream.get()); errno = 0) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..")
            names.push_back(name);
    }
    if (errno != 0)
        return Error::from_errno(errno, "read the vault");
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> Index::read_ids() {
    for (const std::string& name : PICKET_TRY(names()))
        if (ends_with(name, kDocument) && is_entry_id(stem(name, kDocument)))
            ids_.push_back(stem(name, kDocument));
    std::sort(ids_.begin(), ids_.end());
    return {};
}

Result<UniqueFd> Index::create_data(const std::string& id) {
    if (ids_.size() >= maximum_entries_)
        return Error(ErrorCode::exhausted, fmt::format("the vault holds its limit of {} files", maximum_entries_));
    if (std::binary_search(ids_.begin(), ids_.end(), id))
        return Error(ErrorCode::conflict, fmt::format("quarantine id {} is taken", id));
    return disk_.open_at(directory_.get(), data_name(id), O_WRONLY | O_CREAT | O_EXCL, 0600);
}

Result<UniqueFd> Index::open_data(const std::string& id) const {
    return disk_.open_at(directory_.get(), data_name(id), O_RDONLY | O_NONBLOCK);
}

Result<void> Index::save(const Entry& entry) {
    const std::string temporary = random_name("picket-new-");
    const auto write = [&]() -> Result<void> {
        const UniqueFd fd = PICKET_TRY(disk_.open_at(directory_.get(), temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
        PICKET_TRY(disk_.write(fd.get(), as_bytes(to_document(entry))));
        PICKET_TRY(disk_.sync(fd.get()));
        return disk_.rename_at(directory_.get(), temporary, document_name(entry.id), IfTaken::replace);
    };
    if (const auto written = write(); !written) {
        (void)disk_.unlink_at(directory_.get(), temporary);
        return written.error().with_context(fmt::format("index of {}", entry.id));
    }
    const auto place = std::lower_bound(ids_.begin(), ids_.end(), entry.id);
    if (place == ids_.end() || *place != entry.id)
        ids_.insert(place, entry.id);
    return disk_.sync_directory(directory_.get());
}

Result<Entry> Index::load(const std::string& id) const {
    const UniqueFd fd = PICKET_TRY(disk_.open_at(directory_.get(), document_name(id), O_RDONLY | O_NONBLOCK));
    const struct stat status = PICKET_TRY(disk_.status_of(fd.get()));
    if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) > kMaximumDocument.count)
        return Error(ErrorCode::corrupt, fmt::format("{}.json is no document of ours", id));
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    text.resize(PICKET_TRY(disk_.read_at(fd.get(), reinterpret_cast<Byte*>(text.data()), text.size(), 0)));
    return parse_entry(id, text);
}

Result<void> Index::drop(const std::string& id) {
    if (auto removed = disk_.unlink_at(directory_.get(), document_name(id));
        !removed && removed.error().errno_value() != ENOENT)
        return removed;
    ids_.erase(std::remove(ids_.begin(), ids_.end(), id), ids_.end());
    PICKET_TRY(disk_.sync_directory(directory_.get()));
    return drop_data(id);
}

Result<void> Index::drop_data(const std::string& id) {
    const auto removed = disk_.unlink_at(directory_.get(), data_name(id));
    return removed || removed.error().errno_value() == ENOENT ? Result<void>() : removed;
}

Result<std::vector<std::string>> Index::leftovers() const {
    std::vector<std::string> found;
    for (const std::string& name : PICKET_TRY(names())) {
        const bool orphan = ends_with(name, kData) && is_entry_id(stem(name, kData)) &&
                            !std::binary_search(ids_.begin(), ids_.end(), stem(name, kData));
        if (orphan || name.rfind("picket-new-", 0) == 0)
            found.push_back(name);
    }
    return found;
}

Result<void> Index::remove_leftover(const std::string& name) {
    return disk_.unlink_at(directory_.get(), name);
}

} // namespace picket::remedy
