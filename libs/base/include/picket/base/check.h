#pragma once

namespace picket::detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

/// A broken invariant of our own ends the process, in every build. Bad input never does.
#define PICKET_CHECK(condition)                                                                                        \
    (static_cast<bool>(condition) ? void(0) : ::picket::detail::check_failed(#condition, __FILE__, __LINE__))
