#include "package_guard.h"

#include <picket/base/text.h>
#include <picket/crypto/digest.h>

namespace picket::daemon {
namespace {

constexpr Bytes kDigestLimit = gibibytes(4);

/// Empty where it cannot be told: then the file is no exception.
std::string digest_of(int file, sys::RecordedDigestKind kind) {
    if (kind == sys::RecordedDigestKind::md5)
        return crypto::md5_hex_of(file, kDigestLimit).value_or("");
    const auto digest = crypto::sha256_of(file, kDigestLimit);
    return digest ? to_hex(digest->sha256) : std::string();
}

} // namespace

std::string PackageGuard::find(const std::string& path, int file) {
    if (!files_)
        return "";
    const auto record = files_->find(path);
    if (!record || record->digest != digest_of(file, record->digest_kind))
        return "";
    ++found_;
    return record->package;
}

} // namespace picket::daemon
