#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/model/paths.h>
#include <picket/updates/updater.h>

/// From the mirror, or from a generation that has the same bytes, into a generation of its own.
namespace picket::updates {
namespace {

constexpr std::string_view kPartSuffix = ".part";
constexpr Bytes kSpareSpace = mebibytes(64); ///< stays free
constexpr Bytes kLargestSet = gibibytes(4);
constexpr std::chrono::seconds kTextWithin{60};
constexpr std::chrono::seconds kFileWithin{3'000};
constexpr long kRangeNotSatisfiable = 416;

std::string part_path(const trust::SetFile& file) {
    return fmt::format("{}/{}{}", paths::kIncomingDefinitions, file.sha256, kPartSuffix);
}

std::uint64_t size_of(int fd) {
    struct stat status {};
    return fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Result<bool> is_whole(int fd, const trust::SetFile& file) {
    if (size_of(fd) != file.size.count)
        return false;
    const auto digest = PICKET_TRY(crypto::sha256_of(fd, definitions::kMaximumFileSize));
    return to_hex(digest.sha256) == file.sha256;
}

bool is_answer(long status) {
    return status == 200 || status == 206 || status == 304 || status == kRangeNotSatisfiable;
}

} // namespace

Result<Fetcher::Answer> Updater::fetch(Fetcher::Request request) {
    request.proxy = site_.proxy;
    request.no_proxy = site_.no_proxy;
    request.ca_certificates = site_.ca_certificates;
    const std::string url = request.url;
    const auto answer = fetcher_.fetch(request);
    if (!answer)
        return answer.error().with_context(url);
    received_ += answer->received;
    if (is_answer(answer->status))
        return *answer;
    retry_after_ = answer->retry_after;
    return Error(ErrorCode::unavailable,
                 answer->status == 407
                     ? fmt::format("{}: the proxy asks for a password, which is not supported: let it admit this host "
                                   "by address",
                                   url)
                     : fmt::format("{}: the server answers {}", url, answer->status));
}

Result<Updater::Text> Updater::fetch_text(const std::string& name, Bytes limit, const std::string& if_none_match) {
    const UniqueFd file = PICKET_TRY(sys::memory_file("", "picket-mirror"));
    Text text;
    text.answer = PICKET_TRY(fetch({.url = fmt::format("{}/{}", site_.url, name),
                                    .output = file.get(),
                                    .limit = limit,
                                    .if_none_match = if_none_match,
                                    .time_limit = kTextWithin}));
    if (text.answer.status == 304 && if_none_match.empty())
        return Error(ErrorCode::corrupt, fmt::format("{}/{}: \"not modified\", and nobody asked", site_.url, name));
    if (lseek(file.get(), 0, SEEK_SET) != 0)
        return Error::from_errno(errno, name);
    text.text = PICKET_TRY(sys::read_all(file.get(), limit));
    return text;
}

Result<void> Updater::check_files(const trust::DefinitionSet& set) const {
    std::uint64_t total = 0;
    for (const trust::SetFile& file : set.files) {
        if (!definitions::is_definition_file(file.name))
            return Error(ErrorCode::invalid_input,
                         fmt::format("{} in the set is no definition file", escape_for_display(file.name)));
        if (file.size > definitions::kMaximumFileSize)
            return Error(ErrorCode::invalid_input, fmt::format("{} in the set is too large", file.name));
        total += file.size.count;
    }
    if (total > kLargestSet.count)
        return Error(ErrorCode::invalid_input, fmt::format("the set is larger than {}", to_human(kLargestSet)));
    return {};
}

/// What is downloaded lies there twice for a while: as it came, and in its generation.
Result<void> Updater::check_space(const trust::DefinitionSet& set) const {
    std::uint64_t needed = kSpareSpace.count;
    for (const trust::SetFile& file : set.files)
        needed += file.size.count * (find_on_disk(file) ? 1 : 2);
    const UniqueFd directory = PICKET_TRY(root_.open_file(paths::kIncomingDefinitions, O_RDONLY | O_DIRECTORY));
    struct statvfs status {};
    if (fstatvfs(directory.get(), &status) != 0)
        return Error::from_errno(errno, "looking for space");
    const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
    if (free < needed)
        return Error(ErrorCode::exhausted,
                     fmt::format("the new definitions need {} in {}, {} are free", to_human(Bytes{needed}),
                                 paths::kDefinitionsDirectory, to_human(Bytes{free})));
    return {};
}

Result<Outcome> Updater::bring_in(const Offer& offer) {
    PICKET_TRY(check_files(offer.set));
    PICKET_TRY(root_.make_directories(paths::kIncomingDefinitions, 0700));
    clean_incoming(offer.set);
    PICKET_TRY(check_space(offer.set));
    std::vector<UniqueFd> open_files;
    std::vector<definitions::InputFile> inputs;
    for (const trust::SetFile& file : offer.set.files) {
        open_files.push_back(PICKET_TRY(obtain(file)));
        inputs.push_back({.name = file.name, .fd = open_files.back().get(), .sha256 = file.sha256});
    }
    data::Json origin = to_json(offer.record);
    origin["organisation_key"] = memory_.organisation_key;
    const auto installed = store_.install(offer.record.generation, inputs, site_.url, offer.set.issued, origin);
    if (!installed)
        return installed.error();
    memory_.candidate = offer.record;
    memory_.going_back_to.clear();
    memory_.held.reset();
    PICKET_TRY(save());
    PICKET_TRY(store_.set_candidate(offer.record.generation));
    return Outcome{
        .status = Outcome::Status::candidate, .generation = offer.record.generation, .version = offer.record.version};
}

Result<UniqueFd> Updater::obtain(const trust::SetFile& file) {
    if (auto found = find_on_disk(file))
        return std::move(*found);
    return download(file);
}

std::optional<UniqueFd> Updater::find_on_disk(const trust::SetFile& file) const {
    for (const std::string& name : store_.list().value_or(std::vector<std::string>{})) {
        const auto generation = store_.describe(name);
        if (!generation)
            continue;
        for (const definitions::FileRecord& record : generation->files) {
            if (record.sha256 != file.sha256)
                continue;
            auto fd = root_.open_file(store_.path_of(name) + "/" + record.name, O_RDONLY);
            if (fd && is_whole(fd->get(), file).value_or(false))
                return std::move(*fd);
        }
    }
    return std::nullopt;
}

/// Goes on where an earlier attempt ended; what turns out wrong is begun anew, once.
Result<UniqueFd> Updater::download(const trust::SetFile& file) {
    const std::string path = part_path(file);
    auto part = root_.open_file(path, O_RDWR | O_CREAT, 0600);
    if (!part) { // e.g. real-time protection has an opinion of half a file
        PICKET_TRY(root_.remove(path));
        part = PICKET_TRY(root_.open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    }
    for (bool again = true;; again = false) {
        const std::uint64_t there = size_of(part->get());
        if (there != file.size.count)
            PICKET_TRY(fetch({.url = fmt::format("{}/{}/{}", site_.url, trust::kSetFilesFolder, file.sha256),
                              .output = part->get(),
                              .limit = file.size,
                              .offset = there < file.size.count ? there : 0,
                              .time_limit = kFileWithin}));
        if (PICKET_TRY(is_whole(part->get(), file)))
            return std::move(*part);
        if (ftruncate(part->get(), 0) != 0)
            return Error::from_errno(errno, path);
        if (there == 0 || !again)
            return Error(ErrorCode::corrupt, fmt::format("{}/{}/{}: what came is not {} as it was signed", site_.url,
                                                         trust::kSetFilesFolder, file.sha256, file.name));
    }
}

/// Parts of files that nobody wants any more; with an empty set all of them.
void Updater::clean_incoming(const trust::DefinitionSet& keep) const {
    const auto names = root_.list(paths::kIncomingDefinitions, 10'000);
    if (!names)
        return;
    for (const std::string& name : *names) {
        const bool wanted = std::any_of(keep.files.begin(), keep.files.end(), [&](const trust::SetFile& file) {
            return name == file.sha256 + std::string(kPartSuffix);
        });
        if (!wanted && name.ends_with(kPartSuffix))
            (void)root_.remove(fmt::format("{}/{}", paths::kIncomingDefinitions, name));
    }
}

} // namespace picket::updates
