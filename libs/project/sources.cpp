#include "sources.h"

#include <fcntl.h>
#include <filesystem>

#include <fmt/format.h>
#include <picket/archive/reader.h>
#include <picket/base/text.h>
#include <picket/trust/bundle.h>
#include <picket/trust/onboarding.h>

#include "templates.h"

namespace picket::project {
namespace {

using install::Failure;

constexpr Bytes kPackageLimit = mebibytes(16);

Result<UniqueFd> open_input(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return Error::from_errno(errno, "open");
    return fd;
}

Result<std::string> read_package(const std::string& path) {
    const UniqueFd fd = PICKET_TRY(open_input(path));
    return sys::read_all(fd.get(), kPackageLimit);
}

std::optional<Failure> open_package(const Request& request, const std::string& path, Sources& sources) {
    const auto refused = [&path](const Error& error) {
        const bool missing = error.code() == ErrorCode::not_found;
        return install::failure_from(missing ? InstallerExit::onboarding_not_found : InstallerExit::onboarding_refused,
                                     error.with_context(escape_for_display(path)));
    };
    auto bytes = read_package(path);
    if (!bytes)
        return refused(bytes.error());
    const auto fd = sys::memory_file(*bytes);
    if (!fd)
        return refused(fd.error());
    trust::OpenOptions options;
    options.trusted_key = request.trust_key;
    options.now = request.now;
    const auto package = trust::open_onboarding_package(fd->get(), options);
    if (!package)
        return refused(package.error());
    sources.onboarding = std::move(*bytes);
    sources.organisation = escape_for_display(package->organisation.name); // stands in comments
    sources.key = package->key.to_base64();
    sources.key_file = package->key.to_file_text();
    return std::nullopt;
}

} // namespace

std::optional<Failure> open_bundle(const Request& request, Sources& sources) {
    if (request.bundle.empty())
        return Failure{InstallerExit::bundle_refused, "no bundle beside this program nor in the current directory",
                       "Name it with --bundle FILE (picket-VERSION-ARCH.tar.gz)."};
    const auto refused = [&request](const Error& error) {
        return install::failure_from(InstallerExit::bundle_refused,
                                     error.with_context(escape_for_display(request.bundle)));
    };
    auto fd = open_input(request.bundle);
    if (!fd)
        return refused(fd.error());
    trust::BundleOptions options;
    options.trusted_keys = request.release_keys;
    options.now = request.now;
    auto contents = trust::read_bundle(fd->get(), options, [](const std::string& name) {
        return name == trust::kBundleInstallerName || name.starts_with("ansible/") || name.starts_with("puppet/");
    });
    if (!contents)
        return refused(contents.error());
    const trust::BundleManifest& manifest = contents->bundle.manifest;
    sources.bundle = std::move(*fd);
    sources.version = manifest.version;
    sources.bundle_name = fmt::format("picket-{}-{}.tar.gz", manifest.version, manifest.architecture);
    sources.files = std::move(contents->files);
    return std::nullopt;
}

std::optional<Failure> open_sources(const Request& request, const sys::Root& folder, const std::string& package_path,
                                    Sources& sources) {
    if (auto failure = open_bundle(request, sources))
        return failure;
    if (!request.onboarding.empty())
        return open_package(request, request.onboarding, sources);
    if (folder.exists("/" + package_path))
        return open_package(request, folder.label() + "/" + package_path, sources);
    return std::nullopt;
}

Result<Archive> unpack(const Sources& sources, const std::string& directory) {
    Archive archive;
    for (const auto& [name, bytes] : sources.files)
        if (name.starts_with(directory)) {
            archive.name = name.substr(directory.size());
            archive.bytes = bytes;
        }
    if (archive.name.empty())
        return Error(ErrorCode::not_found, fmt::format("the bundle holds nothing in {}", directory));
    const UniqueFd fd = PICKET_TRY(sys::memory_file(archive.bytes));
    for (archive::Entry& entry : PICKET_TRY(archive::read_into_memory(fd.get(), archive::Format::tar_gz, {})))
        archive.files[entry.name] = std::move(entry.content);
    return archive;
}

Result<sys::Root> open_folder(const Request& request) {
    std::error_code error;
    std::filesystem::create_directories(request.folder, error);
    if (error)
        return Error(ErrorCode::invalid_input,
                     fmt::format("{}: {}", escape_for_display(request.folder), error.message()));
    return sys::Root::open(request.folder);
}

void add_templates(std::vector<ProjectFile>& files, const std::string& kind,
                   const std::map<std::string, std::string>& values) {
    for (const Template& each : templates())
        if (each.path.starts_with(kind + "/"))
            files.push_back({std::string(each.path.substr(kind.size() + 1)), filled_in(each.text, values)});
}

Outcome failed(Failure failure) {
    Outcome outcome;
    outcome.failure = std::move(failure);
    return outcome;
}

Outcome finish(const sys::Root& folder, const std::string& kind, const std::vector<ProjectFile>& files,
               std::vector<std::string> next) {
    auto written = write_files(folder, kind, files);
    if (!written && written.error().code() == ErrorCode::conflict)
        return failed({InstallerExit::usage,
                       fmt::format("{}: {}", escape_for_display(folder.label()), written.error().message()),
                       "Name an empty directory, or move them away. Nothing was written."});
    if (!written)
        return failed(install::failure_from(InstallerExit::internal,
                                            written.error().with_context(escape_for_display(folder.label())),
                                            "Remove the cause that is named, then run it again."));
    return {std::nullopt, std::move(*written), std::move(next)};
}

} // namespace picket::project
