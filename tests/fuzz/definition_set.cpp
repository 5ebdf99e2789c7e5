// The input as a set's manifest and as a list of keys, both signed, and as the signature of one.
#include <picket/archive/reader.h>
#include <picket/base/check.h>
#include <picket/data/json.h>
#include <picket/trust/definition_set.h>

namespace {

using namespace picket;
using namespace picket::trust;

const crypto::SecretKey& key() {
    static const crypto::SecretKey kKey = crypto::SecretKey::generate();
    return kKey;
}

std::string sign(const std::string& text) {
    return key().sign(as_bytes(text), "fuzz").value();
}

void believe(const std::string& text, const std::string& signature) {
    if (const auto set = verify_definition_set({key().public_key()}, text, signature)) {
        PICKET_CHECK(set->set.version > 0 && !set->set.files.empty());
        for (const SetFile& file : set->set.files)
            PICKET_CHECK(archive::is_safe_name(file.name) && file.sha256.size() == 64);
    }
    if (const auto list = verify_key_list(key().public_key(), text, signature))
        PICKET_CHECK(list->version > 0 && !list->keys.empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(as_text(ByteSpan(data, size)));
    believe(input, sign(input));
    believe("{}", input);
    // What is signed must name its key: put in, so that the rest is looked at.
    if (auto document = data::parse_json(input); document && document->is_object()) {
        (*document)["key"] = {{"id", ""}, {"public", key().public_key().to_base64()}};
        const std::string named = data::to_text(*document);
        believe(named, sign(named));
    }
    return 0;
}
