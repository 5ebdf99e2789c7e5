#include "package_guard.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/sys/packages.h>

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

/// Where a file that is missing may end the host; users cannot write there.
bool is_below_system_folder(std::string_view path) {
    static constexpr std::array<std::string_view, 8> kFolders{"/usr/",   "/bin/",   "/sbin/", "/lib/",
                                                              "/lib64/", "/lib32/", "/boot/", "/etc/"};
    return std::any_of(kFolders.begin(), kFolders.end(),
                       [&](std::string_view folder) { return path.starts_with(folder); });
}

class RemoteFiles final : public sys::PackageFiles {
  public:
    explicit RemoteFiles(const RemedyClient& remedy) : remedy_(remedy) {}

    std::optional<sys::PackageFileRecord> find(std::string_view path) override {
        const auto answer = remedy_.package_file(path);
        readable_ = answer.has_value();
        return answer ? *answer : std::nullopt;
    }
    bool are_readable() const override { return readable_; }

  private:
    const RemedyClient& remedy_;
    bool readable_ = true;
};

} // namespace

std::string PackageGuard::why_it_stays(const std::string& path, int file) {
    for (const auto& records : records_) {
        const auto record = records->find(path);
        const bool unknown = !record && !records->are_readable() && is_below_system_folder(path);
        if (!unknown && (!record || record->digest != digest_of(file, record->digest_kind)))
            continue;
        ++found_;
        return unknown ? "the records of the package manager cannot be read, so it may be a package's"
                       : fmt::format("an unchanged file of the package {}", record->package);
    }
    return "";
}

std::vector<std::unique_ptr<sys::PackageFiles>> package_records_of(const sys::Root& root, const RemedyClient& remedy) {
    std::vector<std::unique_ptr<sys::PackageFiles>> records;
    if (auto dpkg = sys::package_files_of(root))
        records.push_back(std::move(dpkg));
    if (sys::has_rpm_database(root))
        records.push_back(std::make_unique<RemoteFiles>(remedy));
    return records;
}

} // namespace picket::daemon
