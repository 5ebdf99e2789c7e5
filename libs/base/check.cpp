#include <picket/base/check.h>

#include <cstdio>
#include <cstdlib>

namespace picket::detail {

void check_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "picket: broken invariant: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

} // namespace picket::detail
