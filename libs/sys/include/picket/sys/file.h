#pragma once
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::sys {

/// A directory that everything below it is reached through: "/" for the running host, or the tree that --root names.
/// Paths given to it are absolute names inside that tree ("/etc/picket"). They are walked component by component
/// with O_NOFOLLOW, so no link, planted or honest, leads out of it; a link on the way is an error (invalid_input).
/// Only a link directly below the tree's top (/bin → usr/bin, /lib → usr/lib), owned by root, is followed, and only
/// inside the tree. Thread-safe: holds one descriptor.
class Root {
  public:
    static Result<Root> open(const std::string& directory = "/");

    /// Opens one file or directory. `flags` as for openat; O_CLOEXEC and O_NOFOLLOW are added.
    Result<UniqueFd> open_file(std::string_view path, int flags, mode_t mode = 0) const;
    /// Opens the directory that holds `path`, and says the last component.
    struct Parent {
        UniqueFd directory;
        std::string name;
    };
    Result<Parent> open_parent(std::string_view path) const;

    /// At most `limit` bytes; a longer file is exhausted, and nothing but a regular file is read (invalid_input).
    Result<std::string> read(std::string_view path, Bytes limit) const;
    /// Replaces `path` as a whole: temporary name in the same directory, write, fsync, rename, fsync of the directory.
    /// After a power cut either the old or the new content is there. Errors leave the old content.
    Result<void> write_atomically(std::string_view path, std::string_view content, mode_t mode) const;
    /// Makes the directory and its missing parents. `mode` is for the last one; parents get 0755.
    Result<void> make_directories(std::string_view path, mode_t mode) const;
    Result<struct stat> status(std::string_view path) const; ///< lstat
    bool exists(std::string_view path) const { return status(path).has_value(); }
    /// True where it was there. A directory must be empty.
    Result<bool> remove(std::string_view path) const;
    /// Names in a directory, sorted, without . and ..; stops with exhausted above `limit` entries.
    Result<std::vector<std::string>> list(std::string_view path, std::size_t limit = 100'000) const;

    /// The directory as given to open(), without a trailing slash ("" for "/"): for messages only.
    const std::string& label() const { return label_; }
    int fd() const { return directory_.get(); }
    bool is_running_host() const { return label_.empty(); }

  private:
    Root(UniqueFd directory, std::string label) : directory_(std::move(directory)), label_(std::move(label)) {}
    UniqueFd directory_;
    std::string label_;
};

/// Reads to the end of `fd`; more than `limit` is exhausted.
Result<std::string> read_all(int fd, Bytes limit);
Result<void> write_all(int fd, std::string_view content);
/// See Root::write_atomically; `directory_fd` must be open for reading.
Result<void> write_atomically_at(int directory_fd, const std::string& name, std::string_view content, mode_t mode);
/// Reads a kernel interface file (/proc, /sys) by its plain path: no atomicity, no limit beyond `limit`.
Result<std::string> read_kernel_file(const std::string& path, Bytes limit = mebibytes(4));
/// An unnamed file in memory with that content, at offset 0; falls back to an unlinked file in /run on old kernels.
Result<UniqueFd> memory_file(std::string_view content, const char* name = "picket");

} // namespace picket::sys
