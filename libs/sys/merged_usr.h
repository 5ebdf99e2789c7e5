#pragma once
#include <string>
#include <vector>

#include <picket/sys/file.h>

/// Private to libs/sys.
namespace picket::sys {

/// With a merged /usr one file has two names; this makes one of them, whichever way a package or the kernel spells it.
class MergedUsr {
  public:
    MergedUsr() = default;
    explicit MergedUsr(const Root& root);
    /// The spelling of before the merge: "/usr/bin/x" → "/bin/x" where /bin is a link into /usr.
    std::string unmerged(std::string path) const;

  private:
    std::vector<std::string> merged_;
};

} // namespace picket::sys
