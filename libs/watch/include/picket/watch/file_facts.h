#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <sys/types.h>

#include <picket/base/clock.h>

namespace picket::watch {

/// What makes two looks at a file "the same content", as far as this kernel shows it. Compared as a whole.
struct FileKey {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
    bool operator==(const FileKey&) const = default;
};
struct FileKeyHash {
    std::size_t operator()(const FileKey& key) const;
};

/// How far this kernel sees every writer of a file (architecture: "no verdict where the kernel cannot show us
/// writers").
enum class FilesystemKind {
    local,   ///< lease and CLOSE_WRITE tell the truth; time stamps of about 10 ms
    coarse,  ///< local, time stamps of up to 2 s (vfat, udf …)
    overlay, ///< lease and CLOSE_WRITE lie for upper files: only what root alone can write is cached
    opaque,  ///< network, FUSE, unknown: never cached
};
FilesystemKind filesystem_kind(std::uint64_t statfs_magic);

FileKey key_of(const struct stat& status);

struct FileFacts {
    FileKey key;
    bool regular = false;
    bool deleted = false;            ///< no name left
    bool root_only_writable = false; ///< owner root, no write bit for group or others
    uid_t owner = 0;
};

/// No user's number.
inline constexpr uid_t kNobody = static_cast<uid_t>(-1);

/// Looks at a descriptor; opens nothing. Pure system calls, so a fake can stand in.
class FileInspector {
  public:
    virtual ~FileInspector() = default;
    /// False where the file cannot be looked at (fstat failed).
    virtual bool facts(int fd, FileFacts& facts) = 0;
    virtual FilesystemKind kind(int fd, const FileFacts& facts) = 0;
    /// From here to let_writers_in() nobody begins to write: whoever opens for writing, or truncates, waits, and SIGIO
    /// comes, which the process must ignore. False, and nobody waits, where somebody has the file open for writing, or
    /// where that cannot be said. For moments only.
    virtual bool hold_off_writers(int fd) = 0;
    virtual void let_writers_in(int fd) = 0;
    /// True where somebody has the file open for writing, or where that cannot be said.
    bool has_writer(int fd) {
        if (!hold_off_writers(fd))
            return true;
        let_writers_in(fd);
        return false;
    }
    /// As the kernel names it; empty where it has no name.
    virtual std::string path(int fd) = 0;
    /// The mount it was opened on, -1 where the kernel does not say.
    virtual int mount_id(int fd) = 0;
    /// Absolute path of a process's program; empty where it is gone.
    virtual std::string executable(pid_t pid) = 0;
    /// The user as which a process acts, which it cannot hide; kNobody where it is gone.
    virtual uid_t owner_of(pid_t pid) = 0;
    /// The generation of its inode, which changes when the inode is given to another file; nothing where the file
    /// system has none.
    virtual std::optional<std::uint32_t> generation(int fd) = 0;
};

/// The real one. Remembers the kind of file system per device until forget_filesystems(). One thread.
class SystemFileInspector final : public FileInspector {
  public:
    SystemFileInspector();
    ~SystemFileInspector() override;
    bool facts(int fd, FileFacts& facts) override;
    FilesystemKind kind(int fd, const FileFacts& facts) override;
    bool hold_off_writers(int fd) override;
    void let_writers_in(int fd) override;
    std::string path(int fd) override;
    int mount_id(int fd) override;
    std::string executable(pid_t pid) override;
    uid_t owner_of(pid_t pid) override;
    std::optional<std::uint32_t> generation(int fd) override;
    void forget_filesystems();

  private:
    struct Devices;
    std::unique_ptr<Devices> devices_;
};

/// The ioctl(2) request that generation() makes: the only one of the gate's thread.
extern const unsigned long kGenerationRequest;

/// The smallest age at which a time stamp can be trusted to have moved after a write.
Milliseconds timestamp_grain(FilesystemKind kind);

} // namespace picket::watch
