#pragma once
#include <string>

#include <picket/updates/updater.h>

namespace picket::updater {

/// Asks picket-link, one connection a file. `stop_fd`: readable = give up.
class LinkFetcher final : public updates::Fetcher {
  public:
    LinkFetcher(std::string socket_path, int stop_fd) : path_(std::move(socket_path)), stop_fd_(stop_fd) {}
    Result<Answer> fetch(const Request& request) override;

  private:
    std::string path_;
    int stop_fd_;
};

} // namespace picket::updater
