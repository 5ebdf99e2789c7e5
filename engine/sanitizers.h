#pragma once

/// Sanitizers map terabytes of address space: such a build sets no limit on memory. It is confined like any other.
namespace picket::engine {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PICKET_SANITIZED_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PICKET_SANITIZED_BUILD 1
#endif
#endif

#ifdef PICKET_SANITIZED_BUILD
inline constexpr bool kSanitizedBuild = true;
#else
inline constexpr bool kSanitizedBuild = false;
#endif

} // namespace picket::engine
