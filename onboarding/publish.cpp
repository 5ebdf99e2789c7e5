#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>
#include <picket/definitions/store.h>
#include <picket/sys/file.h>
#include <picket/trust/time_text.h>

#include "context.h"
#include "definitions_signer.h"

/// A mirror directory: files first, under their digests, then what is signed, so that a host that looks in between
/// finds the former set whole.
namespace picket::onboarding {
namespace {

constexpr std::chrono::hours kLife{24 * 14};
constexpr mode_t kDirectoryMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr std::size_t kBlock = 1U << 20;

struct Source {
    std::vector<trust::SetFile> files;
    std::vector<std::string> left_out;
};

/// Digests what it writes.
Result<trust::SetFile> copy_content(const std::string& name, int from, int to) {
    trust::SetFile file{name, "", {}};
    crypto::Sha256 digest;
    std::string block(kBlock, '\0');
    for (;;) {
        const ssize_t got = read(from, block.data(), block.size());
        if (got < 0)
            return Error::from_errno(errno, fmt::format("reading {}", name));
        if (got == 0)
            break;
        const std::string_view part(block.data(), static_cast<std::size_t>(got));
        digest.update(part);
        file.size.count += part.size();
        if (file.size > definitions::kMaximumFileSize)
            return Error(ErrorCode::invalid_input,
                         fmt::format("{} is larger than {}", name, to_human(definitions::kMaximumFileSize)));
        PICKET_TRY(sys::write_all(to, part));
    }
    file.sha256 = to_hex(digest.finish());
    return file;
}

/// It gets its name from its content.
Result<trust::SetFile> copy_in(const std::string& name, int from, const sys::Root& mirror) {
    const std::string temporary = fmt::format("/{}/.{}.new", trust::kSetFilesFolder, name);
    PICKET_TRY(mirror.remove(temporary));
    const UniqueFd to = PICKET_TRY(mirror.open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, kFileMode));
    ScopeExit clean_up([&] { (void)mirror.remove(temporary).has_value(); });
    trust::SetFile file = PICKET_TRY(copy_content(name, from, to.get()));
    if (fchmod(to.get(), kFileMode) != 0 || fsync(to.get()) != 0)
        return Error::from_errno(errno, fmt::format("writing {}", name));
    const auto parent = PICKET_TRY(mirror.open_parent(temporary));
    if (renameat(parent.directory.get(), parent.name.c_str(), parent.directory.get(), file.sha256.c_str()) != 0)
        return Error::from_errno(errno, fmt::format("renaming {}", name));
    clean_up.dismiss();
    return file;
}

Result<Source> copy_all(const std::string& folder, const sys::Root& mirror) {
    const auto source = sys::Root::open(folder);
    if (!source)
        return Error(ErrorCode::invalid_input, source.error().with_context(escape_for_display(folder)).message());
    Source result;
    for (const std::string& name : PICKET_TRY(source->list("/"))) {
        const auto fd = source->open_file("/" + name, O_RDONLY | O_NONBLOCK);
        struct stat status {};
        if (!definitions::is_definition_file(name) || !fd || fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode))
            result.left_out.push_back(escape_for_display(name));
        else
            result.files.push_back(PICKET_TRY(copy_in(name, fd->get(), mirror)));
    }
    if (result.files.empty())
        return Error(ErrorCode::invalid_input, fmt::format("{}: no definition file in it (.cvd, .ndb, .hdb, .yar …)",
                                                           escape_for_display(folder)));
    if (result.files.size() > definitions::kMaximumFiles)
        return Error(ErrorCode::invalid_input,
                     fmt::format("{}: more than {} files", escape_for_display(folder), definitions::kMaximumFiles));
    return result;
}

/// What the former set needs stays for the hosts that are in the middle of it.
void remove_unused(const sys::Root& mirror, const std::vector<trust::SetFile>& files, const std::string& former) {
    for (const std::string& name :
         mirror.list(std::string("/") + trust::kSetFilesFolder).value_or(std::vector<std::string>{})) {
        const bool used =
            std::any_of(files.begin(), files.end(), [&](const trust::SetFile& file) { return file.sha256 == name; });
        if (!used && name.size() == 64 && former.find(name) == std::string::npos)
            (void)mirror.remove(fmt::format("/{}/{}", trust::kSetFilesFolder, name)).has_value();
    }
}

Result<void> write_signed(const sys::Root& mirror, const std::string& name, const trust::SignedText& content) {
    PICKET_TRY(mirror.write_atomically("/" + name, content.text, kFileMode));
    return mirror.write_atomically("/" + name + trust::kSignatureSuffix, content.signature, kFileMode);
}

Result<sys::Root> open_mirror(const std::string& path) {
    if (mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
        return Error::from_errno(errno, escape_for_display(path));
    auto mirror = PICKET_TRY(sys::Root::open(path));
    PICKET_TRY(mirror.make_directories(std::string("/") + trust::kSetFilesFolder, kDirectoryMode));
    return mirror;
}

Result<std::chrono::seconds> life_of(const command_line::Invocation& invocation) {
    if (!invocation.has("--ttl"))
        return std::chrono::seconds(kLife);
    const auto life = trust::parse_duration(invocation.get("--ttl"));
    if (!life)
        return Error(ErrorCode::invalid_input, fmt::format("--ttl {}: a time like 14d, 12h or 30m is expected",
                                                           escape_for_display(invocation.get("--ttl"))));
    return *life;
}

Result<data::Json> publish(const command_line::Invocation& invocation) {
    const WallTime now = std::chrono::floor<std::chrono::seconds>(SystemClock().wall());
    const std::chrono::seconds life = PICKET_TRY(life_of(invocation));
    const std::string home = PICKET_TRY(organisation_path(invocation.get("--directory")));
    const OrganisationDirectory organisation = PICKET_TRY(load_organisation(home));
    const std::string path = invocation.get("DIR");
    const sys::Root mirror = PICKET_TRY(open_mirror(path));
    const Source source = PICKET_TRY(copy_all(invocation.get("--from"), mirror));
    auto signer = PICKET_TRY(DefinitionsSigner::open(
        organisation, {invocation.has("--rotate-key"), invocation.get("--passphrase-file")}, now));
    const trust::SignedText set =
        PICKET_TRY(signer.sign({.version = 0, .issued = now, .expires = now + life, .files = source.files}));
    const std::string former =
        mirror.read(std::string("/") + trust::kSetManifestName, trust::kLargestSetManifest).value_or("");
    PICKET_TRY(write_signed(mirror, trust::kKeyListName, signer.key_list()));
    PICKET_TRY(write_signed(mirror, trust::kSetManifestName, set));
    remove_unused(mirror, source.files, former);
    return data::Json{{"directory", path},
                      {"version", signer.set_version()},
                      {"files", source.files.size()},
                      {"left_out", data::Json(source.left_out)},
                      {"expires", to_rfc3339(now + life)},
                      {"key_id", crypto::to_text(signer.public_key().id)}};
}

} // namespace

int run_publish(const Context& context) {
    const auto published = publish(context.invocation);
    if (!published)
        return fail(context, published.error());
    return show(context, "definitions_published", *published,
                {"directory", "version", "files", "left_out", "expires", "key_id"});
}

} // namespace picket::onboarding
