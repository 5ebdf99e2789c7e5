#include <picket/base/build_info.h>

namespace picket::build {

const char* version() {
    return PICKET_VERSION;
}
WallTime built_at() {
    return WallTime(std::chrono::seconds(PICKET_BUILD_EPOCH));
}
WallTime expiration() {
    return built_at() + std::chrono::hours(24 * 274);
}

} // namespace picket::build
