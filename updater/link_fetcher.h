#pragma once
#include <string>

#include <picket/model/connection.h>
#include <picket/updates/updater.h>

namespace picket::updater {

/// Asks picket-link, one connection a file. `stop_fd`: readable = give up.
class LinkFetcher final : public updates::Fetcher {
  public:
    LinkFetcher(std::string socket_path, int stop_fd) : path_(std::move(socket_path)), stop_fd_(stop_fd) {}
    Result<Answer> fetch(const Request& request) override;
    /// Goes a way hop by hop. An Error: picket-link did not answer.
    Result<ProbeResult> probe(const ProbeRequest& request) const;

  private:
    Result<data::Json> ask(const data::Json& request, const std::vector<int>& descriptors,
                           std::chrono::seconds time_limit) const;

    std::string path_;
    int stop_fd_;
};

} // namespace picket::updater
