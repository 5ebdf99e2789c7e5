#pragma once

namespace picket::daemon {

/// Who answers for a file's content, as the mount tells on which it was opened; asks nobody but the kernel.
enum class FileServer {
    none,          ///< this kernel
    administrator, ///< NFS, CIFS, or FUSE that root has mounted
    foreign,       ///< FUSE that a user has mounted, or a mount that this namespace does not see: may never answer
};
FileServer server_of(int fd);

} // namespace picket::daemon
