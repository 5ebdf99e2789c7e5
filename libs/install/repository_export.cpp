#include <array>
#include <utility>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/install/repository.h>

namespace picket::install {
namespace {

constexpr std::array kKinds{std::pair{sys::RepositoryKind::apt, "apt"}, std::pair{sys::RepositoryKind::dnf, "dnf"},
                            std::pair{sys::RepositoryKind::zypper, "zypper"}};

std::string read_me(const TrustedRepository& trusted) {
    std::string text =
        fmt::format("The repository {} and its keys ({}):\n", trusted.repository.url, trusted.trusted_by);
    for (const std::string& fingerprint : trusted.fingerprints)
        text += "  " + fingerprint + "\n";
    text += "\nCopy one folder over the root of a host, as root:\n"
            "  Debian, Ubuntu        cp -r apt/. /    && apt-get update && apt-get install picket\n"
            "  RHEL and its family   cp -r dnf/. /    && rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-picket-* && dnf "
            "install picket\n"
            "  SLES, openSUSE        cp -r zypper/. / && rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-picket-* && zypper "
            "install picket\n"
            "Then: picket-installer install --onboarding FILE\n";
    return text;
}

} // namespace

Result<std::vector<sys::RepositoryFile>> repository_export(const Ports& ports, const std::string& url,
                                                           const std::vector<std::string>& keys) {
    const TrustedRepository trusted = PICKET_TRY(trust_repository(ports, url, keys));
    std::vector<sys::RepositoryFile> files{{"README.txt", read_me(trusted)}};
    for (const auto& [kind, folder] : kKinds)
        for (const sys::RepositoryFile& file : sys::repository_files(kind, trusted.repository))
            files.push_back({folder + file.path, file.content});
    return files;
}

} // namespace picket::install
