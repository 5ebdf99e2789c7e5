#include <picket/net/download.h>

#include <array>

#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/base/text.h>
#include <picket/net/no_proxy.h>

#include "curl_setup.h"
#include "headers.h"

namespace picket::net {
namespace {

constexpr long kMostRedirects = 5;
constexpr long kConnectWithinSeconds = 15;
constexpr long kSlowestBytesPerSecond = 256; ///< slower than this for kSlowForSeconds is no mirror
constexpr long kSlowForSeconds = 30;
constexpr std::uint64_t kMostHeaderBytes = 65'536; ///< of one answer
constexpr long kOk = 200;
constexpr long kPartial = 206;

/// One download while it runs; what libcurl's callbacks get.
struct Transfer {
    CURL* handle = nullptr;
    const Request& request;
    Sink& sink;
    const std::function<bool()>& cancelled;
    HeaderReader headers;
    std::uint64_t header_bytes = 0;
    std::uint64_t received = 0;
    std::uint64_t offset = 0;
    bool begun = false;
    std::optional<Error> failure; ///< ours; libcurl only hears that it is over

    bool fail(Error error) {
        failure = std::move(error);
        return false;
    }
    bool begin() {
        if (begun)
            return true;
        begun = true;
        const auto start = headers.content_offset(request.offset);
        if (!start)
            return fail(Error(ErrorCode::corrupt, "the server sent another part of the file than was asked for"));
        offset = *start;
        const auto done = sink.begin(offset);
        return done || fail(done.error());
    }
    bool take(ByteSpan bytes) {
        const long status = headers.response().status;
        if (status != kOk && status != kPartial)
            return true; // a page for people
        if (!begin())
            return false;
        received += bytes.size();
        if (offset + received > request.limit.count)
            return fail(Error(ErrorCode::corrupt,
                              fmt::format("the server sent more than the {} bytes that may be", request.limit.count)));
        const auto written = sink.write(bytes);
        return written || fail(written.error());
    }
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    const std::string_view line(data, size * count);
    if (line.starts_with("HTTP/"))
        transfer.header_bytes = 0;
    transfer.header_bytes += line.size();
    if (transfer.header_bytes > kMostHeaderBytes) {
        transfer.fail(Error(ErrorCode::corrupt, "the server's headers do not end"));
        return 0;
    }
    transfer.headers.line(line);
    return line.size();
}

std::size_t on_content(char* data, std::size_t size, std::size_t count, void* context) {
    const std::size_t length = size * count;
    const bool taken = static_cast<Transfer*>(context)->take(as_bytes(std::string_view(data, length)));
    return taken ? length : std::size_t{0};
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(context);
    if (!transfer.cancelled())
        return 0;
    transfer.fail(Error(ErrorCode::cancelled, "the download was stopped"));
    return 1;
}

struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

void add_header(HeaderList& list, std::string_view name, const std::string& value) {
    if (value.empty())
        return;
    curl_slist* const longer = curl_slist_append(list.get(), fmt::format("{}: {}", name, value).c_str());
    PICKET_CHECK(longer != nullptr);
    (void)list.release();
    list.reset(longer);
}

void set_limits(CURL* handle, const Request& request) {
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectWithinSeconds);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, static_cast<long>(request.time_limit.count()));
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, kSlowestBytesPerSecond);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kSlowForSeconds);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, kMostRedirects);
}

/// Where it went wrong, in words for the one who has to look there.
Error error_of(CURLcode code, const char* detail, const Request& request) {
    const std::string text = escape_for_display(detail[0] != '\0' ? detail : curl_easy_strerror(code));
    const auto at = [&](ErrorCode error, std::string_view hop) {
        return Error(error, fmt::format("{}: {}", hop, text));
    };
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return at(ErrorCode::unavailable, "name of the server");
    case CURLE_COULDNT_RESOLVE_PROXY:
        return at(ErrorCode::unavailable, "name of the proxy");
    case CURLE_COULDNT_CONNECT:
        return at(ErrorCode::unavailable, request.proxy.empty() || bypasses_proxy(request.url, request.no_proxy)
                                              ? "connection"
                                              : "connection to the proxy");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return at(ErrorCode::conflict, "TLS");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return at(ErrorCode::corrupt, "redirect or URL");
    case CURLE_TOO_MANY_REDIRECTS:
        return at(ErrorCode::corrupt, "redirects");
    case CURLE_OPERATION_TIMEDOUT:
        return at(ErrorCode::unavailable, "time");
    default:
        return at(ErrorCode::unavailable, "HTTP");
    }
}

} // namespace

struct Downloader::Impl {
    Impl() : handle(new_handle()) {}
    ~Impl() { curl_easy_cleanup(handle); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    HeaderList prepare(const Request& request) {
        curl_easy_reset(handle); // its connections stay
        HeaderList list;
        add_header(list, "If-None-Match", request.if_none_match);
        add_header(list, "If-Modified-Since", request.if_modified_since);
        if (request.offset > 0)
            add_header(list, "Range", fmt::format("bytes={}-", request.offset));
        set_request(handle, request.url, request.ca_certificates, request.proxy, request.no_proxy);
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
        set_limits(handle, request);
        return list;
    }

    CURL* handle;
};

Downloader::Downloader() : impl_(std::make_unique<Impl>()) {}
Downloader::~Downloader() = default;

Result<Response> Downloader::get(const Request& request, Sink& sink, const std::function<bool()>& cancelled) {
    Transfer transfer{.handle = impl_->handle, .request = request, .sink = sink, .cancelled = cancelled};
    const HeaderList headers = impl_->prepare(request);
    set_callbacks(impl_->handle, on_header, on_content, on_progress, &transfer);
    std::array<char, CURL_ERROR_SIZE> detail{};
    curl_easy_setopt(impl_->handle, CURLOPT_ERRORBUFFER, detail.data());
    const CURLcode code = curl_easy_perform(impl_->handle);
    curl_easy_setopt(impl_->handle, CURLOPT_ERRORBUFFER, nullptr);
    if (transfer.failure)
        return *transfer.failure;
    if (code != CURLE_OK)
        return error_of(code, detail.data(), request);
    Response response = transfer.headers.response();
    const bool has_content = response.status == kOk || response.status == kPartial;
    if (has_content && !transfer.begin()) // an empty file
        return *transfer.failure;
    response.received = transfer.received;
    response.resumed = has_content && transfer.offset > 0;
    return response;
}

} // namespace picket::net
