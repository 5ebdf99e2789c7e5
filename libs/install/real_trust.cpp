#include <fcntl.h>
#include <sys/utsname.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/definitions/store.h>
#include <picket/install/files.h>
#include <picket/trust/bundle.h>
#include <picket/trust/onboarding.h>

#include "real_parts.h"

namespace picket::install {
namespace {

constexpr Bytes kBundleLimit = gibibytes(4);
constexpr std::string_view kDefinitionsFolder = "definitions/";

Result<UniqueFd> open_input(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return Error::from_errno(errno, escape_for_display(path));
    return fd;
}

Result<void> refuse_other_architecture(const std::string& architecture) {
    struct utsname name {};
    if (uname(&name) == 0 && architecture != name.machine)
        return Error(ErrorCode::invalid_input, fmt::format("the bundle is for {}, this host is {}",
                                                           escape_for_display(architecture), name.machine));
    return {};
}

class RealTrust final : public TrustPort {
  public:
    RealTrust(const sys::Root& root, const Clock& clock, std::vector<std::string> release_keys,
              std::string package_suffix)
        : root_(root), clock_(clock), release_keys_(std::move(release_keys)),
          package_suffix_(std::move(package_suffix)) {}

    Result<OnboardingMaterial> open_onboarding(const std::string& path, const std::string& trusted_key) override {
        trust::OpenOptions options;
        options.now = clock_.wall();
        if (!trusted_key.empty())
            options.trusted_key = PICKET_TRY(crypto::PublicKey::parse(trusted_key));
        auto package = trust::open_onboarding_package(path, options);
        if (!package)
            return package.error();
        return OnboardingMaterial{
            package->organisation.id, package->organisation.name, package->document_text, package->enrolment_token,
            package->key.to_base64(), package->profiles,          package->tags};
    }

    Result<BundleMaterial> open_bundle(const std::string& path) override {
        const auto context = [&path](const Error& error) { return error.with_context(escape_for_display(path)); };
        trust::BundleOptions options;
        options.now = clock_.wall();
        options.accept_expired = true; // bundle.expiry says it; what is past its date protects, too
        for (const std::string& key : release_keys_)
            options.trusted_keys.push_back(PICKET_TRY(crypto::PublicKey::parse(key)));
        const UniqueFd fd = PICKET_TRY(open_input(path));
        const UniqueFd directory = PICKET_TRY(root_.open_file(files::kIncoming, O_RDONLY | O_DIRECTORY));
        const auto opened = trust::extract_bundle(fd.get(), options, directory.get());
        if (!opened)
            return context(opened.error());
        if (const auto fits = refuse_other_architecture(opened->manifest.architecture); !fits)
            return context(fits.error());
        const auto digest = crypto::sha256_of(fd.get(), kBundleLimit);
        if (!digest)
            return context(digest.error());
        BundleMaterial material = material_of(*opened);
        material.path = path;
        material.sha256 = to_hex(digest->sha256);
        if (material.package_file.empty())
            return context(Error(ErrorCode::invalid_input, fmt::format("the bundle holds no {}", package_suffix_)));
        return material;
    }

    Result<std::string> verify_by_release_key(std::string_view content, const std::string& signature) override {
        Error last(ErrorCode::conflict, "this installer has no release key");
        for (const std::string& text : release_keys_) {
            const auto key = PICKET_TRY(crypto::PublicKey::parse(text));
            auto comment = crypto::verify_signature(key, as_bytes(content), signature);
            if (comment || comment.error().code() != ErrorCode::conflict)
                return comment;
            last = comment.error();
        }
        return last;
    }

    std::string key_of(const std::string& document) override {
        const auto parsed = data::parse_json(document);
        if (!parsed)
            return "";
        const auto key = trust::key_of_document(*parsed);
        return key ? key->to_base64() : "";
    }

  private:
    BundleMaterial material_of(const trust::OpenedBundle& opened) const {
        BundleMaterial material;
        material.version = opened.manifest.version;
        material.built = opened.manifest.build_date;
        material.expires = opened.manifest.expires;
        std::string definitions;
        for (const trust::BundleFile& file : opened.manifest.files) {
            if (file.name.starts_with("picket") && file.name.ends_with(package_suffix_)) {
                material.package_file = file.name;
                material.package_sha256 = file.sha256;
            }
            if (file.name == trust::kBundleInstallerName)
                material.installer_file = file.name;
            if (file.name.starts_with(kDefinitionsFolder))
                definitions += file.name + file.sha256;
        }
        if (!definitions.empty()) {
            material.definitions = definitions::make_generation_name(material.built, crypto::sha256_hex(definitions));
            material.definitions_directory = std::string(kDefinitionsFolder.substr(0, kDefinitionsFolder.size() - 1));
        }
        return material;
    }

    const sys::Root& root_;
    const Clock& clock_;
    std::vector<std::string> release_keys_;
    std::string package_suffix_; ///< ".deb", ".rpm": what this host can install
};

class RealDefinitions final : public DefinitionsPort {
  public:
    RealDefinitions(const sys::Root& root, const Clock& clock) : root_(root), clock_(clock), store_(root) {}

    std::string current() override { return store_.current().value_or(std::string()); }

    Result<void> install(const std::string& directory, const std::string& name) override {
        std::vector<UniqueFd> open_files;
        std::vector<definitions::InputFile> inputs;
        for (const std::string& file : PICKET_TRY(root_.list(directory, definitions::kMaximumFiles))) {
            if (!definitions::is_definition_file(file))
                continue;
            open_files.push_back(PICKET_TRY(root_.open_file(directory + "/" + file, O_RDONLY)));
            inputs.push_back({.name = file, .fd = open_files.back().get()});
        }
        PICKET_TRY(store_.install(name, inputs, "bundle", clock_.wall()));
        return store_.make_current(name);
    }

    /// `previous` is there still: nothing was pruned in between.
    Result<void> remove(const std::string& name, const std::string& previous) override {
        if (previous == name)
            return {};
        if (!previous.empty())
            PICKET_TRY(store_.make_current(previous));
        else if (current() == name)
            PICKET_TRY(root_.remove(paths::kCurrentDefinitions));
        const std::string folder = store_.path_of(name);
        for (const std::string& file : root_.list(folder).value_or(std::vector<std::string>{}))
            if (definitions::is_definition_file(file) || file == definitions::kManifestName)
                PICKET_TRY(root_.remove(folder + "/" + file));
        PICKET_TRY(root_.remove(folder));
        return {};
    }

  private:
    const sys::Root& root_;
    const Clock& clock_;
    definitions::Store store_;
};

} // namespace

std::unique_ptr<TrustPort> make_trust_port(const sys::Root& root, const Clock& clock,
                                           std::vector<std::string> release_keys, std::string package_suffix) {
    return std::make_unique<RealTrust>(root, clock, std::move(release_keys), std::move(package_suffix));
}
std::unique_ptr<DefinitionsPort> make_definitions_port(const sys::Root& root, const Clock& clock) {
    return std::make_unique<RealDefinitions>(root, clock);
}

} // namespace picket::install
