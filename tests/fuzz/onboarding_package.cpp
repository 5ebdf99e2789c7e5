// Two ways in: what begins with "PK" is read as a zip, without the confined child, so that coverage is seen; anything
// else is taken for an onboarding document and signed, so that what lies behind the signature is reached.
#include <picket/base/check.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>
#include <picket/sys/file.h>
#include <picket/trust/onboarding.h>

#include "libarchive_reader.h"
#include "onboarding_contents.h"
#include "onboarding_document.h"
#include "signed_manifest.h"

namespace {

using namespace picket;
using namespace picket::trust;

OpenOptions options() {
    OpenOptions options;
    options.now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 24));
    options.ignore_time = true;
    return options;
}

void open_zip(std::string_view bytes) {
    const auto file = sys::memory_file(bytes);
    PICKET_CHECK(file.has_value());
    archive::Limits limits;
    limits.total = mebibytes(4);
    Contents contents;
    std::string name;
    const archive::EntryCallbacks callbacks{[&](const std::string& entry) -> Result<void> {
                                                PICKET_CHECK(archive::is_safe_name(entry));
                                                name = entry;
                                                contents[name];
                                                return {};
                                            },
                                            [&](ByteSpan data) -> Result<void> {
                                                contents[name] += as_text(data);
                                                return {};
                                            },
                                            []() -> Result<void> { return {}; }};
    if (archive::read_by_libarchive(file->get(), Bytes{bytes.size()}, archive::Format::zip, limits, callbacks))
        (void)open_contents(contents, options()).has_value();
}

void open_signed(const std::string& document, std::string_view other) {
    static const crypto::SecretKey kKey = crypto::SecretKey::generate();
    Contents contents{{kDocumentName, document},
                      {kPublicKeyName, kKey.public_key().to_file_text()},
                      {kTokenName, std::string(other)},
                      {"profiles/fuzz.json", std::string(other)}};
    FileRecords records;
    for (const auto& [name, content] : contents)
        records[name] = {crypto::sha256_hex(content), content.size()};
    const std::string manifest = manifest_text(data::Json::object(), kOnboardingPurpose, kKey.public_key(), records);
    contents[kManifestName] = manifest;
    contents[kSignatureName] = kKey.sign(as_bytes(manifest), "fuzz").value();
    (void)open_contents(contents, options()).has_value();

    // A document that names the key that signs it gets further.
    auto parsed = data::parse_json(document);
    const data::Json named = data::Json::array({{{"id", ""}, {"public", kKey.public_key().to_base64()}}});
    if (parsed && parsed->is_object() && data::member(*parsed, "keys") != named) {
        (*parsed)["keys"] = named;
        open_signed(data::to_text(*parsed), other);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = as_text(ByteSpan(data, size));
    if (input.starts_with("PK"))
        open_zip(input);
    else
        open_signed(std::string(input.substr(0, input.find('\0'))), "{}");
    return 0;
}
