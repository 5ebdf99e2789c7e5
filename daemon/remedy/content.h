#pragma once
#include <cstdint>
#include <string>

#include <picket/base/bytes.h>
#include <picket/base/result.h>

#include "disk.h"
#include "entry.h"

namespace picket::remedy {

/// What sealing adds to an entry.
struct Sealed {
    std::string sha256; ///< of the plain content
    ByteVector key;
    ByteVector counter;
};

/// Copies `size_bytes` of `source` into `target`, encrypted with a key of its own (AES-256-CTR), and syncs it. The key
/// lies beside the data: this makes malware inert and unfindable for scanners, it is no secrecy. conflict where the
/// source does not have exactly that size.
Result<Sealed> seal(Disk& disk, int source, std::uint64_t size_bytes, int target);
/// The reverse; a target of -1 only checks. corrupt where size or digest are not the entry's; what was written then is
/// worthless.
Result<void> unseal(Disk& disk, int source, const Entry& entry, int target);
/// SHA-256 in hex of the first `size_bytes`; conflict where there are more or fewer.
Result<std::string> digest_of(Disk& disk, int source, std::uint64_t size_bytes);

} // namespace picket::remedy
