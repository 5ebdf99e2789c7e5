#include <picket/project/files.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/data/json.h>

namespace picket::project {
namespace {

constexpr Bytes kFileLimit = gibibytes(1);
constexpr std::size_t kNamed = 4;

using Digests = std::map<std::string, std::string>;

std::string in_folder(const std::string& path) {
    return "/" + path;
}

Result<std::string> digest_of(const ProjectFile& file) {
    if (file.source < 0)
        return crypto::sha256_hex(file.content);
    return to_hex(PICKET_TRY(crypto::sha256_of(file.source, kFileLimit)).sha256);
}

/// "" where there is none; "other" where it is no file that we could have written.
std::string digest_there(const sys::Root& folder, const std::string& path) {
    const auto status = folder.status(in_folder(path));
    if (!status)
        return status.error().code() == ErrorCode::not_found ? "" : "other";
    if (!S_ISREG(status->st_mode))
        return "other";
    const auto fd = folder.open_file(in_folder(path), O_RDONLY | O_NONBLOCK);
    const auto digest = fd ? crypto::sha256_of(fd->get(), kFileLimit) : fd.error();
    return digest ? to_hex(digest->sha256) : "other";
}

Result<Digests> read_record(const sys::Root& folder, const std::string& kind) {
    const auto text = folder.read(in_folder(kRecord), mebibytes(4));
    if (!text && text.error().code() == ErrorCode::not_found)
        return Digests{};
    if (!text)
        return text.error();
    const auto record = data::parse_json(*text, {.size = mebibytes(4)});
    if (!record)
        return Error(ErrorCode::conflict, fmt::format("{} is damaged: {}", kRecord, record.error().message()));
    const std::string other = data::string_or(*record, "kind", "");
    if (other != kind)
        return Error(ErrorCode::conflict,
                     fmt::format("this folder holds an export of another kind: {}", escape_for_display(other)));
    Digests digests;
    for (const auto& [path, digest] : data::member(*record, "files").items())
        if (const auto* value = digest.get_ptr<const std::string*>())
            digests[path] = *value;
    return digests;
}

Result<void> write_record(const sys::Root& folder, const std::string& kind, const Digests& digests) {
    const data::Json record = {{"schema", 1}, {"kind", kind}, {"files", digests}};
    return folder.write_atomically(in_folder(kRecord), data::to_pretty_text(record) + "\n", 0644);
}

Result<void> copy_all(int from, int to) {
    std::array<char, 1 << 16> buffer{};
    for (off_t at = 0;;) {
        const ssize_t got = pread(from, buffer.data(), buffer.size(), at);
        if (got < 0)
            return Error::from_errno(errno, "read");
        if (got == 0)
            break;
        PICKET_TRY(sys::write_all(to, {buffer.data(), static_cast<std::size_t>(got)}));
        at += got;
    }
    return fsync(to) == 0 ? Result<void>() : Error::from_errno(errno, "fsync");
}

/// As Root::write_atomically, for files that are too large for memory.
Result<void> copy_file(const sys::Root& folder, const ProjectFile& file) {
    const auto parent = PICKET_TRY(folder.open_parent(in_folder(file.path)));
    const int directory = parent.directory.get();
    const std::string part = "." + parent.name + ".tmp";
    unlinkat(directory, part.c_str(), 0); // of a run that was killed
    const UniqueFd out(openat(directory, part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!out)
        return Error::from_errno(errno, "create");
    ScopeExit clean_up([&] { unlinkat(directory, part.c_str(), 0); });
    PICKET_TRY(copy_all(file.source, out.get()));
    if (fchmod(out.get(), file.mode) != 0 || renameat(directory, part.c_str(), directory, parent.name.c_str()) != 0)
        return Error::from_errno(errno, "rename");
    clean_up.dismiss();
    return {};
}

/// Where files are for a group, nobody else gets them, not for a moment.
Result<void> give_to_group(const sys::Root& folder, const ProjectFile& file) {
    if (file.group == static_cast<gid_t>(-1))
        return {};
    const UniqueFd fd = PICKET_TRY(folder.open_file(in_folder(file.path), O_RDONLY));
    if (fchown(fd.get(), static_cast<uid_t>(-1), file.group) != 0 || fchmod(fd.get(), file.mode | 0040) != 0)
        return Error::from_errno(errno, "change the group");
    return {};
}

Result<void> write_file(const sys::Root& folder, const ProjectFile& file) {
    const auto slash = file.path.rfind('/');
    if (slash != std::string::npos)
        PICKET_TRY(folder.make_directories(in_folder(file.path.substr(0, slash)), 0755));
    if (file.source >= 0)
        PICKET_TRY(copy_file(folder, file));
    else
        PICKET_TRY(folder.write_atomically(in_folder(file.path), file.content, file.mode));
    return give_to_group(folder, file);
}

Error refusal(const std::vector<std::string>& foreign) {
    std::vector<std::string> named;
    for (std::size_t i = 0; i < std::min(foreign.size(), kNamed); ++i)
        named.push_back(escape_for_display(foreign[i]));
    const std::string more =
        foreign.size() > kNamed ? fmt::format(" and {} more", foreign.size() - kNamed) : std::string();
    return {ErrorCode::conflict,
            fmt::format("{}{}: not written by an export, and not overwritten", join(named, ", "), more)};
}

struct Plan {
    std::vector<const ProjectFile*> to_write;
    std::vector<std::string> foreign;
    Digests record;
    Written written;
};

Result<Plan> plan_of(const sys::Root& folder, const std::vector<ProjectFile>& files, const Digests& before) {
    Plan plan;
    for (const ProjectFile& file : files) {
        const auto recorded = before.find(file.path);
        if (file.as_it_is && recorded != before.end()) {
            plan.record.insert(*recorded);
            plan.written.kept.push_back(file.path);
            continue;
        }
        const std::string wanted = PICKET_TRY(digest_of(file));
        const std::string there = digest_there(folder, file.path);
        // Of what is kept, too: what an export would have changed there is told once.
        plan.record[file.path] = wanted;
        if (there == wanted) {
            ++plan.written.unchanged;
        } else if (there.empty() || (recorded != before.end() && recorded->second == there)) {
            plan.to_write.push_back(&file);
        } else if (recorded != before.end()) {
            (recorded->second == wanted ? plan.written.kept : plan.written.outdated).push_back(file.path);
        } else {
            plan.foreign.push_back(file.path);
        }
    }
    return plan;
}

/// A folder that gets empty goes, too.
Result<void> remove_file(const sys::Root& folder, std::string path) {
    PICKET_TRY(folder.remove(in_folder(path)));
    for (auto slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/')) {
        path.resize(slash);
        if (!folder.remove(in_folder(path)))
            break;
    }
    return {};
}

Result<void> remove_former(const sys::Root& folder, const Digests& before, const Digests& now, Written& written) {
    for (const auto& [path, digest] : before) {
        if (now.contains(path))
            continue;
        const std::string there = digest_there(folder, path);
        if (there == digest) {
            PICKET_TRY(remove_file(folder, path));
            written.removed.push_back(path);
        } else if (!there.empty()) {
            written.unused.push_back(path);
        }
    }
    return {};
}

} // namespace

Result<Written> write_files(const sys::Root& folder, const std::string& kind, const std::vector<ProjectFile>& files) {
    const Digests before = PICKET_TRY(read_record(folder, kind));
    Plan plan = PICKET_TRY(plan_of(folder, files, before));
    if (!plan.foreign.empty())
        return refusal(plan.foreign);
    for (const ProjectFile* file : plan.to_write) {
        if (const auto done = write_file(folder, *file); !done)
            return done.error().with_context(escape_for_display(file->path));
        plan.written.written.push_back(file->path);
    }
    PICKET_TRY(remove_former(folder, before, plan.record, plan.written));
    PICKET_TRY(write_record(folder, kind, plan.record));
    return std::move(plan.written);
}

} // namespace picket::project
