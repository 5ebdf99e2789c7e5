#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/result.h>

/// libcurl, and nothing of it outside. Only http and https, only GET, no cookies, no passwords, no compression, nothing
/// from the environment.
namespace picket::net {

struct Request {
    std::string url;
    std::string proxy;                 ///< http://HOST:PORT; "" = none
    std::vector<std::string> no_proxy; ///< hosts that are reached without it (no_proxy.h)
    std::string ca_certificates;       ///< PEM: the only ones that count; "" = those of the host
    std::string if_none_match;         ///< an ETag; "" = unconditional
    std::string if_modified_since;
    std::uint64_t offset = 0; ///< bytes that are there already: the rest is asked for
    Bytes limit;              ///< of the whole file, those included
    std::chrono::seconds time_limit{60};
};

struct Response {
    long status = 0;
    std::string etag;
    std::string last_modified;
    std::optional<std::chrono::seconds> retry_after; ///< from now on, where the server says so
    bool resumed = false;                            ///< the server sent only what was missing
    std::uint64_t received = 0;                      ///< bytes of content in this answer
};

/// Takes the content of an answer 200 or 206; no other has one.
class Sink {
  public:
    virtual ~Sink() = default;
    /// Once before the first byte: the content goes on at `offset`, which is 0 or the request's.
    virtual Result<void> begin(std::uint64_t offset) = 0;
    virtual Result<void> write(ByteSpan bytes) = 0;
};

/// Keeps connections open between downloads. One thread.
class Downloader {
  public:
    Downloader();
    ~Downloader();
    Downloader(const Downloader&) = delete;
    Downloader& operator=(const Downloader&) = delete;

    /// Any answer of the server is a Response, whatever its status. Errors name the hop: unavailable (name, connection,
    /// proxy, time), conflict (TLS: the server is not who it should be), corrupt (more than `limit`, too many
    /// redirects, one to a place that may not be), cancelled. An Error of the sink comes back as it is. `cancelled` is
    /// asked about once a second.
    Result<Response> get(const Request& request, Sink& sink, const std::function<bool()>& cancelled);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Seconds, or a date of RFC 9110 ("Sun, 06 Nov 1994 08:49:37 GMT") as seen from `now`; at most a day; nothing where it
/// is neither.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                      std::chrono::system_clock::time_point now);

} // namespace picket::net
