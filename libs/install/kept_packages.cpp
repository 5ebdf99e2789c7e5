#include <picket/install/kept_packages.h>

#include <algorithm>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/install/files.h>
#include <picket/install/version_order.h>

namespace picket::install {
namespace {

constexpr std::size_t kDigestDigits = 64;
constexpr std::size_t kMostNames = 1'000;
constexpr Bytes kPackageLimit = gibibytes(4);

bool is_digest(std::string_view text) {
    return text.size() == kDigestDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string_view ending_of(std::string_view file) {
    const auto dot = file.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : file.substr(dot);
}

} // namespace

KeptPackage kept_package(const std::string& version, const std::string& sha256, const std::string& file) {
    return {version, sha256, fmt::format("{}/{}_{}{}", files::kKeptPackages, version, sha256, ending_of(file))};
}

std::vector<KeptPackage> kept_packages(const sys::Root& root) {
    std::vector<KeptPackage> kept;
    for (const std::string& name : root.list(files::kKeptPackages, kMostNames).value_or(std::vector<std::string>{})) {
        const std::string_view ending = ending_of(name);
        const auto line = name.find('_');
        if (line == 0 || line == std::string::npos || (ending != ".deb" && ending != ".rpm"))
            continue;
        const std::string digest = name.substr(line + 1, name.size() - line - 1 - ending.size());
        if (is_digest(digest))
            kept.push_back({name.substr(0, line), digest, fmt::format("{}/{}", files::kKeptPackages, name)});
    }
    std::sort(kept.begin(), kept.end(),
              [](const KeptPackage& a, const KeptPackage& b) { return is_older(a.version, b.version); });
    return kept;
}

Result<void> verify(const sys::Root& root, const KeptPackage& package) {
    const UniqueFd fd = PICKET_TRY(root.open_file(package.path, O_RDONLY));
    const auto digest = PICKET_TRY(crypto::sha256_of(fd.get(), kPackageLimit));
    if (to_hex(digest.sha256) != package.sha256)
        return Error(ErrorCode::corrupt, fmt::format("{} is not as it was put there", package.path));
    return {};
}

std::size_t prune_kept_packages(const sys::Root& root, const std::vector<std::string>& versions) {
    std::size_t removed = 0;
    for (const KeptPackage& package : kept_packages(root))
        if (std::find(versions.begin(), versions.end(), package.version) == versions.end())
            if (const auto gone = root.remove(package.path); gone && *gone)
                ++removed;
    return removed;
}

} // namespace picket::install
