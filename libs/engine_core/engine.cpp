#include <picket/engine_core/engine.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <clamav.h>
#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/scan/engine_protocol.h>
#include <sys/stat.h>

#include "findings.h"
#include "library.h"

namespace picket::engine_core {
namespace {

struct Limit {
    cl_engine_field field;
    long long value;
};
constexpr auto count_of(Bytes size) {
    return static_cast<long long>(size.count);
}
constexpr std::array<Limit, 19> kLimits{{
    {CL_ENGINE_MAX_FILESIZE, count_of(kMaximumFile)},
    {CL_ENGINE_MAX_SCANSIZE, count_of(kMaximumUnpacked)},
    {CL_ENGINE_MAX_FILES, kMaximumFiles},
    {CL_ENGINE_MAX_RECURSION, kMaximumRecursion},
    {CL_ENGINE_MAX_EMBEDDEDPE, count_of(mebibytes(40))},
    {CL_ENGINE_MAX_HTMLNORMALIZE, count_of(mebibytes(40))},
    {CL_ENGINE_MAX_HTMLNOTAGS, count_of(mebibytes(8))},
    {CL_ENGINE_MAX_SCRIPTNORMALIZE, count_of(mebibytes(20))},
    {CL_ENGINE_MAX_ZIPTYPERCG, count_of(mebibytes(1))},
    {CL_ENGINE_MAX_PARTITIONS, 50},
    {CL_ENGINE_MAX_ICONSPE, 100},
    {CL_ENGINE_MAX_RECHWP3, 16},
    {CL_ENGINE_PCRE_MATCH_LIMIT, 100'000},
    {CL_ENGINE_PCRE_RECMATCH_LIMIT, 2'000},
    {CL_ENGINE_PCRE_MAX_FILESIZE, count_of(mebibytes(100))},
    // The verdict cache is the gate's: a cache here would outlive a change of flags (and crashed once, CVE-2022-20796).
    {CL_ENGINE_DISABLE_CACHE, 1},
    {CL_ENGINE_DISABLE_PE_STATS, 1},
    // No memory is ever both written and run in a worker.
    {CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER},
    {CL_ENGINE_BYTECODE_SECURITY, CL_BYTECODE_TRUST_SIGNED},
}};

constexpr std::uint32_t kParseAlways = CL_SCAN_PARSE_ELF | CL_SCAN_PARSE_PDF | CL_SCAN_PARSE_SWF | CL_SCAN_PARSE_HWP3 |
                                       CL_SCAN_PARSE_XMLDOCS | CL_SCAN_PARSE_MAIL | CL_SCAN_PARSE_OLE2 |
                                       CL_SCAN_PARSE_HTML | CL_SCAN_PARSE_PE | CL_SCAN_PARSE_ONENOTE |
                                       CL_SCAN_PARSE_IMAGE | CL_SCAN_PARSE_IMAGE_FUZZY_HASH;

/// A small file that was cut while it was read is looked at again: whoever cuts it is mostly done by then.
constexpr int kLooksAtChanging = 3;
constexpr std::size_t kMostNames = 64;

struct FreeEngine {
    void operator()(cl_engine* engine) const { cl_engine_free(engine); }
};
using EnginePointer = std::unique_ptr<cl_engine, FreeEngine>;

void note_alert(int /*fd*/, const char* name, void* context) {
    auto& names = *static_cast<std::vector<std::string>*>(context);
    if (name != nullptr && names.size() < kMostNames)
        names.emplace_back(name);
}

cl_scan_options options_for(std::uint32_t flags, bool all_matches) {
    cl_scan_options options{};
    options.parse = kParseAlways | ((flags & scan::kScanArchives) != 0 ? CL_SCAN_PARSE_ARCHIVE : 0);
    options.general = ((flags & scan::kScanHeuristics) != 0 ? CL_SCAN_GENERAL_HEURISTICS : 0) |
                      (all_matches ? CL_SCAN_GENERAL_ALLMATCHES : 0);
    options.heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX;
    return options;
}

/// Rules that take files out (.ign2) must be known before what they take out.
std::vector<std::string> in_load_order(std::vector<std::string> files) {
    std::sort(files.begin(), files.end());
    std::stable_partition(files.begin(), files.end(), [](const std::string& name) { return name.ends_with(".ign2"); });
    return files;
}

Error load_error(const std::string& name, cl_error_t code) {
    std::string complaint = take_last_complaint();
    if (complaint.empty())
        complaint = cl_strerror(code);
    return Error(ErrorCode::corrupt, fmt::format("{}: {}", escape_for_display(name), complaint));
}

/// libclamav takes a limit of 0 as none, and answers too late where it has no time of its own to stop in.
long long library_time_limit(Milliseconds limit) {
    const long long ms = limit.count();
    return std::max<long long>(1, ms - std::min<long long>(ms / 10, 500));
}

} // namespace

struct Engine::Impl {
    EnginePointer engine;
    unsigned signatures = 0;
    std::unique_ptr<Byte[]> buffer; ///< of kReadIntoMemory + 1; pages that no file filled are never touched

    Result<std::size_t> read_into_buffer(int fd);
    Result<void> load_file(const LoadRequest& request, const std::string& name);
    template <typename Scan>
    Finding scan(std::uint32_t flags, Milliseconds limit, std::uint64_t size, Scan scan_once);
    Finding scan_bytes(ByteSpan content, std::uint32_t flags, Milliseconds limit);
    Finding scan_mapped(int fd, std::uint64_t size, std::uint32_t flags, Milliseconds limit);
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<void> Engine::Impl::load_file(const LoadRequest& request, const std::string& name) {
    std::uint32_t options = CL_DB_PHISHING | CL_DB_PHISHING_URLS | CL_DB_PUA;
    // A .cld is no longer covered by its signature.
    if (name.ends_with(".cvd"))
        options |= CL_DB_BYTECODE;
    const std::string path = request.directory + "/" + name;
    const cl_error_t code = cl_load(path.c_str(), engine.get(), &signatures, options);
    return code == CL_SUCCESS ? Result<void>() : Result<void>(load_error(name, code));
}

Result<Engine> Engine::load(const LoadRequest& request) {
    auto impl = std::make_unique<Impl>();
    impl->engine.reset(cl_engine_new());
    if (!impl->engine)
        return Error(ErrorCode::exhausted, "making a libclamav engine: no memory");
    cl_engine* const engine = impl->engine.get();
    for (const Limit& limit : kLimits)
        if (const cl_error_t code = cl_engine_set_num(engine, limit.field, limit.value); code != CL_SUCCESS)
            return Error(ErrorCode::internal, fmt::format("setting libclamav's limit {}: {}",
                                                          static_cast<int>(limit.field), cl_strerror(code)));
    cl_engine_set_clcb_virus_found(engine, note_alert);
    take_last_complaint();
    Engine result(std::move(impl));
    PICKET_TRY(result.use_temporary_directory(request.temporary_directory));
    for (const std::string& name : in_load_order(request.files))
        PICKET_TRY(result.impl_->load_file(request, name));
    if (result.impl_->signatures == 0)
        return Error(ErrorCode::corrupt, "no signature in any file");
    if (const cl_error_t code = cl_engine_compile(engine); code != CL_SUCCESS)
        return load_error("compiling", code);
    return result;
}

std::uint64_t Engine::signature_count() const {
    return impl_->signatures;
}

Result<void> Engine::use_temporary_directory(const std::string& path) {
    if (const cl_error_t code = cl_engine_set_str(impl_->engine.get(), CL_ENGINE_TMPDIR, path.c_str());
        code != CL_SUCCESS)
        return Error(ErrorCode::internal,
                     fmt::format("setting libclamav's temporary directory: {}", cl_strerror(code)));
    return {};
}

template <typename Scan>
Finding Engine::Impl::scan(std::uint32_t flags, Milliseconds limit, std::uint64_t size, Scan scan_once) {
    // The file itself counts against libclamav's scan size: a large flat file is no bomb.
    cl_engine_set_num(engine.get(), CL_ENGINE_MAX_SCANSIZE, count_of(kMaximumUnpacked) + static_cast<long long>(size));
    const MonotonicTime deadline = std::chrono::steady_clock::now() + limit;
    for (const bool all_matches : {false, true}) {
        const auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
        cl_engine_set_num(engine.get(), CL_ENGINE_MAX_SCANTIME, library_time_limit(left));
        std::vector<std::string> names;
        cl_scan_options options = options_for(flags, all_matches);
        const char* name = nullptr;
        const cl_error_t code = scan_once(&name, &options, &names);
        if (code != CL_VIRUS && !(code == CL_SUCCESS && !names.empty()))
            return {verdict_from_error(code), {}};
        if (names.empty() && name != nullptr)
            names.emplace_back(name);
        Finding finding = finding_from_alerts(names, flags);
        // libclamav stops at the first match, and a weak one may hide a real one: look once more at all of them.
        if (finding.verdict == Verdict::malicious || finding.verdict == Verdict::limit_exceeded || all_matches)
            return finding;
    }
    return {Verdict::engine_error, {}};
}

Finding Engine::Impl::scan_bytes(ByteSpan content, std::uint32_t flags, Milliseconds limit) {
    if (content.empty())
        return {};
    cl_fmap_t* const map = cl_fmap_open_memory(content.data(), content.size());
    if (map == nullptr)
        return {Verdict::engine_error, {}};
    const ScopeExit close_map([map] { cl_fmap_close(map); });
    return scan(flags, limit, content.size(), [&](const char** name, cl_scan_options* options, void* names) {
        unsigned long scanned = 0;
        return cl_scanmap_callback(map, nullptr, name, &scanned, engine.get(), options, names);
    });
}

Finding Engine::Impl::scan_mapped(int fd, std::uint64_t size, std::uint32_t flags, Milliseconds limit) {
    Finding finding = scan(flags, limit, size, [&](const char** name, cl_scan_options* options, void* names) {
        unsigned long scanned = 0;
        return cl_scandesc_callback(fd, nullptr, name, &scanned, engine.get(), options, names);
    });
    struct stat after {};
    const bool shrunk = fstat(fd, &after) != 0 || static_cast<std::uint64_t>(after.st_size) < size;
    return shrunk && finding.verdict == Verdict::clean ? Finding{Verdict::unreadable, {}} : finding;
}

Finding Engine::scan_memory(ByteSpan content, std::uint32_t flags, Milliseconds time_limit) {
    return impl_->scan_bytes(content, flags, time_limit);
}

/// One byte more than fits tells a file that has grown beyond it.
Result<std::size_t> Engine::Impl::read_into_buffer(int fd) {
    constexpr std::size_t kSize = kReadIntoMemory.count + 1;
    if (!buffer)
        buffer = std::make_unique_for_overwrite<Byte[]>(kSize);
    std::size_t filled = 0;
    while (filled < kSize) {
        const ssize_t got = pread(fd, buffer.get() + filled, kSize - filled, static_cast<off_t>(filled));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(errno, "reading the file");
        if (got == 0)
            break;
        filled += static_cast<std::size_t>(got);
    }
    return filled;
}

Finding Engine::scan(int fd, std::uint32_t flags, Milliseconds time_limit) {
    for (int look = 0; look < kLooksAtChanging; ++look) {
        struct stat before {};
        if (fstat(fd, &before) != 0 || !S_ISREG(before.st_mode))
            return {Verdict::unreadable, {}};
        const auto size = static_cast<std::uint64_t>(before.st_size);
        if (size > kReadIntoMemory.count)
            return impl_->scan_mapped(fd, size, flags, time_limit);
        const auto filled = impl_->read_into_buffer(fd);
        if (!filled)
            return {Verdict::unreadable, {}};
        if (*filled > kReadIntoMemory.count)
            return impl_->scan_mapped(fd, *filled, flags, time_limit);
        if (*filled >= size)
            return impl_->scan_bytes({impl_->buffer.get(), *filled}, flags, time_limit);
    }
    return {Verdict::unreadable, {}};
}

} // namespace picket::engine_core
