#include <picket/crypto/certificate.h>

#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace picket::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

Certificate read_one(std::string_view block) {
    const Memory source(BIO_new_mem_buf(block.data(), static_cast<int>(block.size())), BIO_free);
    PICKET_CHECK(source != nullptr);
    return {PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr), X509_free};
}

std::string subject_of(X509* certificate) {
    const Memory text(BIO_new(BIO_s_mem()), BIO_free);
    PICKET_CHECK(text != nullptr);
    X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
    char* data = nullptr;
    const long size = BIO_get_mem_data(text.get(), &data);
    return std::string(data, static_cast<std::size_t>(std::max(0L, size)));
}

Result<void> check_one(std::string_view block) {
    const Certificate certificate = read_one(block);
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

std::vector<std::string> subjects_of_certificates(std::string_view pem) {
    std::vector<std::string> subjects;
    for (auto from = pem.find(kBegin); from != std::string_view::npos; from = pem.find(kBegin)) {
        const auto to = std::min(pem.find(kEnd, from), pem.size() - kEnd.size());
        if (const Certificate certificate = read_one(pem.substr(from, to + kEnd.size() - from)))
            subjects.push_back(subject_of(certificate.get()));
        pem.remove_prefix(std::min(to + kEnd.size(), pem.size()));
    }
    return subjects;
}

} // namespace picket::crypto
