#include <picket/engine_core/sample_corpus.h>

#include <array>
#include <cstring>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/test_pattern.h>
#include <picket/scan/engine_protocol.h>

namespace picket::engine_core {
namespace {

constexpr Milliseconds kSampleTimeLimit{20'000};
/// Executables are long; a clean C library must not fail by a slow disk.
constexpr Milliseconds kOwnFileTimeLimit{60'000};
/// The C library, the loader and their like; the tables of libicu would cost half a second at each start.
constexpr Bytes kLargestOwnFile = mebibytes(3);

constexpr std::uint32_t kEicarCrc32 = 0x6851cf3c;

void append_number(std::string& out, std::uint32_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i)
        out.push_back(static_cast<char>(value >> (8 * i)));
}

/// A zip with one stored entry, by the format's own description (APPNOTE 4.3).
std::string stored_zip(std::string_view name, std::string_view content, std::uint32_t crc) {
    std::string common;
    append_number(common, 10, 2); // version needed
    append_number(common, 0, 2);  // flags
    append_number(common, 0, 2);  // stored
    append_number(common, 0x5af10000, 4);
    append_number(common, crc, 4);
    append_number(common, static_cast<std::uint32_t>(content.size()), 4);
    append_number(common, static_cast<std::uint32_t>(content.size()), 4);
    append_number(common, static_cast<std::uint32_t>(name.size()), 2);
    append_number(common, 0, 2); // no extra field
    std::string zip = std::string("PK\x03\x04") + common + std::string(name) + std::string(content);
    const auto directory_offset = static_cast<std::uint32_t>(zip.size());
    zip += "PK\x01\x02";
    append_number(zip, 10, 2);
    zip += common + std::string(14, '\0') + std::string(name);
    const auto directory_size = static_cast<std::uint32_t>(zip.size()) - directory_offset;
    zip += "PK\x05\x06";
    append_number(zip, 0, 4);
    append_number(zip, 1, 2);
    append_number(zip, 1, 2);
    append_number(zip, directory_size, 4);
    append_number(zip, directory_offset, 4);
    append_number(zip, 0, 2);
    return zip;
}

std::string utf16(std::string_view text) {
    std::string out = "\xff\xfe";
    for (const char c : text) {
        out.push_back(c);
        out.push_back('\0');
    }
    return out;
}

/// The same bytes on every host: a sample that differs cannot be debugged.
std::string noise(std::size_t size) {
    std::string out;
    std::uint32_t state = 20261124;
    while (out.size() < size) {
        state = state * 1664525U + 1013904223U;
        out.push_back(static_cast<char>(state >> 24));
    }
    return out;
}

struct TextSample {
    std::string_view name;
    std::string_view content;
};
constexpr std::array<TextSample, 10> kTextSamples{{
    {"text", "The quick brown fox jumps over the lazy dog.\n"},
    {"shell script", "#!/bin/sh\nset -eu\nfor f in *.c; do cc -c \"$f\"; done\nexit 0\n"},
    {"python script", "#!/usr/bin/python3\nimport sys\nprint(len(sys.argv))\n"},
    {"html", "<!DOCTYPE html><html><head><title>Hello</title><script>var a = 1 + 1;</script></head>"
             "<body><p>It works.</p><a href=\"https://example.org/\">link</a></body></html>\n"},
    {"json", "{\"name\": \"sample\", \"values\": [1, 2, 3], \"nested\": {\"ok\": true}}\n"},
    {"xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><root><item id=\"1\">text</item></root>\n"},
    {"mail", "From: a@example.org\nTo: b@example.org\nSubject: sample\nMIME-Version: 1.0\n"
             "Content-Type: multipart/mixed; boundary=\"b1\"\n\n--b1\nContent-Type: text/plain\n\nHello.\n"
             "--b1\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
             "Content-Disposition: attachment; filename=\"a.bin\"\n\nSGVsbG8sIHdvcmxkIQ==\n--b1--\n"},
    {"rtf", "{\\rtf1\\ansi{\\fonttbl\\f0\\fswiss Helvetica;}\\f0\\pard Hello, {\\b world}.\\par}"},
    {"pdf", "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
            "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 3 3]>>endobj\nxref\n0 4\n0000000000 65535 f \n"
            "0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\n"
            "startxref\n155\n%%EOF\n"},
    {"svg",
     "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"4\"><rect width=\"4\" height=\"4\"/></svg>\n"},
}};

/// Small files of formats that are not text. The JPEG is there for the threads that libclamav starts on images.
constexpr std::array<TextSample, 5> kEncodedSamples{{
    {"png", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="},
    {"gif", "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"},
    {"jpeg", "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP///////////////////////////////////////////////////////////////////////"
             "///////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="},
    {"gzip", "H4sIAAAAAAACA/NIzcnJ11Eozy/KSVHkAgAYp1V7DgAAAA=="},
    {"bzip2", "QlpoOTFBWSZTWVGI0HkAAAJVgAAQYAQAQAYEkIAgACIGgyCAaaaJFmjqQbs7xdyRThQkFGI0HkA="},
}};

std::string elf_header() {
    std::string out("\x7f"
                    "ELF\x02\x01\x01",
                    7);
    out.resize(64, '\0');
    out[16] = 2;    // an executable
    out[18] = 0x3e; // for x86-64
    out[20] = 1;
    out[52] = 64;
    return out + noise(512);
}

void add_encoded(std::vector<Sample>& samples) {
    for (const TextSample& sample : kEncodedSamples) {
        const auto content = from_base64(sample.content);
        PICKET_CHECK(content.has_value());
        samples.push_back({std::string(sample.name), std::string(as_text(*content))});
    }
}

int note_library(dl_phdr_info* info, std::size_t /*size*/, void* context) {
    auto& files = *static_cast<std::vector<TrustedFile>*>(context);
    if (info->dlpi_name == nullptr || info->dlpi_name[0] != '/')
        return 0;
    UniqueFd fd(open(info->dlpi_name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat status {};
    if (fd && fstat(fd.get(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) <= kLargestOwnFile.count)
        files.push_back({info->dlpi_name, std::move(fd)});
    return 0;
}

Result<void> judge(const std::string& name, Verdict expected, const Finding& finding) {
    if (finding.verdict == expected)
        return {};
    if (finding.verdict == Verdict::malicious || finding.verdict == Verdict::potentially_unwanted)
        return Error(ErrorCode::corrupt, fmt::format("calls the clean sample '{}' {}", name, finding.threat_name));
    return Error(ErrorCode::corrupt, fmt::format("answers {} instead of {} on the sample '{}'",
                                                 to_string(finding.verdict), to_string(expected), name));
}

} // namespace

std::vector<Sample> sample_corpus() {
    std::vector<Sample> samples{
        {"EICAR", test_pattern(), Verdict::malicious},
        {"EICAR in a zip", stored_zip("eicar.com", test_pattern(), kEicarCrc32), Verdict::malicious},
        {"empty file", ""},
        {"zeros", std::string(65'536, '\0')},
        {"noise", noise(65'536)},
        {"UTF-16 text", utf16("The quick brown fox.\r\n")},
        {"ELF", elf_header()},
        {"zip", stored_zip("a.txt", "hello\n", 0x363a3020)},
    };
    for (const TextSample& sample : kTextSamples)
        samples.push_back({std::string(sample.name), std::string(sample.content)});
    add_encoded(samples);
    // EICAR once more at the end: what came between must not have blinded the engine.
    samples.push_back({"EICAR again", test_pattern(), Verdict::malicious});
    return samples;
}

std::vector<TrustedFile> open_own_files() {
    /// What a host cannot start, or be reached, without. Where one is not there, the others count.
    constexpr std::array kSystemFiles{"/bin/sh",        "/usr/lib/systemd/systemd", "/lib/systemd/systemd",
                                      "/usr/sbin/sshd", "/usr/bin/picket",          "/usr/sbin/picketd"};
    std::vector<TrustedFile> files;
    for (const char* path : kSystemFiles)
        if (UniqueFd file(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)); file)
            files.push_back({path, std::move(file)});
    if (UniqueFd self(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); self)
        files.push_back({"picket-engine itself", std::move(self)});
    dl_iterate_phdr(note_library, &files);
    return files;
}

Result<void> check_samples(Engine& engine, const std::vector<TrustedFile>& own_files,
                           const std::function<void(const std::string&)>& before_each) {
    constexpr std::uint32_t kFlags = scan::kScanArchives;
    for (const Sample& sample : sample_corpus()) {
        before_each(sample.name);
        const Finding finding = engine.scan_memory(as_bytes(sample.content), kFlags, kSampleTimeLimit);
        PICKET_TRY(judge(sample.name, sample.expected, finding));
    }
    for (const TrustedFile& file : own_files) {
        before_each(file.name);
        const Finding finding = engine.scan(file.fd.get(), kFlags, kOwnFileTimeLimit);
        // Only a threat counts: a large library may well pass a limit on a slow host.
        if (finding.verdict == Verdict::malicious)
            PICKET_TRY(judge(file.name, Verdict::clean, finding));
    }
    return {};
}

} // namespace picket::engine_core
