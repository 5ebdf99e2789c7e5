#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/blake2b.h>
#include <picket/crypto/certificate.h>
#include <picket/crypto/cipher.h>
#include <picket/crypto/digest.h>
#include <picket/crypto/random.h>
#include <picket/crypto/secret.h>
#include <picket/sys/file.h>

using namespace picket;
using namespace picket::crypto;

TEST_CASE("SHA-256 gives the published digests, whole, in pieces and of a descriptor") {
    CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 hash;
    hash.update("a");
    hash.update("bc");
    const auto first = hash.finish();
    CHECK(to_hex(first) == sha256_hex("abc"));
    hash.update("abc");
    CHECK(hash.finish() == first);

    const UniqueFd file = sys::memory_file("abc").value();
    REQUIRE(lseek(file.get(), 2, SEEK_SET) == 2);
    const FileDigest digest = sha256_of(file.get(), Bytes{3}).value();
    CHECK(digest.sha256 == first);
    CHECK(digest.size == Bytes{3});
    CHECK(lseek(file.get(), 0, SEEK_CUR) == 2);
    CHECK(sha256_of(file.get(), Bytes{2}).error().code() == ErrorCode::exhausted);
    CHECK(md5_hex_of(file.get(), Bytes{3}).value() == "900150983cd24fb0d6963f7d28e17f72");
    CHECK(md5_hex_of(file.get(), Bytes{2}).error().code() == ErrorCode::exhausted);
}

TEST_CASE("BLAKE2b gives the digests of RFC 7693 and of the reference implementation around its block size") {
    CHECK(to_hex(blake2b_512(as_bytes("abc"))) == "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                                                  "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
    struct Row {
        std::size_t size;
        const char* digest;
    };
    for (const Row& row : {Row{0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
                           Row{127, "1bb3d24376d0b5840955e640c6a8a4830cd69af0b7ad71a409d2a30c6a374abb"},
                           Row{128, "9101ed0a248b57efc0c6070cfbf9cf316c182d125ad6191c1f7783c3d32b6346"},
                           Row{129, "60f5e954d1a1775362ffd0762ed37bbe101ed5e88896dd793f1a889786fb3132"},
                           Row{1000, "a494537cc57474059ebe7a7f7a76c03306551355abebb1967408ed04e7564fa9"}}) {
        ByteVector message;
        for (std::size_t i = 0; i < row.size; ++i)
            message.push_back(static_cast<Byte>(i * 7 % 251));
        CHECK(to_hex(blake2b_256(message)) == row.digest);
    }
}

TEST_CASE("AES-256-CTR gives the stream of NIST SP 800-38A F.5.5, in any pieces, and turns itself round") {
    const auto key = from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").value();
    const auto iv = from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").value();
    const auto plain = from_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51").value();
    ByteVector stream = plain;
    AesCtr encrypt = AesCtr::create(key, iv).value();
    encrypt.process(std::span(stream).first(5));
    encrypt.process(std::span(stream).subspan(5));
    CHECK(to_hex(stream) == "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5");
    AesCtr decrypt = AesCtr::create(key, iv).value();
    decrypt.process(stream);
    CHECK(stream == plain);
    CHECK(AesCtr::create(ByteSpan(key).first(16), iv).error().code() == ErrorCode::invalid_input);
}

TEST_CASE("random bytes differ, and a UUID has its form") {
    CHECK(random_bytes(32) != random_bytes(32));
    const std::string uuid = random_uuid();
    CHECK(uuid.size() == 36);
    CHECK(uuid[14] == '4');
    CHECK(uuid != random_uuid());
}

TEST_CASE("cleanse leaves nothing") {
    ByteVector bytes{1, 2, 3};
    cleanse(bytes);
    CHECK(bytes == ByteVector{0, 0, 0});
    std::string text = "secret";
    cleanse(text);
    CHECK(text.empty());
}

TEST_CASE("a list of CA certificates refuses keys, other certificates and what is none") {
    CHECK(split_ca_certificates("").error().message().find("no certificate") != std::string::npos);
    CHECK(split_ca_certificates("-----BEGIN PRIVATE "
                                "KEY-----")
              .error()
              .message()
              .find("private key") != std::string::npos);
    CHECK_FALSE(split_ca_certificates("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    CHECK_FALSE(split_ca_certificates("-----BEGIN CERTIFICATE-----\nAAAA\n"));
}
