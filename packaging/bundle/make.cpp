#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/random.h>
#include <picket/sys/file.h>
#include <picket/trust/bundle.h>
#include <picket/trust/onboarding.h>
#include <picket/trust/time_text.h>

#include "context.h"

namespace picket::bundle {
namespace {

Result<UniqueFd> open_input(const std::string& path) {
    UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0)
        return Error::from_errno(errno, escape_for_display(path));
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, fmt::format("{}: not a regular file", escape_for_display(path)));
    return file;
}

Result<WallTime> build_date() {
    const char* const epoch = std::getenv("SOURCE_DATE_EPOCH");
    if (epoch == nullptr)
        return WallTime(std::chrono::floor<std::chrono::seconds>(SystemClock().wall()));
    const auto seconds = parse_unsigned(epoch);
    if (!seconds || *seconds > 9'000'000'000)
        return Error(ErrorCode::invalid_input, "SOURCE_DATE_EPOCH: seconds since 1970 are expected");
    return WallTime(std::chrono::seconds(*seconds));
}

struct Inputs {
    UniqueFd installer;
    std::vector<std::pair<std::string, UniqueFd>> files;
};

Result<Inputs> open_inputs(const command_line::Invocation& invocation) {
    Inputs inputs;
    inputs.installer = PICKET_TRY(open_input(invocation.get("--installer")));
    for (const std::string& argument : invocation.all("--file")) {
        const auto equals = argument.find('=');
        if (equals == std::string::npos)
            return Error(ErrorCode::invalid_input,
                         fmt::format("--file {}: NAME=PATH is expected", escape_for_display(argument)));
        inputs.files.emplace_back(argument.substr(0, equals), PICKET_TRY(open_input(argument.substr(equals + 1))));
    }
    return inputs;
}

Result<trust::BundleRequest> request_from(const command_line::Invocation& invocation, const Inputs& inputs) {
    trust::BundleRequest request;
    request.version = invocation.get("--version");
    request.architecture = invocation.get("--architecture");
    request.build_date = PICKET_TRY(build_date());
    const auto expires = trust::parse_time(invocation.get("--expires"));
    if (!expires)
        return Error(ErrorCode::invalid_input, fmt::format("--expires {}: a date like 2027-08-21 is expected",
                                                           escape_for_display(invocation.get("--expires"))));
    request.expires = *expires;
    request.installer_fd = inputs.installer.get();
    for (const auto& [name, file] : inputs.files)
        request.files.push_back({name, file.get()});
    return request;
}

/// Under another name until it is whole.
Result<void> write_bundle(const std::string& path, const trust::BundleRequest& request, const crypto::SecretKey& key) {
    const std::string temporary = fmt::format("{}.{}.tmp", path, to_hex(crypto::random_bytes(4)));
    const UniqueFd output(open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!output)
        return Error::from_errno(errno, fmt::format("create {}", escape_for_display(path)));
    ScopeExit cleanup([&] { unlink(temporary.c_str()); });
    PICKET_TRY(trust::build_bundle(request, key, output.get()));
    if (rename(temporary.c_str(), path.c_str()) != 0)
        return Error::from_errno(errno, fmt::format("rename {}", escape_for_display(path)));
    cleanup.dismiss();
    return {};
}

/// For who gets the installer on its own: minisign -V -p release-1.pub -m picket-installer
Result<std::string> sign_installer(const std::string& bundle_path, const trust::BundleRequest& request,
                                   const crypto::SecretKey& key) {
    if (lseek(request.installer_fd, 0, SEEK_SET) != 0)
        return Error::from_errno(errno, "seek");
    const std::string program = PICKET_TRY(sys::read_all(request.installer_fd, mebibytes(512)));
    const std::string signature = PICKET_TRY(
        key.sign(as_bytes(program), fmt::format("picket-installer {} {}", request.version, request.architecture)));
    const std::string directory = bundle_path.substr(0, bundle_path.rfind('/') + 1);
    const std::string name = std::string(trust::kBundleInstallerName) + ".minisig";
    const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return Error::from_errno(errno, escape_for_display(directory));
    PICKET_TRY(sys::write_atomically_at(fd.get(), name, signature, 0644));
    return directory + name;
}

} // namespace

Result<data::Json> run_make(const Context& context) {
    const command_line::Invocation& invocation = context.invocation;
    const std::string directory = PICKET_TRY(key_directory(invocation.get("--key-directory")));
    const Inputs inputs = PICKET_TRY(open_inputs(invocation));
    trust::BundleRequest request = PICKET_TRY(request_from(invocation, inputs));
    const crypto::SecretKey key = PICKET_TRY(release_key(directory, kCurrentKey));
    const crypto::SecretKey next = PICKET_TRY(release_key(directory, kNextKey));
    request.next_release_key = next.public_key();
    const std::string output = command_line::absolute_path(invocation.get("--output"));
    PICKET_TRY(write_bundle(output, request, key));
    const std::string signature = PICKET_TRY(sign_installer(output, request, key));
    return data::Json{{"file", output},
                      {"installer_signature", signature},
                      {"files", request.files.size() + 1},
                      {"key_id", crypto::to_text(key.public_key().id)},
                      {"expires", to_rfc3339(request.expires)}};
}

Result<data::Json> run_verify(const Context& context) {
    trust::BundleOptions options;
    options.now = SystemClock().wall();
    for (const std::string& argument : context.invocation.all("--trust-key"))
        options.trusted_keys.push_back(PICKET_TRY(trust::read_key_argument(argument)));
    const auto bundle = PICKET_TRY(trust::verify_bundle(context.invocation.get("FILE"), options));
    data::Json files = data::Json::array();
    for (const trust::BundleFile& file : bundle.manifest.files)
        files.push_back(file.name);
    return data::Json{{"version", bundle.manifest.version},
                      {"architecture", bundle.manifest.architecture},
                      {"build_date", to_rfc3339(bundle.manifest.build_date)},
                      {"expires", to_rfc3339(bundle.manifest.expires)},
                      {"signed_by", crypto::to_text(bundle.signed_by.id)},
                      {"files", std::move(files)},
                      {"warnings", data::Json(bundle.warnings)}};
}

} // namespace picket::bundle
