#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <picket/install/ports.h>

namespace picket::install {

struct RealOptions {
    std::vector<std::string> release_keys; ///< base64; who may sign a bundle
};

/// The ports of a real host or image. Owns them; `root`, `clock` and `stop_requested` must outlive it.
class RealPorts {
  public:
    RealPorts(const sys::Root& root, const Clock& clock, const std::atomic<bool>& stop_requested, RealOptions options);
    ~RealPorts();
    const Ports& get() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The newest picket-VERSION-ARCHITECTURE.tar.gz of the first of these directories that has one; "" = none.
std::string find_bundle(const std::vector<std::string>& directories);

} // namespace picket::install
