#include <picket/trust/bundle.h>

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>

#include "bundle_limits.h"
#include "bundle_manifest.h"
#include "staging.h"

namespace picket::trust {
namespace {

constexpr std::size_t kMaxManifest = 1 << 20;

/// Takes the entries in their fixed order: installer, manifest, signature, the rest. The installer is hashed before its
/// digest is known and judged as soon as it is; every later file is judged as it ends.
class BundleReader final : public archive::EntrySink {
  public:
    BundleReader(const std::vector<crypto::PublicKey>& keys, Staging* staging) : keys_(keys), staging_(staging) {}

    Result<void> begin(const std::string& name) override {
        name_ = name;
        const char* const expected = index_ == 0 ? kBundleInstallerName : index_ == 1 ? kManifestName : kSignatureName;
        if (index_ < 3 && name != expected)
            return Error(ErrorCode::invalid_input,
                         fmt::format("no bundle: {} is expected where {} is", expected, name));
        if (is_manifest())
            return {};
        if (index_ > 2 && !record())
            return Error(ErrorCode::corrupt, fmt::format("{} is in the bundle, but not in its manifest", name));
        size_ = 0;
        return staging_ == nullptr ? Result<void>() : staging_->start_file(name, index_ == 0 ? 0700 : 0600);
    }
    Result<void> data(ByteSpan bytes) override {
        if (is_manifest()) {
            std::string& text = index_ == 1 ? manifest_text_ : signature_;
            if (text.size() + bytes.size() > kMaxManifest)
                return Error(ErrorCode::exhausted, fmt::format("{} is larger than 1 MiB", name_));
            text += as_text(bytes);
            return {};
        }
        size_ += bytes.size();
        if (believed_ && size_ > record()->size.count)
            return changed(name_);
        hash_.update(bytes);
        return staging_ == nullptr ? Result<void>() : staging_->write(bytes);
    }
    Result<void> end() override {
        const std::size_t index = index_++;
        if (index == 1)
            return {};
        if (index == 2)
            return believe();
        if (staging_ != nullptr)
            PICKET_TRY(staging_->finish_file());
        const BundleFile found{name_, to_hex(hash_.finish()), Bytes{size_}};
        if (index == 0)
            installer_ = found;
        else if (*record() != found)
            return changed(name_);
        seen_.insert(name_);
        return {};
    }
    /// After the last entry.
    Result<BelievedManifest> finish() {
        if (!believed_)
            return Error(ErrorCode::invalid_input, "no bundle: it has no signed manifest");
        for (const BundleFile& file : believed_->manifest.files)
            if (!seen_.contains(file.name))
                return Error(ErrorCode::corrupt,
                             fmt::format("{} is in the manifest, but not in the bundle", file.name));
        return std::move(*believed_);
    }

  private:
    static Error changed(const std::string& name) {
        return Error(ErrorCode::corrupt, fmt::format("{} is not the file that was signed", name));
    }
    bool is_manifest() const { return index_ == 1 || index_ == 2; }
    const BundleFile* find(const std::string& name) const {
        for (const BundleFile& file : believed_->manifest.files)
            if (file.name == name)
                return &file;
        return nullptr;
    }
    const BundleFile* record() const { return find(name_); }
    Result<void> believe() {
        believed_ = PICKET_TRY(verify_bundle_manifest(keys_, manifest_text_, signature_));
        const BundleFile* const listed = find(kBundleInstallerName);
        if (listed == nullptr || *listed != installer_)
            return changed(kBundleInstallerName);
        return {};
    }

    const std::vector<crypto::PublicKey>& keys_;
    Staging* staging_;
    std::size_t index_ = 0;
    std::string name_;
    std::string manifest_text_;
    std::string signature_;
    std::optional<BelievedManifest> believed_;
    BundleFile installer_;
    crypto::Sha256 hash_;
    std::uint64_t size_ = 0;
    std::set<std::string> seen_;
};

Result<OpenedBundle> judge_times(BelievedManifest believed, const BundleOptions& options) {
    OpenedBundle bundle{std::move(believed.manifest), believed.signed_by, false, {}};
    bundle.expired = options.now >= bundle.manifest.expires;
    if (bundle.expired && !options.accept_expired)
        return Error(ErrorCode::invalid_input,
                     fmt::format("expired {} (this host's clock says {}): fetch a newer bundle",
                                 to_rfc3339(bundle.manifest.expires), to_rfc3339(options.now)));
    if (bundle.expired)
        bundle.warnings.push_back(fmt::format("expired {}", to_rfc3339(bundle.manifest.expires)));
    if (options.now + std::chrono::hours(24) < bundle.manifest.build_date)
        bundle.warnings.push_back(
            fmt::format("built {}, later than this host's clock says ({}): the clock is wrong, and expiry "
                        "cannot be judged",
                        to_rfc3339(bundle.manifest.build_date), to_rfc3339(options.now)));
    return bundle;
}

Result<OpenedBundle> open(int fd, const BundleOptions& options, Staging* staging) {
    PICKET_TRY(check_seal(fd, archive::Format::tar_gz, bundle_limits().archive));
    BundleReader reader(options.trusted_keys, staging);
    PICKET_TRY(archive::read(fd, archive::Format::tar_gz, bundle_limits(), reader));
    auto believed = PICKET_TRY(reader.finish());
    auto bundle = PICKET_TRY(judge_times(std::move(believed), options));
    if (staging != nullptr)
        PICKET_TRY(staging->commit());
    return bundle;
}

template <typename Function>
Result<OpenedBundle> with_file(const std::string& path, const Function& function) {
    const std::string shown = escape_for_display(path);
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return Error::from_errno(errno, shown);
    auto bundle = function(fd.get());
    if (!bundle)
        return bundle.error().with_context(shown);
    return bundle;
}

} // namespace

Result<OpenedBundle> verify_bundle(int fd, const BundleOptions& options) {
    return open(fd, options, nullptr);
}

Result<OpenedBundle> extract_bundle(int fd, const BundleOptions& options, int directory_fd) {
    Staging staging = PICKET_TRY(Staging::create(directory_fd));
    return open(fd, options, &staging);
}

Result<OpenedBundle> verify_bundle(const std::string& path, const BundleOptions& options) {
    return with_file(path, [&](int fd) { return verify_bundle(fd, options); });
}

Result<OpenedBundle> extract_bundle(const std::string& path, const BundleOptions& options, int directory_fd) {
    return with_file(path, [&](int fd) { return extract_bundle(fd, options, directory_fd); });
}

} // namespace picket::trust
