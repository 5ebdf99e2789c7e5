#include <picket/crypto/certificate.h>

#include <memory>

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace picket::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

Result<void> check_one(std::string_view block) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> source(
        BIO_new_mem_buf(block.data(), static_cast<int>(block.size())), BIO_free);
    PICKET_CHECK(source != nullptr);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr), X509_free);
    if (!certificate)
        return Error(ErrorCode::invalid_input, "a certificate that cannot be read: PEM is expected");
    if (X509_check_ca(certificate.get()) == 0)
        return Error(ErrorCode::invalid_input,
                     "a certificate that is no CA: give the one that signs the servers' certificates");
    return {};
}

} // namespace

Result<std::vector<std::string>> split_ca_certificates(std::string_view pem) {
    if (pem.size() > (std::size_t{1} << 20))
        return Error(ErrorCode::invalid_input, "larger than 1 MiB: no list of CA certificates");
    if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
        return Error(ErrorCode::invalid_input, "a private key is in it: give certificates only");
    std::vector<std::string> blocks;
    for (auto from = pem.find(kBegin); from != std::string_view::npos; from = pem.find(kBegin)) {
        const auto to = pem.find(kEnd, from);
        if (to == std::string_view::npos)
            return Error(ErrorCode::invalid_input, "a certificate without its end line");
        const std::string_view block = pem.substr(from, to + kEnd.size() - from);
        PICKET_TRY(check_one(block));
        blocks.push_back(std::string(block) + "\n");
        pem.remove_prefix(to + kEnd.size());
    }
    if (blocks.empty())
        return Error(ErrorCode::invalid_input, "no certificate in it: PEM (-----BEGIN CERTIFICATE-----) is expected");
    return blocks;
}

} // namespace picket::crypto
