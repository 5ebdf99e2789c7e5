#pragma once
#include <functional>

#include <picket/archive/reader.h>

namespace picket::archive {

/// EntrySink without virtual functions: UBSan looks at an object's vtable with system calls that a confined child has
/// not.
struct EntryCallbacks {
    std::function<Result<void>(const std::string& name)> begin;
    std::function<Result<void>(ByteSpan bytes)> data;
    std::function<Result<void>()> end;
};

/// The part that runs in the confined child: libarchive over pread(2).
Result<void> read_by_libarchive(int fd, Bytes size, Format format, const Limits& limits,
                                const EntryCallbacks& callbacks);

} // namespace picket::archive
