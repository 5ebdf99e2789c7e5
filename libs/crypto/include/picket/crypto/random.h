#pragma once
#include <span>
#include <string>

#include <picket/base/bytes.h>

namespace picket::crypto {

/// From the operating system's generator; aborts where there is none, for nothing secure can be done then.
void fill_random(std::span<Byte> bytes);
ByteVector random_bytes(std::size_t size);
/// Version 4, lower case: 8-4-4-4-12.
std::string random_uuid();

} // namespace picket::crypto
