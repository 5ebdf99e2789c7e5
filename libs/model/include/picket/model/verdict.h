#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace picket {

/// What an engine said of one file. The numbers are on the wire (engine_protocol.h): never reuse one.
enum class Verdict : std::uint8_t {
    clean = 0,
    malicious = 1,
    potentially_unwanted = 2,
    limit_exceeded = 3, ///< too large, too deep, too long: not proven clean, never cached as clean
    unreadable = 4,     ///< the descriptor could not be read (I/O error, truncated meanwhile)
    engine_error = 5,   ///< the engine failed on it
};
std::string_view to_string(Verdict verdict);

struct Finding {
    Verdict verdict = Verdict::clean;
    std::string threat_name; ///< only where malicious or potentially_unwanted; printable ASCII, at most 127 bytes
};

/// The decision given to the kernel.
enum class Decision : std::uint8_t { allow, deny };

} // namespace picket
