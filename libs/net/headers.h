#pragma once
#include <string_view>

#include <picket/net/download.h>

namespace picket::net {

/// The headers of one answer after the other: redirects and proxies send several.
class HeaderReader {
  public:
    /// One line as it came. A status line begins a new answer.
    void line(std::string_view line);
    const Response& response() const { return response_; }
    /// Where the content begins by what the server says; nothing where it contradicts what was asked for.
    std::optional<std::uint64_t> content_offset(std::uint64_t asked) const;

  private:
    Response response_;
    std::optional<std::uint64_t> range_start_;
};

} // namespace picket::net
