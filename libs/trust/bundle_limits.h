#pragma once
#include <picket/archive/reader.h>

namespace picket::trust {

inline archive::Limits bundle_limits() {
    archive::Limits limits;
    limits.archive = gibibytes(1);
    limits.entries = 4096;
    limits.entry = mebibytes(512);
    limits.total = gibibytes(2);
    limits.ratio = 200;
    limits.wall_clock = Milliseconds(300'000);
    return limits;
}

} // namespace picket::trust
