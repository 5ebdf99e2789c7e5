#include <picket/trust/onboarding.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/archive/writer.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>
#include <picket/crypto/random.h>
#include <picket/sys/file.h>
#include <picket/trust/rules.h>

#include "onboarding_contents.h"
#include "onboarding_document.h"
#include "signed_manifest.h"

namespace picket::trust {
namespace {

constexpr std::string_view kReadme = R"(This is a Picket onboarding package. It connects a host to an organisation.

Keep it to yourself: it holds the enrolment token, and whoever has it can enrol hosts.
Do not unpack it. As root, on the host:

    picket-installer install --onboarding FILE

To look at it:          picket-onboarding inspect FILE
To check who made it:   picket-onboarding verify FILE --trust-key KEY
)";

/// 256 bits; the prefix makes it easy to find where it leaked to.
std::string new_token() {
    std::string text = to_base64(crypto::random_bytes(32));
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    text.erase(text.find('='));
    return "picket-enrol-" + text;
}

Result<Contents> make_contents(const OnboardingRequest& request, const crypto::PublicKey& key) {
    const data::Json document = PICKET_TRY(make_document(request, key));
    Contents contents{
        {kDocumentName, data::to_pretty_text(document) + "\n"},
        {kPublicKeyName, key.to_file_text()},
        {kTokenName, new_token() + "\n"},
        {kReadmeName, std::string(kReadme)},
    };
    for (const auto& [name, profile] : request.profiles) {
        PICKET_TRY(check_profile_name(name));
        if (!profile.is_object())
            return Error(ErrorCode::invalid_input, fmt::format("profile {}: must be an object", name));
        contents.emplace(kProfilePrefix + name + kJsonSuffix, data::to_text(profile) + "\n");
    }
    return contents;
}

/// In memory; on kernels without memfd (before 3.17) an unlinked file where an ordinary user may write.
Result<UniqueFd> scratch_file() {
    auto memory = sys::memory_file("", "picket-onboarding");
    if (memory)
        return memory;
    std::string path = "/tmp/picket-onboarding-XXXXXX";
    UniqueFd file(mkostemp(path.data(), O_CLOEXEC));
    if (!file)
        return Error::from_errno(errno, path);
    unlink(path.c_str());
    return file;
}

Result<void> write_zip(int fd, const Contents& contents, const std::string& manifest, const std::string& signature) {
    constexpr mode_t kPrivate = 0600;
    auto writer = PICKET_TRY(archive::Writer::create(fd, archive::Format::zip));
    PICKET_TRY(writer.add(kManifestName, manifest, kPrivate));
    PICKET_TRY(writer.add(kSignatureName, signature, kPrivate));
    for (const auto& [name, content] : contents)
        PICKET_TRY(writer.add(name, content, kPrivate));
    PICKET_TRY(writer.finish());
    return append_seal(fd, archive::Format::zip);
}

} // namespace

Result<std::string> build_onboarding_package(const OnboardingRequest& request, const crypto::SecretKey& key) {
    const crypto::PublicKey public_key = key.public_key();
    const Contents contents = PICKET_TRY(make_contents(request, public_key));
    FileRecords records;
    for (const auto& [name, content] : contents)
        records.emplace(name, FileRecord{crypto::sha256_hex(content), content.size()});
    const std::string manifest = manifest_text(data::Json::object(), kOnboardingPurpose, public_key, records);
    const std::string signature =
        PICKET_TRY(key.sign(as_bytes(manifest), fmt::format("{} {}", kOnboardingPurpose, request.organisation.id)));
    const UniqueFd file = PICKET_TRY(scratch_file());
    PICKET_TRY(write_zip(file.get(), contents, manifest, signature));
    if (lseek(file.get(), 0, SEEK_SET) != 0)
        return Error::from_errno(errno, "seek");
    std::string package = PICKET_TRY(sys::read_all(file.get(), mebibytes(16)));
    // What cannot be opened must not be handed out: a limit passed, or a mistake of ours.
    OpenOptions options;
    options.trusted_key = public_key;
    options.now = request.issued;
    const auto opened = open_onboarding_package(file.get(), options);
    if (!opened)
        return opened.error().with_context("the package just made would be refused");
    return package;
}

} // namespace picket::trust
