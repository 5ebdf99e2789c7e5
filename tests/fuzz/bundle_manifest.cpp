// The input as a bundle's manifest that is signed, as its signature, and as a key.
#include <picket/base/check.h>
#include <picket/trust/bundle.h>

#include "bundle_manifest.h"

namespace {

using namespace picket;
using namespace picket::trust;

const crypto::SecretKey& key() {
    static const crypto::SecretKey kKey = crypto::SecretKey::generate();
    return kKey;
}

void believe(const std::string& manifest, const std::string& signature) {
    const auto believed = verify_bundle_manifest({key().public_key()}, manifest, signature);
    if (!believed)
        return;
    PICKET_CHECK(believed->signed_by == key().public_key());
    for (const BundleFile& file : believed->manifest.files)
        PICKET_CHECK(archive::is_safe_name(file.name) && file.sha256.size() == 64);
}

std::string sign(const std::string& text) {
    return key().sign(as_bytes(text), "fuzz").value();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(as_text(ByteSpan(data, size)));
    believe(input, sign(input));
    believe("{}", input);
    if (const auto parsed = crypto::PublicKey::parse(input))
        PICKET_CHECK(crypto::PublicKey::parse(parsed->to_base64()).value() == *parsed);
    if (crypto::SecretKey::needs_passphrase(input).value_or(true) == false)
        (void)crypto::SecretKey::parse(input).has_value();
    if (auto document = data::parse_json(input); document && document->is_object()) {
        (*document)["key"] = {{"id", ""}, {"public", key().public_key().to_base64()}};
        const std::string named = data::to_text(*document);
        believe(named, sign(named));
    }
    return 0;
}
