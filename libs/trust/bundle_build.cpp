#include <picket/trust/bundle.h>

#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/archive/writer.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>

#include "bundle_limits.h"
#include "bundle_manifest.h"

namespace picket::trust {
namespace {

Result<FileRecord> record_of(const std::string& name, int fd) {
    const auto digest = crypto::sha256_of(fd, bundle_limits().entry);
    if (!digest)
        return digest.error().with_context(name);
    return FileRecord{to_hex(digest->sha256), digest->size.count};
}

Result<FileRecords> records_of(const BundleRequest& request) {
    FileRecords records;
    records.emplace(kBundleInstallerName, PICKET_TRY(record_of(kBundleInstallerName, request.installer_fd)));
    for (const BundleSource& source : request.files) {
        if (!archive::is_safe_name(source.name) || source.name == kManifestName || source.name == kSignatureName)
            return Error(ErrorCode::invalid_input,
                         fmt::format("\"{}\" cannot be a file's name in a bundle", escape_for_display(source.name)));
        if (!records.emplace(source.name, PICKET_TRY(record_of(source.name, source.fd))).second)
            return Error(ErrorCode::invalid_input, fmt::format("{} is given twice", source.name));
    }
    return records;
}

} // namespace

Result<void> build_bundle(const BundleRequest& request, const crypto::SecretKey& key, int output_fd) {
    PICKET_TRY(check_version(request.version));
    PICKET_TRY(check_version(request.architecture));
    if (request.expires <= request.build_date)
        return Error(ErrorCode::invalid_input, "a bundle must expire after it is built");
    const std::string manifest = bundle_manifest_text(request, key.public_key(), PICKET_TRY(records_of(request)));
    const std::string signature = PICKET_TRY(
        key.sign(as_bytes(manifest), fmt::format("{} {} {}", kBundlePurpose, request.version, request.architecture)));
    auto writer = PICKET_TRY(archive::Writer::create(output_fd, archive::Format::tar_gz));
    PICKET_TRY(writer.add_file(kBundleInstallerName, request.installer_fd, 0755));
    PICKET_TRY(writer.add(kManifestName, manifest));
    PICKET_TRY(writer.add(kSignatureName, signature));
    for (const BundleSource& source : request.files)
        PICKET_TRY(writer.add_file(source.name, source.fd));
    PICKET_TRY(writer.finish());
    PICKET_TRY(append_seal(output_fd, archive::Format::tar_gz));
    if (fsync(output_fd) != 0 && errno != EINVAL)
        return Error::from_errno(errno, "fsync");
    return {};
}

} // namespace picket::trust
