#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/definitions/store.h>

#include "manifest.h"

/// What changes the store by whole generations: install, verify, prune.
namespace picket::definitions {
namespace {

constexpr std::string_view kNewPrefix = ".new-";
constexpr mode_t kDirectoryMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr std::size_t kBlock = 1U << 20;

Result<void> check_input(const std::string& name, const std::vector<InputFile>& files) {
    if (!is_generation_name(name))
        return Error(ErrorCode::invalid_input, fmt::format("'{}' is no name for a generation: letters, digits, '.' and "
                                                           "'-', at most 63",
                                                           escape_for_display(name)));
    if (files.empty() || files.size() > kMaximumFiles)
        return Error(ErrorCode::invalid_input,
                     fmt::format("a generation has 1 to {} files, not {}", kMaximumFiles, files.size()));
    std::set<std::string> seen;
    for (const InputFile& file : files) {
        if (!is_definition_file(file.name))
            return Error(ErrorCode::invalid_input, fmt::format("'{}' is no definition file (.cvd, .ndb, .hdb, .yar …)",
                                                               escape_for_display(file.name)));
        if (!seen.insert(file.name).second)
            return Error(ErrorCode::invalid_input, fmt::format("{} is there twice", file.name));
    }
    return {};
}

/// Hands the file's bytes on in blocks: a .cvd has hundreds of megabytes.
template <typename Consume>
Result<void> for_each_block(const InputFile& file, Consume consume) {
    if (file.fd < 0)
        return consume(std::string_view(file.content));
    std::string block(kBlock, '\0');
    std::uint64_t offset = 0;
    while (true) {
        const ssize_t got = pread(file.fd, block.data(), block.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(errno, fmt::format("reading {}", file.name));
        if (got == 0)
            return {};
        offset += static_cast<std::uint64_t>(got);
        if (offset > kMaximumFileSize.count)
            return Error(ErrorCode::exhausted,
                         fmt::format("{} is larger than {}", file.name, to_human(kMaximumFileSize)));
        PICKET_TRY(consume(std::string_view(block.data(), static_cast<std::size_t>(got))));
    }
}

bool same_files(const std::vector<FileRecord>& left, const std::vector<FileRecord>& right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](const FileRecord& a, const FileRecord& b) {
                          return a.name == b.name && a.sha256 == b.sha256 && a.size == b.size;
                      });
}

} // namespace

Result<FileRecord> Store::copy_file(const InputFile& file, const std::string& folder) const {
    const UniqueFd out = PICKET_TRY(root_.open_file(folder + "/" + file.name, O_WRONLY | O_CREAT | O_EXCL, kFileMode));
    crypto::Sha256 digest;
    SignatureCounter counter(file.name);
    FileRecord record{file.name, "", 0, 0};
    PICKET_TRY(for_each_block(file, [&](std::string_view block) -> Result<void> {
        digest.update(block);
        counter.update(block);
        record.size += block.size();
        return sys::write_all(out.get(), block);
    }));
    // The engine's user reads it whatever umask we have.
    if (fchmod(out.get(), kFileMode) != 0 || fsync(out.get()) != 0)
        return Error::from_errno(errno, fmt::format("writing {}", file.name));
    record.sha256 = to_hex(digest.finish());
    if (!file.sha256.empty() && file.sha256 != record.sha256)
        return Error(ErrorCode::corrupt, fmt::format("{} is not what was signed", file.name));
    record.signatures = counter.count();
    return record;
}

/// One level, by the names that a generation may have: what else lies there stays, and the folder with it.
Result<void> Store::remove_generation_folder(const std::string& path) const {
    for (const std::string& name : PICKET_TRY(root_.list(path, kMaximumFiles + 2)))
        if (is_definition_file(name) || name == kManifestName)
            PICKET_TRY(root_.remove(path + "/" + name));
    PICKET_TRY(root_.remove(path));
    return {};
}

Result<Generation> Store::install(const std::string& name, const std::vector<InputFile>& files, std::string_view source,
                                  WallTime created, data::Json origin) const {
    PICKET_TRY(check_input(name, files));
    PICKET_TRY(root_.make_directories(directory_ + "/generations", kDirectoryMode));
    const UniqueFd held = PICKET_TRY(lock());
    const std::string folder = directory_ + "/generations/" + std::string(kNewPrefix) + name;
    if (root_.exists(folder)) // of an install that was killed
        PICKET_TRY(remove_generation_folder(folder));
    PICKET_TRY(root_.make_directories(folder, kDirectoryMode));
    ScopeExit clean_up([&] { (void)remove_generation_folder(folder).has_value(); });

    Generation generation{name, to_rfc3339(created), std::string(source), std::move(origin), {}};
    for (const InputFile& file : files)
        generation.files.push_back(PICKET_TRY(copy_file(file, folder)));
    std::sort(generation.files.begin(), generation.files.end(),
              [](const FileRecord& a, const FileRecord& b) { return a.name < b.name; });
    if (root_.exists(path_of(name))) {
        const auto there = describe(name);
        if (there && same_files(there->files, generation.files))
            return *there;
        return Error(ErrorCode::conflict, fmt::format("generation {} is there already, with other content", name));
    }
    PICKET_TRY(root_.write_atomically(folder + "/" + std::string(kManifestName),
                                      data::to_pretty_text(to_json(generation)), kFileMode));
    PICKET_TRY(rename_and_sync(folder, path_of(name)));
    clean_up.dismiss();
    return generation;
}

Result<void> Store::remove(const std::string& name) const {
    const UniqueFd held = PICKET_TRY(lock());
    if (!is_generation_name(name) || !root_.exists(path_of(name)))
        return {};
    if (const auto now = current(); now && *now == name)
        return Error(ErrorCode::conflict, fmt::format("generation {} is in use", name));
    return remove_generation_folder(path_of(name));
}

Result<void> Store::verify(const std::string& name) const {
    const Generation generation = PICKET_TRY(describe(name));
    const std::vector<std::string> present = PICKET_TRY(files_of(name));
    if (present.size() != generation.files.size())
        return Error(ErrorCode::corrupt, fmt::format("generation {} has {} files, its manifest names {}", name,
                                                     present.size(), generation.files.size()));
    for (const FileRecord& file : generation.files) {
        const auto fd = root_.open_file(path_of(name) + "/" + file.name, O_RDONLY);
        if (!fd)
            return Error(ErrorCode::corrupt, fd.error().message());
        const auto digest = crypto::sha256_of(fd->get(), kMaximumFileSize);
        if (!digest)
            return digest.error().with_context(file.name);
        if (to_hex(digest->sha256) != file.sha256)
            return Error(ErrorCode::corrupt,
                         fmt::format("{} of generation {} is not what was installed", file.name, name));
    }
    return {};
}

Result<std::vector<std::string>> Store::prune(std::size_t keep) const {
    const UniqueFd held = PICKET_TRY(lock());
    const auto now = current();
    std::vector<std::string> removed;
    std::vector<std::string> names = PICKET_TRY(list());
    if (names.size() <= keep)
        return removed;
    names.resize(names.size() - keep);
    for (const std::string& name : names) {
        if (now && *now == name)
            continue;
        PICKET_TRY(remove_generation_folder(path_of(name)));
        removed.push_back(name);
    }
    return removed;
}

} // namespace picket::definitions
