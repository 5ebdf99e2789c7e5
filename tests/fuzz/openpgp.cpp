// A file with OpenPGP keys, as --repo-key and a repository bring it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <picket/crypto/openpgp.h>

using namespace picket;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto parsed = crypto::parse_certificates({reinterpret_cast<const char*>(data), size});
    if (!parsed)
        return 0;
    // What was understood is understood again, armored, one by one.
    for (const crypto::OpenPgpCertificate& certificate : *parsed) {
        const auto again = crypto::parse_certificates(crypto::to_armor(certificate));
        if (!again || again->size() != 1 || again->front().fingerprint != certificate.fingerprint ||
            again->front().bytes != certificate.bytes)
            std::abort();
    }
    return 0;
}
