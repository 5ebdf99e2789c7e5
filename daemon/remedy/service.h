#pragma once
#include <string>

#include <picket/ipc/seqpacket.h>
#include <picket/sys/package_files.h>

#include "vault.h"

namespace picket::remedy {

/// One page of `list` stays below what a socket takes at the kernel's default buffer sizes (208 KiB).
inline constexpr Bytes kListPage = kibibytes(128);

/// The remedy protocol (docs/control-protocol.md): one request in, one answer out. Any input gets an answer.
/// `packages` is what package_file asks; null where the host has no such records.
std::string answer(Vault& vault, const ipc::Message& request, sys::PackageFiles* packages = nullptr);

} // namespace picket::remedy
